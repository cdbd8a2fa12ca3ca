//! A peer's response body, relayed unbuffered: what comes in goes out, or nothing does.

use crate::attempts::Answer;
use crate::body::Cut;
use crate::hooks::{Hooks, Transform};
use crate::network::Network;
use crate::thread::Thread;
use crate::ticker::Alarm;
use crate::transaction::Transaction;
use crate::upstream::Connection;
use bytes::Bytes;
use http::response;
use http_body::{Frame, SizeHint};
use lb::{Pick, Time};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A peer's response body on its way downstream.
///
/// Dropping it early drops the connection to the peer, which tells the peer that nobody reads.
pub(crate) struct Relay<N: Network, H: Hooks> {
    thread: Rc<Thread<N, H>>,
    transaction: Transaction<H>,
    /// Ended, or cut.
    source: Option<Source<N>>,
    /// What was read to look at it.
    prefix: Option<Bytes>,
    transform: Option<Box<dyn Transform>>,
    pace: Option<Pace>,
    events: bool,
}

struct Source<N: Network> {
    connection: Connection<N::Stream>,
    pick: Pick,
}

/// How a response may dawdle.
pub(crate) struct Pace {
    alarm: Alarm,
    /// Between two pieces: after it an event stream gets a comment, another body is cut.
    idle: Option<Duration>,
    total: Option<Time>,
    last: Time,
    events: Option<Boundary>,
}

/// Whether an event stream stands between two events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Boundary {
    At,
    Within,
}

/// What a body is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyKind {
    /// Events: after so long a silence it gets a comment.
    Events(Option<Duration>),
    /// Anything else.
    Plain,
}

/// The bounds of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaceBounds {
    pub(crate) idle: Option<Duration>,
    pub(crate) total: Option<Time>,
    /// What bounds an event stream.
    pub(crate) kind: BodyKind,
}

impl<N: Network, H: Hooks> Relay<N, H> {
    pub(crate) fn new(
        thread: &Rc<Thread<N, H>>,
        transaction: Transaction<H>,
        connection: Connection<N::Stream>,
        pick: Pick,
        bounds: PaceBounds,
    ) -> Self {
        let source = Some(Source { connection, pick });
        let pace = Pace::new(thread, bounds);
        let events = matches!(bounds.kind, BodyKind::Events(_));
        let thread = Rc::clone(thread);
        Self {
            thread,
            transaction,
            source,
            prefix: None,
            transform: None,
            pace,
            events,
        }
    }

    /// What was read already goes first; everything goes through `transform`.
    pub(crate) fn with(mut self, prefix: Bytes, transform: Option<Box<dyn Transform>>) -> Self {
        self.prefix = (!prefix.is_empty()).then_some(prefix);
        self.transform = transform;
        self
    }

    pub(crate) fn is_event_stream(&self) -> bool {
        self.events
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.source.is_none() && self.prefix.is_none()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        if self.transform.is_some() {
            return SizeHint::default();
        }
        let prefix = self.prefix.as_ref().map_or(0, Bytes::len) as u64;
        let rest = self
            .source
            .as_ref()
            .map(|source| source.connection.size_hint());
        match rest.map_or(Some(0), |hint| hint.exact()) {
            Some(rest) => SizeHint::with_exact(prefix + rest),
            None => SizeHint::default(),
        }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(prefix) = self.prefix.take() {
            return Poll::Ready(Some(Ok(Frame::data(self.out(prefix)))));
        }
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        let polled = source.connection.poll_frame(cx);
        let Poll::Ready(frame) = polled else {
            return self.poll_pace(cx);
        };
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    let over = self.transform.is_none()
                        && self
                            .source
                            .as_ref()
                            .is_some_and(|source| source.connection.is_end_stream());
                    let data = self.out(data);
                    if over {
                        self.end(cx);
                    }
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                // Nothing follows trailers, and hyper's server does not ask again.
                Err(trailers) => {
                    let last = self.last_words(cx);
                    Poll::Ready(Some(last.unwrap_or(Ok(trailers))))
                }
            },
            Some(Err(_)) => Poll::Ready(Some(self.cut())),
            None => Poll::Ready(self.last_words(cx)),
        }
    }

    /// The body has ended; what the transformation adds, if anything.
    fn last_words(&mut self, cx: &mut Context<'_>) -> Option<Result<Frame<Bytes>, Cut>> {
        let last = self
            .transform
            .as_mut()
            .and_then(|transform| transform.end());
        self.end(cx);
        let last = last?;
        self.transaction.session.report.response_bytes += last.len() as u64;
        Some(Ok(Frame::data(last)))
    }

    /// A piece on its way downstream.
    fn out(&mut self, data: Bytes) -> Bytes {
        let data = match &mut self.transform {
            Some(transform) => transform.data(data),
            None => data,
        };
        if let Some(pace) = &mut self.pace {
            pace.passed(&data, self.thread.clock.recent());
        }
        self.transaction.session.report.response_bytes += data.len() as u64;
        data
    }

    /// The peer's response is whole: the connection may serve another request.
    fn end(&mut self, cx: &mut Context<'_>) {
        self.transaction.complete();
        if let Some(source) = self.source.take() {
            keep(
                &self.thread,
                &self.transaction,
                source.connection,
                &source.pick,
                cx,
            );
        }
    }

    /// The peer's response stops short.
    fn cut(&mut self) -> Result<Frame<Bytes>, Cut> {
        if let Some(source) = self.source.take()
            && let Some(group) = &self.transaction.group
        {
            let peer = source.pick.peer();
            group.peer(peer).metrics.attempts.body.increment();
            group.peer(peer).suspect();
            let clock = &self.thread.clock;
            group.lb.aborted(peer, clock.now(), clock.entropy());
        }
        self.transaction.cut();
        match self
            .transform
            .as_mut()
            .and_then(|transform| transform.cut())
        {
            Some(last) => Ok(Frame::data(last)),
            None => Err(Cut),
        }
    }

    fn poll_pace(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some(pace) = &mut self.pace else {
            return Poll::Pending;
        };
        match ready!(pace.poll(cx, || self.thread.clock.now())) {
            Dawdle::Comment => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(COMMENT))))),
            Dawdle::Late => Poll::Ready(Some(self.cut())),
        }
    }
}

/// Puts a connection back into its pool, if another request may follow on it.
fn keep<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    transaction: &Transaction<H>,
    mut connection: Connection<N::Stream>,
    pick: &Pick,
    cx: &mut Context<'_>,
) {
    if let Some(group) = &transaction.group
        && connection.is_idle(cx)
    {
        let settings = &group.settings;
        let number = group.peer(pick.peer()).number;
        let now = thread.clock.recent();
        thread.pools.put(
            number,
            connection,
            now,
            settings.pool_idle,
            settings.pool_size,
        );
    }
}

/// Ends a response without a body: its connection may serve another request at once.
pub(crate) fn finish<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    transaction: &mut Transaction<H>,
    answer: Answer<N>,
    pick: &Pick,
) -> response::Parts {
    transaction.complete();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    keep(thread, transaction, answer.connection, pick, &mut cx);
    answer.head
}

enum Dawdle {
    Comment,
    Late,
}

impl Pace {
    fn new<N: Network, H: Hooks>(thread: &Thread<N, H>, bounds: PaceBounds) -> Option<Self> {
        let (idle, total, events) = match bounds.kind {
            // Event streams are exempt from both; a quiet one gets a comment instead.
            BodyKind::Events(keepalive) => (keepalive, None, Some(Boundary::At)),
            BodyKind::Plain => (bounds.idle, bounds.total, None),
        };
        let now = thread.clock.recent();
        let first = idle.map(|idle| now + idle).into_iter().chain(total).min()?;
        Some(Self {
            alarm: thread.ticker.alarm(Some(first)),
            idle,
            total,
            last: now,
            events,
        })
    }

    /// A piece went by.
    fn passed(&mut self, data: &Bytes, now: Time) {
        self.last = now;
        if let Some(boundary) = &mut self.events {
            let blank: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
            // A piece may end in the middle of a blank line: then the next comment waits.
            let at = blank.iter().any(|end| data.ends_with(end));
            *boundary = if at { Boundary::At } else { Boundary::Within };
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, now: impl Fn() -> Time) -> Poll<Dawdle> {
        loop {
            ready!(self.alarm.poll(cx));
            let now = now();
            let due = self.idle.map(|idle| self.last + idle);
            if self.total.is_some_and(|total| total <= now) {
                return Poll::Ready(Dawdle::Late);
            }
            if due.is_some_and(|due| due <= now) {
                match self.events {
                    None => return Poll::Ready(Dawdle::Late),
                    Some(boundary) => {
                        self.last = now;
                        self.alarm.set(self.idle.map(|idle| now + idle));
                        if boundary == Boundary::At {
                            return Poll::Ready(Dawdle::Comment);
                        }
                        continue;
                    }
                }
            }
            // Pieces went by since the alarm was set.
            self.alarm.set(due.into_iter().chain(self.total).min());
        }
    }
}

/// An event stream comment: clients skip it, and know that the stream lives.
const COMMENT: &[u8] = b":\n\n";
