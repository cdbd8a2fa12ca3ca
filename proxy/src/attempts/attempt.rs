//! One try of one request against one peer, up to the head of its response.

use crate::drain::Step;
use crate::error::{AttemptError, Phase};
use crate::hooks::{Hooks, Target};
use crate::network::Network;
use crate::thread::Thread;
use crate::ticker::{Alarm, Ring};
use crate::upload::Upload;
use crate::upstream::{Connection, ExchangeError, UpstreamHead, exceeded};
use http::response;
use lb::{Cause, Failure, PeerIndex, Received, Sent, Time};
use std::error::Error;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A response head, and the connection that the rest comes on.
#[derive(Debug)]
pub(crate) struct Answer<N: Network> {
    pub(crate) head: response::Parts,
    pub(crate) connection: Connection<N::Stream>,
}

/// Why there is no response head.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The client did not send its body.
    Client,
    /// Our own resources are exhausted.
    Exhausted(io::Error),
    /// The peer speaks HTTP/2, and makes no tunnels of its streams.
    NoTunnel,
    /// The peer, or the connection to it.
    Peer(AttemptError),
    /// The request has run longer than it may.
    Total(Sent),
}

/// What one attempt is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// When the whole request must have ended.
    pub(crate) total: Option<Time>,
    /// How long this attempt may take up to the head.
    pub(crate) per_try: Option<Duration>,
    /// The request may run elsewhere, so it need not wait for a peer that is lost.
    pub(crate) movable: bool,
    /// Only a new connection will do.
    pub(crate) fresh: bool,
    /// The connection is to become a tunnel, so it can only be one of its own.
    pub(crate) tunnel: bool,
}

/// Sends the request and waits for the head of its response.
pub(crate) async fn send<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    target: &Target,
    (peer, began): (PeerIndex, Time),
    mut connection: Connection<N::Stream>,
    head: &UpstreamHead<'_>,
    upload: &Upload,
    bounds: Bounds,
) -> Result<Answer<N>, Failed> {
    let mut patience = Patience::new(thread, target, (peer, began), upload, bounds);
    let before = connection.bytes();
    let reused = connection.is_reused();
    let limits = thread.head_limits();
    let exchange = connection
        .exchange(head, upload.body(), limits, |cx| patience.poll(cx))
        .await;
    let bytes = connection.bytes();
    let sent = match bytes.0 - before.0 {
        0 => Sent::Nothing,
        _ if upload.is_ended() => Sent::Full,
        _ => Sent::Partial,
    };
    let received = if bytes.1 == before.1 {
        Received::Nothing
    } else {
        Received::Partial
    };
    let phase = if upload.is_ended() {
        Phase::Head
    } else {
        Phase::Send
    };
    let failed = |cause, sent, source: Option<Box<dyn Error + Send + Sync>>| {
        Failed::Peer(AttemptError {
            phase,
            failure: Failure {
                cause,
                sent,
                received,
                reused,
            },
            peer,
            source: source.map(Arc::from),
        })
    };
    match exchange {
        Ok(Ok(head)) => {
            if !upload.is_ended() {
                connection.detach();
            }
            Ok(Answer { head, connection })
        }
        Ok(Err(ExchangeError::Client)) => Err(Failed::Client),
        Ok(Err(ExchangeError::NoTunnel)) => Err(Failed::NoTunnel),
        Ok(Err(ExchangeError::Peer {
            cause,
            unsent,
            source,
        })) => {
            count(thread, source.as_deref());
            let sent = if unsent { Sent::Nothing } else { sent };
            Err(failed(cause, sent, source))
        }
        Err(GaveUp::Late) => Err(failed(Cause::HeadTimeout, sent, None)),
        Err(GaveUp::Lost) => Err(failed(Cause::Lost, sent, None)),
        Err(GaveUp::Total) => Err(Failed::Total(sent)),
    }
}

/// Counts the limit of ours that a response has exceeded, if it did.
fn count<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    error: Option<&(dyn Error + Send + Sync + 'static)>,
) {
    let limits = &thread.shared.metrics.limits;
    if let Some(counter) = error.and_then(|error| exceeded(error, limits)) {
        counter.increment();
    }
}

/// Why the wait for a head ended.
enum GaveUp {
    Late,
    Lost,
    Total,
}

/// How long an attempt waits for a head.
struct Patience<'a, N: Network, H: Hooks> {
    thread: &'a Thread<N, H>,
    upload: &'a Upload,
    alarm: Alarm,
    per_try: Option<PerTry>,
    first_byte: Option<Duration>,
    total: Option<Time>,
    /// The upload had ended when the alarm was set.
    uploaded: bool,
}

impl<'a, N: Network, H: Hooks> Patience<'a, N, H> {
    fn new(
        thread: &'a Thread<N, H>,
        target: &'a Target,
        (peer, began): (PeerIndex, Time),
        upload: &'a Upload,
        bounds: Bounds,
    ) -> Self {
        let first_byte = target.timeouts.first_byte;
        let first = first_byte.map(|first_byte| began + first_byte);
        let deadline = first.into_iter().chain(bounds.total).min();
        let alarm = if bounds.movable {
            let lb = &target.group.lb;
            thread.ticker.alarm_or_loss(deadline, lb, peer)
        } else {
            thread.ticker.alarm(deadline)
        };
        alarm.until(&target.group.peer(peer).drain, Step::RequestsOver);
        // The time spent on the connection counts.
        let per_try = bounds.per_try.map(|per_try| {
            let spent = thread.clock.now().since(began);
            let now = Instant::now();
            PerTry {
                limit: per_try,
                since: now.checked_sub(spent).unwrap_or(now),
                sleep: Box::pin(tokio::time::sleep(per_try.saturating_sub(spent))),
                awaited: false,
            }
        });
        let uploaded = upload.is_ended();
        Self {
            thread,
            upload,
            alarm,
            per_try,
            first_byte,
            total: bounds.total,
            uploaded,
        }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<GaveUp> {
        if self.poll_per_try(cx).is_ready() {
            return Poll::Ready(GaveUp::Late);
        }
        loop {
            match self.alarm.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ring::Left) => return Poll::Ready(GaveUp::Lost),
                Poll::Ready(Ring::Lost) if self.upload.is_replayable() => {
                    return Poll::Ready(GaveUp::Lost);
                }
                // It cannot run elsewhere any more: here it may still be answered.
                Poll::Ready(Ring::Lost) => {
                    self.alarm.stay();
                    continue;
                }
                Poll::Ready(Ring::Time) => {}
            }
            let now = self.thread.clock.now();
            if self.total.is_some_and(|total| total <= now) {
                return Poll::Ready(GaveUp::Total);
            }
            if self.uploaded {
                return Poll::Ready(GaveUp::Late);
            }
            // The time to the first byte runs from the end of the upload, which has its own
            // limits: it was still going on, or has ended since.
            self.uploaded = self.upload.is_ended();
            let next = self.first_byte.map(|first_byte| now + first_byte);
            self.alarm.set(next.into_iter().chain(self.total).min());
        }
    }

    /// Ready when this attempt has taken longer than one may, and that is the peer's doing.
    fn poll_per_try(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(bound) = &mut self.per_try else {
            return Poll::Pending;
        };
        ready!(bound.poll(cx, self.upload.awaits_client()));
        if self.upload.is_replayable() {
            return Poll::Ready(());
        }
        // Its body has outgrown what is kept of it, so this has become the last attempt, which
        // gets all the time there is.
        self.per_try = None;
        Poll::Pending
    }
}

/// The bound of one attempt.
struct PerTry {
    limit: Duration,
    /// When the attempt began, or its client was last waited for: a client that dawdles over its
    /// body says nothing of the peer, and has limits of its own.
    since: Instant,
    sleep: Pin<Box<Sleep>>,
    awaited: bool,
}

impl PerTry {
    fn poll(&mut self, cx: &Context<'_>, awaited: bool) -> Poll<()> {
        if std::mem::replace(&mut self.awaited, awaited) || awaited {
            self.since = Instant::now();
        }
        let mut cx = Context::from_waker(cx.waker());
        loop {
            ready!(self.sleep.as_mut().poll(&mut cx));
            let until = self.since + self.limit;
            if until <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(until);
        }
    }
}
