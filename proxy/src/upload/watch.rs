//! How the connection and the reader of a body see each other.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// Where the connection sees how a body is coming, and says that it takes too long.
#[derive(Debug, Default)]
pub(crate) struct UploadWatch {
    coming: AtomicBool,
    /// The client's next bytes are waited for. Time in which a slow peer holds the body up is not
    /// the client's.
    awaited: AtomicBool,
    /// Bytes of the present body.
    bytes: AtomicU64,
    /// Bodies begun.
    bodies: AtomicU32,
    late: AtomicBool,
    /// It is a stream of messages, and comes when there is something to say.
    dawdles: AtomicBool,
    /// Who reads the body: the connection's task, or one that outlives the response head.
    waker: Mutex<Option<Waker>>,
}

impl UploadWatch {
    /// Whether a body is coming.
    pub(crate) fn is_coming(&self) -> bool {
        self.coming.load(Ordering::Relaxed)
    }

    /// It may come as slowly as it likes.
    pub(crate) fn may_dawdle(&self) {
        self.dawdles.store(true, Ordering::Relaxed);
    }

    /// Whether it may come as slowly as it likes.
    pub(crate) fn dawdles(&self) -> bool {
        self.dawdles.load(Ordering::Relaxed)
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

    pub(super) fn waits(&self, waker: &Waker) {
        let mut waits = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !waits.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *waits = Some(waker.clone());
        }
    }

    /// Whether it was given up.
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }

    /// Whether the client's next bytes are waited for.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed)
    }

    /// The number of the present body, and how many bytes of it have come.
    pub(crate) fn progress(&self) -> (u32, u64) {
        let bodies = self.bodies.load(Ordering::Relaxed);
        (bodies, self.bytes.load(Ordering::Relaxed))
    }

    // One thread writes, so loads and stores do, without a locked instruction.
    pub(super) fn begin(&self) {
        let bodies = self.bodies.load(Ordering::Relaxed).wrapping_add(1);
        self.bodies.store(bodies, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.awaited.store(false, Ordering::Relaxed);
        self.coming.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.coming.store(false, Ordering::Relaxed);
    }

    /// The body was asked for more; `came` says how many bytes there were, if any.
    pub(super) fn asked(&self, came: Option<usize>) {
        self.awaited.store(came.is_none(), Ordering::Relaxed);
        if let Some(came) = came {
            let bytes = self.bytes.load(Ordering::Relaxed).wrapping_add(came as u64);
            self.bytes.store(bytes, Ordering::Relaxed);
        }
    }
}
