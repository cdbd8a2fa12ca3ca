//! An upload that goes on after the response head: a local task of its own sends it.
//!
//! The client may read nothing until its upload has ended, and then nobody would poll the
//! request's own task. Both tasks use one stream, whose two directions may share wakers (TLS): it
//! is polled with a waker that wakes both.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Who polls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    Reader,
    Writer,
}

/// Wakes both halves.
#[derive(Debug, Default)]
pub(super) struct Both(Mutex<[Option<Waker>; 2]>);

impl Both {
    /// A waker for the stream, by which `half` is found again.
    pub(super) fn waker(self: &Arc<Self>, half: Half, cx: &Context<'_>) -> Waker {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut wakers[half as usize];
        match slot {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *slot = Some(cx.waker().clone()),
        }
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        let wakers = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }
}

/// The task; dropping this ends it.
#[derive(Debug)]
pub(super) struct Pump {
    pub(super) both: Arc<Both>,
    task: tokio::task::JoinHandle<()>,
}

impl Pump {
    /// Starts a task that polls `send` until it is ready.
    pub(super) fn start(mut send: impl FnMut(&mut Context<'_>) -> Poll<()> + 'static) -> Self {
        let both = Arc::new(Both::default());
        let writer = Arc::clone(&both);
        let task = tokio::task::spawn_local(std::future::poll_fn(move |cx| {
            let waker = writer.waker(Half::Writer, cx);
            send(&mut Context::from_waker(&waker))
        }));
        Self { both, task }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}
