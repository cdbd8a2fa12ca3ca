//! How the connection and the reader of a body see each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

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

    pub(super) fn coming(&self, coming: bool) {
        self.coming.store(coming, Ordering::Relaxed);
    }
}
