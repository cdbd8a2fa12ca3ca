//! A request body that can be sent more than once: read lazily, kept up to a cap.

mod body;
mod replay;
mod state;
mod watch;

pub(crate) use body::{UploadBody, UploadError};
pub(crate) use replay::ReplayTotal;
pub(crate) use watch::UploadWatch;

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use state::{Failure, Source, State};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// The body of one downstream request, shared between the attempts that send it.
///
/// It is read only while an attempt polls it, so nothing of it is taken from the client before a
/// connection is ready, and a connect failover works whatever its size. What was read is kept
/// until it outgrows the caps; then it streams on, once (never 413).
#[derive(Clone)]
pub(crate) struct Upload(Option<Rc<RefCell<State>>>);

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
        watch.begin();
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

    /// Whether it is the client's next bytes that are waited for.
    pub(crate) fn awaits_client(&self) -> bool {
        self.0.as_ref().is_some_and(|state| {
            let state = state.borrow();
            !state.ended && state.watch.is_awaited()
        })
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
