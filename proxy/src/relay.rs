//! A peer's response body, relayed unbuffered: what comes in goes out, or nothing does.

use crate::attempts::{Committed, go_on};
use crate::body::Cut;
use crate::grpc;
use crate::hooks::{Hooks, Reply, Stop, Transform, Word};
use crate::keep::keep;
use crate::network::Network;
use crate::pace::{BodyKind, COMMENT, Dawdle, Pace, PaceBounds};
use crate::thread::Thread;
use crate::trailers;
use crate::transaction::Transaction;
use crate::upstream::{BodyError, Connection, exceeded};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use lb::Pick;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// A peer's response body on its way downstream.
///
/// Dropping it early drops the connection to the peer, which tells the peer that nobody reads.
pub(crate) struct Relay<N: Network, H: Hooks> {
    thread: Rc<Thread<N, H>>,
    /// None while the response is being found elsewhere.
    transaction: Option<Transaction<H>>,
    source: Source<N, H>,
    /// What was read to look at it.
    prefix: Option<Bytes>,
    transform: Option<Box<dyn Transform>>,
    pace: Pace,
    kind: BodyKind,
}

/// Where the next piece comes from.
enum Source<N: Network, H: Hooks> {
    Peer {
        connection: Connection<N::Stream>,
        pick: Pick,
    },
    /// Another peer's response is to go on where one stopped.
    Elsewhere(Search<N, H>),
    /// The response has ended, or was cut.
    Ended,
}

type Search<N, H> = Pin<Box<dyn Future<Output = (Transaction<H>, Found<N>)>>>;

/// Another peer's answer, or a last word of the proxy's own.
type Found<N> = Option<Result<Committed<N>, Reply>>;

impl<N: Network, H: Hooks> Relay<N, H> {
    pub(crate) fn new(
        thread: &Rc<Thread<N, H>>,
        transaction: Transaction<H>,
        connection: Connection<N::Stream>,
        pick: Pick,
        bounds: PaceBounds,
    ) -> Self {
        let pace = Pace::new(thread, bounds);
        pace.follow(transaction.drain(thread, pick.peer()));
        let source = Source::Peer { connection, pick };
        let thread = Rc::clone(thread);
        Self {
            thread,
            transaction: Some(transaction),
            source,
            prefix: None,
            transform: None,
            pace,
            kind: bounds.kind,
        }
    }

    /// What was read already goes first; everything goes through `transform`.
    pub(crate) fn with(mut self, prefix: Bytes, transform: Option<Box<dyn Transform>>) -> Self {
        self.prefix = (!prefix.is_empty()).then_some(prefix);
        self.transform = transform;
        self.watch();
        self
    }

    /// A stream that may go on elsewhere does so when its peer is declared lost.
    fn watch(&self) {
        if let Source::Peer { pick, .. } = &self.source
            && self.transform.is_some()
            && self.is_event_stream()
            && let Some(group) = self.transaction.as_ref().and_then(|one| one.group.as_ref())
        {
            self.pace.watch(&group.lb, pick.peer());
        }
    }

    /// Whether it may go on for hours: an event stream, or a call of gRPC.
    pub(crate) fn may_last(&self) -> bool {
        !matches!(self.kind, BodyKind::Plain)
    }

    fn is_event_stream(&self) -> bool {
        matches!(self.kind, BodyKind::Events(_))
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Ended) && self.prefix.is_none()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        if self.transform.is_some() {
            return SizeHint::default();
        }
        let prefix = self.prefix.as_ref().map_or(0, Bytes::len) as u64;
        let rest = match &self.source {
            Source::Peer { connection, .. } => connection.size_hint().exact(),
            Source::Elsewhere(_) => None,
            Source::Ended => Some(0),
        };
        match rest {
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
        let polled = match &mut self.source {
            Source::Peer { connection, .. } => connection.poll_frame(cx),
            Source::Elsewhere(search) => match search.as_mut().poll(cx) {
                Poll::Ready((transaction, found)) => {
                    self.transaction = Some(transaction);
                    return self.found(found, cx);
                }
                Poll::Pending => Poll::Pending,
            },
            Source::Ended => return Poll::Ready(None),
        };
        let Poll::Ready(frame) = polled else {
            return self.poll_silence(cx);
        };
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    let over = self.transform.is_none()
                        && matches!(&self.source, Source::Peer { connection, .. } if connection.is_end_stream());
                    let data = self.out(data);
                    if over {
                        self.end();
                    }
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                // Nothing follows trailers, and hyper's server does not ask again.
                Err(mut frame) => {
                    if let Some(trailers) = frame.trailers_mut() {
                        trailers::strip(trailers);
                        self.ends_as(trailers);
                    }
                    let last = self.last_words();
                    Poll::Ready(Some(last.unwrap_or(Ok(frame))))
                }
            },
            Some(Err(error)) => self.broken(&error, cx),
            None if self.goes_on(Stop::Clean) => {
                self.release();
                self.search(cx)
            }
            None => Poll::Ready(self.last_words()),
        }
    }

    /// A call may say only now that its peer could not serve it.
    fn ends_as(&mut self, trailers: &HeaderMap) {
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let status = transaction.says(trailers);
        if status == Some(grpc::Status::UNAVAILABLE)
            && let Source::Peer { pick, .. } = &self.source
            && let Some(group) = &transaction.group
        {
            let clock = &self.thread.clock;
            group.lb.aborted(pick.peer(), clock.now(), clock.entropy());
        }
    }

    fn goes_on(&self, stop: Stop) -> bool {
        self.is_event_stream()
            && self
                .transform
                .as_ref()
                .is_some_and(|transform| transform.goes_on(stop))
    }

    /// Looks for a response that goes on where this one stopped.
    fn search(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some(transaction) = self.transaction.take() else {
            return Poll::Ready(None);
        };
        let search = Box::pin(go_on(Rc::clone(&self.thread), transaction));
        self.source = Source::Elsewhere(search);
        self.poll_frame(cx)
    }

    /// The search has ended.
    fn found(
        &mut self,
        found: Found<N>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match found {
            Some(Ok(committed)) => {
                let Committed {
                    answer,
                    pick,
                    prefix,
                    transform,
                    ..
                } = committed;
                self.prefix = (!prefix.is_empty()).then_some(prefix);
                self.transform = transform;
                let connection = answer.connection;
                if let Some(transaction) = &self.transaction {
                    self.pace
                        .follow(transaction.drain(&self.thread, pick.peer()));
                }
                self.source = Source::Peer { connection, pick };
                self.watch();
                self.poll_frame(cx)
            }
            Some(Err(reply)) => {
                self.source = Source::Ended;
                self.finished();
                let last = reply.into_body();
                let last = (!last.is_empty()).then(|| Ok(Frame::data(self.passed(last))));
                Poll::Ready(last)
            }
            None => {
                self.source = Source::Ended;
                Poll::Ready(Some(self.cut_short()))
            }
        }
    }

    /// The body has ended; what the transformation adds, if anything.
    fn last_words(&mut self) -> Option<Result<Frame<Bytes>, Cut>> {
        let last = self
            .transform
            .as_mut()
            .and_then(|transform| transform.end());
        self.end();
        Some(Ok(Frame::data(self.passed(last?))))
    }

    /// A piece on its way downstream.
    fn out(&mut self, data: Bytes) -> Bytes {
        let data = match &mut self.transform {
            Some(transform) => transform.data(data),
            None => data,
        };
        self.pace.passed(&data, self.thread.clock.recent());
        self.passed(data)
    }

    /// Counts what goes downstream.
    fn passed(&mut self, data: Bytes) -> Bytes {
        if let Some(transaction) = &mut self.transaction {
            transaction.session.report.response_bytes += data.len() as u64;
        }
        data
    }

    fn finished(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.complete();
        }
    }

    /// The peer's response is whole: the connection may serve another request.
    fn end(&mut self) {
        self.finished();
        self.release();
    }

    /// The connection to the peer may serve another request.
    fn release(&mut self) {
        if let Source::Peer { connection, pick } =
            std::mem::replace(&mut self.source, Source::Ended)
            && let Some(transaction) = &self.transaction
            && let Some(group) = &transaction.group
        {
            keep(&self.thread, group, pick.peer(), connection);
        }
    }

    /// The response stops short, for a reason the codec knows.
    fn broken(
        &mut self,
        error: &BodyError,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let BodyError::Peer(error) = error else {
            // No peer can go on without the rest of the request.
            self.source = Source::Ended;
            return Poll::Ready(Some(self.cut_short()));
        };
        let limits = &self.thread.shared.metrics.limits;
        if let Some(counter) = exceeded(&**error, limits) {
            counter.increment();
        }
        self.cut(cx)
    }

    /// The peer's response stops short.
    fn cut(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Source::Peer { pick, .. } = std::mem::replace(&mut self.source, Source::Ended)
            && let Some(transaction) = &self.transaction
            && let Some(group) = &transaction.group
        {
            let peer = pick.peer();
            group.peer(peer).metrics.attempts.body.increment();
            group.peer(peer).suspect();
            let clock = &self.thread.clock;
            group.lb.aborted(peer, clock.now(), clock.entropy());
        }
        self.stopped(cx)
    }

    /// Nothing more comes from the peer.
    fn stopped(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.goes_on(Stop::Cut) {
            return self.search(cx);
        }
        Poll::Ready(Some(self.cut_short()))
    }

    /// What a client is told of a response that nothing completes.
    fn cut_short(&mut self) -> Result<Frame<Bytes>, Cut> {
        if let Some(transaction) = &mut self.transaction {
            transaction.cut();
        }
        match self
            .transform
            .as_mut()
            .and_then(|transform| transform.cut())
        {
            Some(last) => Ok(Frame::data(last)),
            None if matches!(self.kind, BodyKind::Call) => {
                Ok(self.hung_up(grpc::Status::UNAVAILABLE, "the peer cut its response"))
            }
            None => Err(Cut),
        }
    }

    /// The end of a call that its peer does not end: its client is told why, which a reset of the
    /// stream would not do.
    fn hung_up(&mut self, status: grpc::Status, why: &str) -> Frame<Bytes> {
        let trailers = grpc::trailers(status, why);
        if let Some(transaction) = &mut self.transaction {
            transaction.says(&trailers);
        }
        Frame::trailers(trailers)
    }

    /// The peer, or the server, leaves, and there is no more time. A stream goes on elsewhere, or
    /// ends in order, so that its client resumes it. Nothing of this is held against the peer,
    /// whose connection goes.
    fn leave(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.source = Source::Ended;
        match self.kind {
            BodyKind::Call => {
                let last = self.hung_up(grpc::Status::UNAVAILABLE, "the server is leaving");
                return Poll::Ready(Some(Ok(last)));
            }
            BodyKind::Events(_) => {}
            BodyKind::Plain => return Poll::Ready(Some(Err(Cut))),
        }
        if self.thread.drain.is_serving() && self.goes_on(Stop::Clean) {
            return self.search(cx);
        }
        // In order, but not whole: the report says that it was ended.
        let last = self.transform.as_mut().and_then(|last| last.end());
        Poll::Ready(last.map(|last| Ok(Frame::data(self.passed(last)))))
    }

    /// Nothing has come.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(transform) = &mut self.transform
            && let Poll::Ready(word) = transform.poll_word(cx)
        {
            return match word {
                Word::Say(word) => {
                    self.pace.passed(&word, self.thread.clock.recent());
                    Poll::Ready(Some(Ok(Frame::data(self.passed(word)))))
                }
                // A search under way is the leaving itself.
                Word::Leave if matches!(self.source, Source::Elsewhere(_)) => self.poll_pace(cx),
                Word::Leave => {
                    self.source = Source::Ended;
                    self.stopped(cx)
                }
            };
        }
        self.poll_pace(cx)
    }

    fn poll_pace(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match ready!(self.pace.poll(cx, || self.thread.clock.now())) {
            Dawdle::Left => self.leave(cx),
            Dawdle::Lost => {
                if matches!(self.source, Source::Peer { .. }) && self.goes_on(Stop::Cut) {
                    self.source = Source::Ended;
                    return self.search(cx);
                }
                self.poll_pace(cx)
            }
            Dawdle::Comment => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(COMMENT))))),
            Dawdle::Late if matches!(self.kind, BodyKind::Call) => {
                // The client's patience is over, which says nothing of the peer.
                self.source = Source::Ended;
                let status = grpc::Status::DEADLINE_EXCEEDED;
                let last = self.hung_up(status, "the time that the call had is over");
                Poll::Ready(Some(Ok(last)))
            }
            Dawdle::Late => self.cut(cx),
        }
    }
}
