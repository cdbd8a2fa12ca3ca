//! What becomes of a response head: relayed, replaced, or set aside for a better one.

use super::attempt::Answer;
use super::failure::{ASKED, asked};
use super::read::Read;
use super::{Attempts, Committed, Ended, Kept, Turn};
use crate::error::{AttemptError, Phase};
use crate::grpc;
use crate::headers::forward_response;
use crate::hooks::{Hooks, Prefix, Reply, ResponseAction};
use crate::keep::keep;
use crate::network::Network;
use crate::pace::{BodyKind, PaceBounds};
use crate::upstream::Connection;
use bytes::{Bytes, BytesMut};
use http::{StatusCode, header, response};
use lb::{
    Cause, Class, Decision, Delivery, Failure, Next, Outcome, Pick, Received, Repeat, Sent, Time,
};
use std::task::{Context, Poll, ready};
use std::time::Duration;

impl<N: Network, H: Hooks> Attempts<'_, N, H> {
    /// A response head has come.
    pub(super) async fn answered(
        &mut self,
        mut answer: Answer<N>,
        mut pick: Pick,
        began: Time,
        safe: bool,
    ) -> Turn<N> {
        let status = self.said(&answer).as_u16();
        let retry_after = retry_after(&answer.head);
        let identity = &self.thread.shared.identity;
        let offer = self.transaction.offer.as_ref();
        if forward_response(&mut answer.head, identity, offer).is_err() {
            let failure = Failure {
                cause: Cause::Malformed,
                sent: Sent::Full,
                received: Received::Partial,
                reused: answer.connection.is_reused(),
            };
            let error = AttemptError {
                phase: Phase::Head,
                failure,
                peer: pick.peer(),
                source: None,
            };
            return self.failed(&error, pick, began, safe);
        }
        let outcome = Outcome::Answered {
            status,
            retry_after,
        };
        let class = self.settle(&mut pick, began, &outcome);
        // Asked again: now the body has been sent, and has the last word over the head.
        let again = class.retry != Repeat::Never;
        let safe = safe && (!again || self.is_safe());
        if again
            && let Decision::Retry { wait, next, .. } = self.decide(&outcome, &class, safe, &pick)
        {
            let answer = (answer, BytesMut::new());
            return self.set_aside(answer, &pick, began, (wait, next)).await;
        }
        self.shape(answer, pick, began, class, safe).await
    }

    /// The status an answer amounts to: that of a call without an answer is in its head, which is
    /// then also its trailers. Any other status of a call comes too late to try again.
    fn said(&self, answer: &Answer<N>) -> StatusCode {
        let Answer { head, connection } = answer;
        let only_trailers = connection.is_end_stream() && self.transaction.session.is_call();
        let status = only_trailers.then(|| grpc::Status::of(&head.headers));
        match status.flatten() {
            Some(status) if head.status == StatusCode::OK => status.as_http(),
            _ => head.status,
        }
    }

    /// Keeps an answer in case no better one comes.
    async fn set_aside(
        &mut self,
        (answer, read): (Answer<N>, BytesMut),
        pick: &Pick,
        began: Time,
        (wait, next): (Duration, Next),
    ) -> Turn<N> {
        let reused = answer.connection.is_reused();
        match whole(answer, read).await {
            Some(reply) => self.last = Some((reply, pick.peer(), began)),
            None if self.last.is_some() => {}
            None => {
                self.history.reached = Some(AttemptError {
                    phase: Phase::Body,
                    failure: Failure {
                        cause: Cause::BodyAborted,
                        sent: Sent::Full,
                        received: Received::Head,
                        reused,
                    },
                    peer: pick.peer(),
                    source: None,
                });
            }
        }
        self.again(pick.peer(), wait, next)
    }

    /// A kept answer goes downstream after all: the hooks see it like any other.
    ///
    /// # Errors
    /// It was to go on with a stream whose head has gone downstream, and the hooks want another.
    pub(super) fn kept(&mut self, (reply, peer, began): Kept) -> Result<Reply, &'static str> {
        let goes_on = self.transaction.session.response_committed();
        let (mut head, body) = reply.into_parts();
        let (hooks, attempt, ctx) = self.hooked(peer, began);
        let seen = Prefix {
            bytes: &body,
            ended: true,
        };
        match hooks.upstream_response(&attempt, &mut head, &seen, ctx) {
            ResponseAction::Replace(reply) => Ok(reply),
            ResponseAction::Relocate(why) if goes_on => Err(why),
            ResponseAction::Transform(mut transform) => {
                let mut whole = BytesMut::from(transform.data(body));
                whole.extend_from_slice(&transform.end().unwrap_or_default());
                head.headers.remove(header::CONTENT_LENGTH);
                Ok(Reply::from_parts(head, whole.freeze()))
            }
            ResponseAction::Forward
            | ResponseAction::Read(_)
            | ResponseAction::Relocate(_)
            | ResponseAction::Retry(_) => Ok(Reply::from_parts(head, body)),
        }
    }

    /// Lets the hooks see the answer, and perhaps the beginning of its body.
    pub(super) async fn shape(
        &mut self,
        mut answer: Answer<N>,
        pick: Pick,
        began: Time,
        class: Class,
        safe: bool,
    ) -> Turn<N> {
        let mut prefix = Read::default();
        let mut ended = answer.connection.is_end_stream();
        loop {
            let (hooks, attempt, ctx) = self.hooked(pick.peer(), began);
            let seen = Prefix {
                bytes: prefix.bytes(),
                ended,
            };
            let transform = match hooks.upstream_response(&attempt, &mut answer.head, &seen, ctx) {
                ResponseAction::Transform(transform) => Some(transform),
                ResponseAction::Read(limit) if !ended && prefix.bytes().len() < limit => {
                    match self.read(&mut answer).await {
                        Some(Ok(data)) => {
                            prefix.push(data);
                            ended = answer.connection.is_end_stream();
                        }
                        Some(Err(())) => {
                            let peer = pick.peer();
                            let failure = Failure {
                                cause: Cause::BodyAborted,
                                sent: Sent::Full,
                                received: Received::Head,
                                reused: answer.connection.is_reused(),
                            };
                            let error = AttemptError {
                                phase: Phase::Body,
                                failure,
                                peer,
                                source: None,
                            };
                            return self.failed(&error, pick, began, safe);
                        }
                        None => ended = true,
                    }
                    continue;
                }
                ResponseAction::Forward | ResponseAction::Read(_) => None,
                ResponseAction::Replace(reply) => {
                    if ended {
                        // The peer's answer was read whole: its connection is as good as before.
                        let group = &self.target.group;
                        keep(self.thread, group, pick.peer(), answer.connection);
                    }
                    return Turn::End(Ended::Reply(reply));
                }
                ResponseAction::Relocate(why) => {
                    let kept = whole(answer, prefix.joined()).await;
                    let kept = kept.map(|reply| (reply, pick.peer(), began));
                    return Turn::Refused(why, kept);
                }
                ResponseAction::Retry(_) => {
                    let safe = safe && self.is_safe();
                    let may = safe || class.delivery == Delivery::NotSent;
                    if may
                        && let Decision::Retry { wait, next, .. } =
                            self.decide(&ASKED, &asked(class), safe, &pick)
                    {
                        let answer = (answer, prefix.joined());
                        return self.set_aside(answer, &pick, began, (wait, next)).await;
                    }
                    None
                }
            };
            if transform.as_ref().is_some_and(|one| !one.keeps_length()) {
                answer.head.headers.remove(header::CONTENT_LENGTH);
            }
            let bounds = self.pace(&answer.head);
            let prefix = prefix.freeze();
            let committed = Committed {
                answer,
                pick,
                prefix,
                transform,
                bounds,
                tunnel_idle: self.target.timeouts.tunnel_idle,
            };
            return Turn::Commit(Box::new(committed));
        }
    }

    /// The next piece of a body that is looked at before the commit, within the idle bound.
    async fn read(&self, answer: &mut Answer<N>) -> Option<Result<Bytes, ()>> {
        // No timer for what is here already.
        let at_once = std::future::poll_fn(|cx| Poll::Ready(poll_data(&mut answer.connection, cx)));
        if let Poll::Ready(data) = at_once.await {
            return data;
        }
        let idle = self
            .target
            .timeouts
            .idle
            .unwrap_or(LONGEST_LOOK)
            .min(LONGEST_LOOK);
        match tokio::time::timeout(idle, next_data(&mut answer.connection)).await {
            Ok(data) => data,
            Err(_) => Some(Err(())),
        }
    }

    fn pace(&self, head: &response::Parts) -> PaceBounds {
        let timeouts = &self.target.timeouts;
        // A comment of ours would be garbage in a coded stream.
        let coded = head.headers.contains_key(header::CONTENT_ENCODING);
        let kind = if is_event_stream(head) && coded {
            BodyKind::Events(None)
        } else if is_event_stream(head) {
            BodyKind::Events(self.target.group.settings.sse_keepalive)
        } else if self.transaction.session.is_call() {
            BodyKind::Call
        } else {
            BodyKind::Plain
        };
        PaceBounds {
            idle: timeouts.idle,
            total: self.total,
            kind,
        }
    }
}

/// Reads a whole small answer, of which `body` was read already, in case no better one comes; none
/// if it is large or slow.
async fn whole<N: Network>(answer: Answer<N>, mut body: BytesMut) -> Option<Reply> {
    let Answer {
        head,
        mut connection,
    } = answer;
    let reading = async {
        while let Some(data) = next_data(&mut connection).await {
            body.extend_from_slice(&data?);
            if body.len() > LARGEST_KEPT {
                return Err(());
            }
        }
        Ok(())
    };
    match tokio::time::timeout(LONGEST_KEEP, reading).await {
        Ok(Ok(())) => Some(Reply::from_parts(head, body.freeze())),
        _ => None,
    }
}

/// The next data of a body; trailers are skipped.
async fn next_data<S>(connection: &mut Connection<S>) -> Option<Result<Bytes, ()>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    std::future::poll_fn(|cx| poll_data(connection, cx)).await
}

fn poll_data<S>(
    connection: &mut Connection<S>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, ()>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    loop {
        let frame = ready!(connection.poll_frame(cx));
        match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
            None => return Poll::Ready(None),
            Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(data))),
            Some(Ok(Err(_))) => {}
            Some(Err(_)) => return Poll::Ready(Some(Err(()))),
        }
    }
}

fn is_event_stream(head: &response::Parts) -> bool {
    let kind = head
        .headers
        .get(header::CONTENT_TYPE)
        .map(http::HeaderValue::as_bytes);
    let stream = b"text/event-stream";
    kind.and_then(|kind| kind.get(..stream.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(stream))
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3); a date is not understood.
fn retry_after(head: &response::Parts) -> Option<Duration> {
    if !matches!(head.status.as_u16(), 429 | 503) {
        return None;
    }
    let value = head.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// An answer larger than this is not kept for want of a better one.
const LARGEST_KEPT: usize = 64 * 1024;
/// Nor one that takes longer than this to arrive.
const LONGEST_KEEP: Duration = Duration::from_millis(250);
/// A hook that wants to see the beginning of a body waits no longer than this for a piece.
const LONGEST_LOOK: Duration = Duration::from_secs(30);
