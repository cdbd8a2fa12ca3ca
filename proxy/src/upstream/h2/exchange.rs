//! One request on a shared connection: an exchange, then the frames of its body.

use super::failure::explain;
use super::pipe::Pipe;
use super::pump::{Pump, Stopped};
use super::request::translate;
use super::shared::Lease;
use crate::upload::UploadBody;
use crate::upstream::{BodyError, ExchangeError, Fault, HeadLimits, UpstreamHead};
use ::h2::client::ResponseFuture;
use ::h2::{Reason, RecvStream};
use bytes::Bytes;
use http::{HeaderMap, header, response};
use http_body::{Body as _, Frame, SizeHint};
use lb::Cause;
use std::cell::Cell;
use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// One request on a shared connection. Dropping it resets its stream (`CANCEL`), which tells the
/// peer that nobody reads, and leaves the connection to the others.
pub(crate) struct Exchange {
    pub(super) lease: Lease,
    reused: bool,
    /// The request was handed to h2.
    pub(super) begun: bool,
    upload: Upload,
    answer: Option<Answer>,
    /// What it has become, if that is a tunnel.
    pub(super) pipe: Option<Box<Pipe>>,
}

enum Upload {
    /// Sent, or none.
    Done,
    /// In the task of the request.
    Here(Box<Pump>),
    /// In a task of its own, which says whether the client failed.
    Detached(tokio::task::JoinHandle<()>, Rc<Cell<bool>>),
}

struct Answer {
    body: RecvStream,
    /// What `Content-Length` leaves to come, if it is there.
    left: Option<u64>,
    data_ended: bool,
    limits: HeadLimits,
}

impl Exchange {
    pub(super) fn new(lease: Lease, reused: bool) -> Self {
        Self {
            lease,
            reused,
            begun: false,
            upload: Upload::Done,
            answer: None,
            pipe: None,
        }
    }

    /// The tunnel it has become, if it has.
    pub(crate) fn into_pipe(mut self) -> Option<Box<Pipe>> {
        self.pipe.take()
    }

    /// Whether its connection served a request before this one.
    pub(crate) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Whether anything was sent and received, as numbers that only grow.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let answered = self.answer.is_some() || self.pipe.is_some();
        (self.begun.into(), answered.into())
    }

    /// Sends a request and waits for the head of its response. `give_up` ends the wait.
    pub(crate) async fn exchange<G>(
        &mut self,
        head: &UpstreamHead<'_>,
        body: UploadBody,
        limits: HeadLimits,
        mut give_up: impl FnMut(&Context<'_>) -> Poll<G>,
    ) -> Result<Result<response::Parts, ExchangeError>, G> {
        if head.contains(&header::UPGRADE) {
            return self.connect(head, limits, give_up).await;
        }
        let length = body.size_hint().exact();
        let Some(request) = translate(head, self.lease.scheme(), length) else {
            return Ok(Err(unsaid()));
        };
        let mut sender = self.lease.sender();
        let mark = self.lease.written();
        let ends = body.is_end_stream();
        let (mut answer, stream) = match sender.send_request(request, ends) {
            Ok(begun) => begun,
            Err(error) => return Ok(Err(explain(error, false))),
        };
        self.begun = true;
        if !ends {
            self.upload = Upload::Here(Box::new(Pump::new(stream, body)));
        }
        let mut interim = 0;
        std::future::poll_fn(|cx| {
            if let Upload::Here(pump) = &mut self.upload
                && let Poll::Ready(sent) = pump.poll(cx)
            {
                if sent == Err(Stopped::Client) {
                    return Poll::Ready(Ok(Err(ExchangeError::Client)));
                }
                // If the peer takes no more, its answer says why.
                self.upload = Upload::Done;
            }
            if !poll_interim(&mut answer, &mut interim, limits.interim, cx) {
                return Poll::Ready(Ok(Err(malformed(Fault::Interim))));
            }
            if let Poll::Ready(answered) = Pin::new(&mut answer).poll(cx) {
                return Poll::Ready(Ok(match answered {
                    Ok(answer) => self.accept(answer, limits),
                    Err(error) => Err(explain(error, self.lease.written() != mark)),
                }));
            }
            give_up(cx).map(Err)
        })
        .await
    }

    pub(super) fn accept(
        &mut self,
        answer: http::Response<RecvStream>,
        limits: HeadLimits,
    ) -> Result<response::Parts, ExchangeError> {
        let (head, body) = answer.into_parts();
        if head.headers.len() > limits.headers {
            return Err(malformed(Fault::Fields));
        }
        let length = head.headers.get(header::CONTENT_LENGTH);
        let left = length
            .and_then(|length| length.to_str().ok())
            .and_then(|length| length.parse().ok());
        self.answer = Some(Answer {
            left: left.filter(|_| !body.is_end_stream()),
            body,
            data_ended: false,
            limits,
        });
        self.detach();
        Ok(head)
    }

    /// Reads the next frame of the response body.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(None);
        };
        let frame = ready!(answer.poll_frame(cx));
        if let (Some(Err(_)), Upload::Detached(_, client)) = (&frame, &self.upload)
            && client.get()
        {
            return Poll::Ready(Some(Err(BodyError::Client)));
        }
        Poll::Ready(frame)
    }

    /// Whether the response body is known to have no further frame.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.answer
            .as_ref()
            .is_none_or(|answer| answer.body.is_end_stream())
    }

    /// What is known of the length of the rest of the response body.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match &self.answer {
            None => SizeHint::with_exact(0),
            Some(answer) if answer.body.is_end_stream() => SizeHint::with_exact(0),
            Some(answer) => answer
                .left
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }

    /// Lets a local task send the rest of the upload, when it goes on after the response head: the
    /// client may read nothing until its upload has ended.
    fn detach(&mut self) {
        if let Upload::Here(mut pump) = std::mem::replace(&mut self.upload, Upload::Done) {
            let client = Rc::new(Cell::new(false));
            let failed = Rc::clone(&client);
            let pumping = std::future::poll_fn(move |cx| {
                let sent = ready!(pump.poll(cx));
                failed.set(sent == Err(Stopped::Client));
                Poll::Ready(())
            });
            self.upload = Upload::Detached(tokio::task::spawn_local(pumping), client);
        }
    }
}

impl Answer {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.data_ended {
            match ready!(self.body.poll_data(cx)) {
                Some(Ok(data)) => {
                    // It is on its way downstream: the peer may send as much again.
                    let released = self.body.flow_control().release_capacity(data.len());
                    if let Err(error) = released {
                        return Poll::Ready(Some(Err(BodyError::Peer(Box::new(error)))));
                    }
                    if let Some(left) = &mut self.left {
                        *left = left.saturating_sub(data.len() as u64);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(self.ended_by(error)),
                None => self.data_ended = true,
            }
        }
        Poll::Ready(match ready!(self.body.poll_trailers(cx)) {
            Ok(trailers) => trailers.map(|trailers| self.checked(trailers)),
            Err(error) => self.ended_by(error),
        })
    }

    fn checked(&self, trailers: HeaderMap) -> Result<Frame<Bytes>, BodyError> {
        let sizes = trailers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len());
        let fault = if trailers.len() > self.limits.headers {
            Fault::Fields
        } else if sizes.sum::<usize>() > self.limits.trailers {
            Fault::TrailersSize
        } else {
            return Ok(Frame::trailers(trailers));
        };
        Err(BodyError::Peer(Box::new(fault)))
    }

    fn ended_by(&self, error: h2::Error) -> Option<Result<Frame<Bytes>, BodyError>> {
        // RFC 9113 §8.1: the answer is whole, and the rest of the upload is not wanted. h2 does not
        // tell whether END_STREAM came before, so without a length the peer is believed.
        let whole = self.left.is_none_or(|left| left == 0);
        if error.reason() == Some(Reason::NO_ERROR) && whole {
            return None;
        }
        Some(Err(BodyError::Peer(Box::new(error))))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Upload::Detached(task, _) = &self.upload {
            task.abort();
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

/// Skips interim responses; false if there are more than `most`.
pub(super) fn poll_interim(
    answer: &mut ResponseFuture,
    seen: &mut u32,
    most: u32,
    cx: &mut Context<'_>,
) -> bool {
    while let Poll::Ready(Some(Ok(_))) = answer.poll_informational(cx) {
        *seen += 1;
        if *seen > most {
            return false;
        }
    }
    true
}

pub(super) fn malformed(fault: Fault) -> ExchangeError {
    ExchangeError::Peer {
        cause: Cause::Malformed,
        unsent: false,
        source: Some(Box::new(fault)),
    }
}

/// The request cannot be said in HTTP/2: its `Host` is no authority.
pub(super) fn unsaid() -> ExchangeError {
    ExchangeError::Peer {
        cause: Cause::Malformed,
        unsent: true,
        source: None,
    }
}
