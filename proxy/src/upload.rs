//! A request body that can be sent more than once: read lazily, kept up to a cap.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

/// The body of one downstream request, shared between the attempts that send it.
///
/// It is read only while an attempt polls it, so nothing of it is taken from the client before a
/// connection is ready, and a connect failover works whatever its size. What was read is kept
/// until it outgrows the caps; then it streams on, once (never 413).
#[derive(Clone)]
pub(crate) struct Upload(Option<Rc<RefCell<State>>>);

struct State {
    source: Source,
    /// What was read, while it may be sent again.
    kept: Vec<Bytes>,
    kept_bytes: usize,
    /// Read to look at it, and too much to keep: the next attempt sends it after what was kept.
    spilled: Option<Bytes>,
    /// Bytes taken from the client.
    read: u64,
    trailers: Option<HeaderMap>,
    replayable: bool,
    ended: bool,
    failed: Option<Failure>,
    /// Bytes that may come, in all.
    most: Option<u64>,
    limit: usize,
    total: Arc<ReplayTotal>,
    watch: Arc<UploadWatch>,
}

/// Why no more of a body is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Failure {
    /// The client did not send it, or not in time.
    Client,
    /// It is longer than it may be.
    Over,
}

/// Where the connection sees that a body is coming, and says that it takes too long.
#[derive(Debug, Default)]
pub(crate) struct UploadWatch {
    coming: AtomicBool,
    late: AtomicBool,
    /// Who reads the body: the connection's task, or one that outlives the response head.
    waker: Mutex<Option<Waker>>,
}

impl UploadWatch {
    /// Whether a body is coming.
    pub(crate) fn is_coming(&self) -> bool {
        self.coming.load(Ordering::Relaxed)
    }

    /// It takes too long: reading it fails from now on.
    pub(crate) fn give_up(&self) {
        self.late.store(true, Ordering::Relaxed);
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn waits(&self, waker: &Waker) {
        let mut waits = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !waits.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *waits = Some(waker.clone());
        }
    }

    /// Whether it was given up.
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }

    fn coming(&self, coming: bool) {
        self.coming.store(coming, Ordering::Relaxed);
    }
}

enum Source {
    /// hyper's server side.
    Client(Incoming),
    /// Nothing more to read.
    Done,
}

/// Bytes kept for another attempt by the whole process.
#[derive(Debug, Default)]
pub(crate) struct ReplayTotal {
    used: AtomicUsize,
    limit: usize,
}

impl ReplayTotal {
    /// A counter that allows `limit` bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit,
        })
    }

    fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.limit {
            return true;
        }
        self.give(bytes);
        false
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Upload {
    /// No body.
    pub(crate) const EMPTY: Self = Self(None);

    /// The body `incoming`, of which at most `limit` bytes are kept, and `total` in all.
    pub(crate) fn new(
        incoming: Incoming,
        limit: usize,
        total: &Arc<ReplayTotal>,
        watch: &Arc<UploadWatch>,
    ) -> Self {
        if incoming.is_end_stream() {
            return Self::EMPTY;
        }
        watch.coming(true);
        Self(Some(Rc::new(RefCell::new(State {
            source: Source::Client(incoming),
            kept: Vec::new(),
            kept_bytes: 0,
            spilled: None,
            read: 0,
            trailers: None,
            replayable: true,
            ended: false,
            failed: None,
            most: None,
            limit,
            total: Arc::clone(total),
            watch: Arc::clone(watch),
        }))))
    }

    /// A body that is there already.
    pub(crate) fn full(body: Bytes) -> Self {
        if body.is_empty() {
            return Self::EMPTY;
        }
        Self(Some(Rc::new(RefCell::new(State {
            source: Source::Done,
            kept_bytes: body.len(),
            spilled: None,
            read: body.len() as u64,
            kept: vec![body],
            trailers: None,
            replayable: true,
            ended: true,
            failed: None,
            most: None,
            limit: 0,
            // Not the proxy's to count: whoever made it has it in memory already.
            total: Arc::default(),
            watch: Arc::default(),
        }))))
    }

    /// Whether an attempt could send it from its first byte.
    pub(crate) fn is_replayable(&self) -> bool {
        self.0.as_ref().is_none_or(|state| {
            let state = state.borrow();
            // What was read over the cap is still here until an attempt takes it.
            let complete = state.replayable || state.spilled.is_some();
            complete && state.failed.is_none()
        })
    }

    /// Whether all of it was read from the client.
    pub(crate) fn is_ended(&self) -> bool {
        self.0.as_ref().is_none_or(|state| state.borrow().ended)
    }

    /// Whether the client took too long over it.
    pub(crate) fn is_late(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|state| state.borrow().watch.is_late())
    }

    /// Refuses more than `most` bytes from now on, and at once if the client has announced more.
    pub(crate) fn bound(&self, most: u64) {
        let Some(state) = &self.0 else { return };
        let mut state = state.borrow_mut();
        state.most = Some(most);
        let announced = match &state.source {
            Source::Client(incoming) => incoming.size_hint().lower(),
            Source::Done => 0,
        };
        if state.read.saturating_add(announced) > most {
            state.failed = Some(Failure::Over);
        }
    }

    /// Whether it was longer than it may be.
    pub(crate) fn is_over(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|state| state.borrow().failed == Some(Failure::Over))
    }

    /// Whether there is one at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes taken from the client so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.0.as_ref().map_or(0, |state| state.borrow().read)
    }

    /// What was read, if it is whole and was kept.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        let Some(state) = &self.0 else {
            return Some(Bytes::new());
        };
        let state = state.borrow();
        if !state.ended || !state.replayable {
            return None;
        }
        Some(match &state.kept[..] {
            [one] => one.clone(),
            many => many.concat().into(),
        })
    }

    /// Reads it to its end, unless it is longer than `limit`.
    ///
    /// What was read is replayed to the attempts, whatever the result; the cap on what is kept is
    /// raised to `limit` for it.
    ///
    /// # Errors
    /// `TooLong`, with the body still usable; `Failed`, when the client did not send it; `Refused`,
    /// when it is longer than it may be.
    pub(crate) async fn read_whole(&self, limit: usize) -> Result<Bytes, ReadError> {
        let Some(state) = &self.0 else {
            return Ok(Bytes::new());
        };
        {
            let mut state = state.borrow_mut();
            state.limit = state.limit.max(limit);
            if !state.replayable {
                // It was too long before; reading on would lose what was read.
                return Err(ReadError::TooLong);
            }
        }
        loop {
            let step = std::future::poll_fn(|cx| state.borrow_mut().poll_more(cx)).await;
            let mut state = state.borrow_mut();
            let over = !state.replayable || state.kept_bytes > limit;
            match step {
                Some(Err(_)) if state.failed == Some(Failure::Over) => {
                    return Err(ReadError::Refused);
                }
                Some(Err(_)) => return Err(ReadError::Failed),
                Some(Ok(frame)) if !state.replayable => {
                    state.spilled = frame.into_data().ok();
                    return Err(ReadError::TooLong);
                }
                _ if over => return Err(ReadError::TooLong),
                Some(Ok(_)) => {}
                None => {
                    drop(state);
                    return self.whole().ok_or(ReadError::TooLong);
                }
            }
        }
    }

    /// The body for one attempt, from its first byte.
    pub(crate) fn body(&self) -> UploadBody {
        UploadBody {
            upload: self.clone(),
            next: 0,
            trailers_sent: false,
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("empty", &self.is_empty())
            .field("read", &self.bytes_read())
            .field("ended", &self.is_ended())
            .field("replayable", &self.is_replayable())
            .finish()
    }
}

/// Why a body could not be read whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadError {
    /// The client did not send it.
    Failed,
    /// It is longer than the body of this request may be; see
    /// [`Session::bound_body`](crate::session::Session::bound_body).
    Refused,
    /// It is longer than was to be read.
    TooLong,
}

impl State {
    /// Reads one more piece from the client; what comes is kept if it may be.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        if self.watch.is_late() {
            self.failed.get_or_insert(Failure::Client);
        }
        self.watch.waits(cx.waker());
        if self.failed.is_some() {
            return Poll::Ready(Some(Err(UploadError)));
        }
        let Source::Client(incoming) = &mut self.source else {
            return Poll::Ready(None);
        };
        let Some(next) = ready!(Pin::new(&mut *incoming).poll_frame(cx)) else {
            self.end();
            return Poll::Ready(None);
        };
        let Ok(frame) = next else {
            self.failed = Some(Failure::Client);
            return Poll::Ready(Some(Err(UploadError)));
        };
        let last = incoming.is_end_stream();
        if let Some(data) = frame.data_ref() {
            self.read += data.len() as u64;
            if self.most.is_some_and(|most| self.read > most) {
                self.failed = Some(Failure::Over);
                return Poll::Ready(Some(Err(UploadError)));
            }
            self.keep(data);
        } else if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
            // Nothing follows them, and hyper's client does not ask again.
            self.end();
        }
        if last {
            self.end();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn keep(&mut self, data: &Bytes) {
        if !self.replayable {
            return;
        }
        // A piece costs more than its bytes: a body in tiny chunks must not get round the caps.
        let cost = data.len() + size_of::<Bytes>();
        let pieces = (self.kept.len() + 1) * size_of::<Bytes>();
        let fits = self.kept_bytes + data.len() <= self.limit && pieces <= self.limit.max(PIECES);
        if fits && self.total.take(cost) {
            self.kept_bytes += data.len();
            self.kept.push(data.clone());
        } else {
            // Over a cap: the body is still sent, but once.
            self.replayable = false;
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.source = Source::Done;
        self.watch.coming(false);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.total
            .give(self.kept_bytes + self.kept.len() * size_of::<Bytes>());
        self.watch.coming(false);
    }
}

/// The body of one attempt: what was kept, then what still comes.
#[derive(Debug)]
pub(crate) struct UploadBody {
    upload: Upload,
    next: usize,
    trailers_sent: bool,
}

/// The client did not send its whole body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadError;

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client did not send its whole body")
    }
}

impl std::error::Error for UploadError {}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = &mut *self;
        let Some(state) = &this.upload.0 else {
            return Poll::Ready(None);
        };
        let mut state = state.borrow_mut();
        if let Some(kept) = state.kept.get(this.next) {
            this.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(kept.clone()))));
        }
        if let Some(spilled) = state.spilled.take() {
            return Poll::Ready(Some(Ok(Frame::data(spilled))));
        }
        if state.ended {
            if this.trailers_sent {
                return Poll::Ready(None);
            }
            this.trailers_sent = true;
            return Poll::Ready(
                state
                    .trailers
                    .clone()
                    .map(|trailers| Ok(Frame::trailers(trailers))),
            );
        }
        let next = ready!(state.poll_more(cx));
        this.next = state.kept.len();
        if let Some(Ok(frame)) = &next {
            this.trailers_sent |= frame.is_trailers();
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        let Some(state) = &self.upload.0 else {
            return true;
        };
        let state = state.borrow();
        let trailers = state.trailers.is_some() && !self.trailers_sent;
        state.ended && self.next >= state.kept.len() && state.spilled.is_none() && !trailers
    }

    fn size_hint(&self) -> SizeHint {
        let Some(state) = &self.upload.0 else {
            return SizeHint::with_exact(0);
        };
        let state = state.borrow();
        let kept = state.kept.iter().skip(self.next).chain(&state.spilled);
        let kept: usize = kept.map(Bytes::len).sum();
        match &state.source {
            Source::Done => SizeHint::with_exact(kept as u64),
            Source::Client(incoming) => match incoming.size_hint().exact() {
                Some(rest) => SizeHint::with_exact(rest + kept as u64),
                None => SizeHint::default(),
            },
        }
    }
}

/// Pieces of a small body are kept up to this overhead, whatever its cap.
const PIECES: usize = 8 * 1024;
