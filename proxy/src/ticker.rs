//! Deadlines of a second and more, by one coarse tick per thread.
//!
//! A tokio timer per request costs 6 % of its instructions; looking at all deadlines ten times a
//! second costs next to nothing. The tick sleeps when nothing is watched.

use crate::drain::{Drain, Step};
use lb::{PeerIndex, Time};
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;

/// How often deadlines are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The deadlines of one thread.
pub(crate) struct Ticker {
    /// The server's own.
    drain: Arc<Drain>,
    entries: RefCell<Slab<Entry>>,
    waiting: Notify,
    asleep: Cell<bool>,
}

struct Entry {
    deadline: Option<Time>,
    /// The peer whose loss also rings, and its losses when the wait began.
    peer: Option<(Arc<lb::Group>, PeerIndex, u32)>,
    /// The drain of the peer, and the step of it, or of the server's, that rings.
    leaving: Option<(Arc<Drain>, Step)>,
    rung: Option<Ring>,
    waker: Option<Waker>,
}

/// Why an alarm rang.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ring {
    /// The peer, or the server, leaves, and the time for this is over.
    Left,
    /// The watched peer turned unhealthy, or its breaker opened.
    Lost,
    /// The deadline passed.
    Time,
}

impl Ticker {
    /// A ticker without deadlines; [`Ticker::run`] drives it.
    pub(crate) fn new(drain: Arc<Drain>) -> Rc<Self> {
        Rc::new(Self {
            drain,
            entries: RefCell::default(),
            waiting: Notify::new(),
            asleep: Cell::new(true),
        })
    }

    /// Watches the deadlines; never ends.
    pub(crate) async fn run(&self, now: impl Fn() -> Time) {
        loop {
            if self.entries.borrow().is_empty() {
                self.asleep.set(true);
                self.waiting.notified().await;
            }
            tokio::time::sleep(TICK).await;
            self.tick(now());
        }
    }

    /// Rings what is due.
    fn tick(&self, now: Time) {
        // A woken task is only queued, it does not run in here; but a waker may drop a task, and
        // with it an alarm, so none is called while the entries are borrowed.
        let mut due = Vec::new();
        for (_, entry) in &mut *self.entries.borrow_mut() {
            if entry.rung.is_some() {
                continue;
            }
            if entry.deadline.is_some_and(|deadline| deadline <= now) {
                entry.rung = Some(Ring::Time);
            } else if let Some((group, peer, losses)) = &entry.peer
                && group.losses(*peer) != *losses
            {
                entry.rung = Some(Ring::Lost);
            } else if let Some((drain, step)) = &entry.leaving
                && drain.step().max(self.drain.step()) >= *step
            {
                entry.rung = Some(Ring::Left);
            }
            if entry.rung.is_some() {
                due.extend(entry.waker.take());
            }
        }
        for waker in due {
            waker.wake();
        }
    }

    /// An alarm for `deadline`.
    pub(crate) fn alarm(self: &Rc<Self>, deadline: Option<Time>) -> Alarm {
        self.insert(deadline, None)
    }

    /// An alarm for `deadline` that also rings when `peer` is lost.
    pub(crate) fn alarm_or_loss(
        self: &Rc<Self>,
        deadline: Option<Time>,
        group: &Arc<lb::Group>,
        peer: PeerIndex,
    ) -> Alarm {
        let losses = group.losses(peer);
        self.insert(deadline, Some((Arc::clone(group), peer, losses)))
    }

    fn insert(
        self: &Rc<Self>,
        deadline: Option<Time>,
        peer: Option<(Arc<lb::Group>, PeerIndex, u32)>,
    ) -> Alarm {
        let entry = Entry {
            deadline,
            peer,
            leaving: None,
            rung: None,
            waker: None,
        };
        let key = self.entries.borrow_mut().insert(entry);
        if self.asleep.replace(false) {
            self.waiting.notify_one();
        }
        Alarm {
            ticker: Rc::clone(self),
            key,
        }
    }
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker")
            .field("alarms", &self.entries.borrow().len())
            .finish_non_exhaustive()
    }
}

/// One deadline; dropping it takes it off.
#[derive(Debug)]
pub(crate) struct Alarm {
    ticker: Rc<Ticker>,
    key: usize,
}

impl Alarm {
    /// Ready once it rang; stays so until it is set again.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Ring> {
        let mut entries = self.ticker.entries.borrow_mut();
        let Some(entry) = entries.get_mut(self.key) else {
            return Poll::Pending;
        };
        if let Some(ring) = entry.rung {
            return Poll::Ready(ring);
        }
        if entry
            .waker
            .as_ref()
            .is_none_or(|waker| !waker.will_wake(cx.waker()))
        {
            let old = entry.waker.replace(cx.waker().clone());
            drop(entries);
            drop(old);
        }
        Poll::Pending
    }

    /// Rings also when the peer's drain, or the server's, has come to a step.
    pub(crate) fn until(&self, drain: &Arc<Drain>, step: Step) {
        if let Some(entry) = self.ticker.entries.borrow_mut().get_mut(self.key) {
            entry.leaving = Some((Arc::clone(drain), step));
            if entry.rung == Some(Ring::Left) {
                entry.rung = None;
            }
        }
    }

    /// Rings also when the peer is lost from now on.
    pub(crate) fn watch(&self, group: &Arc<lb::Group>, peer: PeerIndex) {
        let losses = group.losses(peer);
        if let Some(entry) = self.ticker.entries.borrow_mut().get_mut(self.key) {
            entry.peer = Some((Arc::clone(group), peer, losses));
        }
    }

    /// The loss of the peer rings no more; if it rang, that is forgotten.
    pub(crate) fn stay(&self) {
        if let Some(entry) = self.ticker.entries.borrow_mut().get_mut(self.key) {
            entry.peer = None;
            if entry.rung == Some(Ring::Lost) {
                entry.rung = None;
            }
        }
    }

    /// Sets it to another deadline; what rang is forgotten.
    pub(crate) fn set(&self, deadline: Option<Time>) {
        if let Some(entry) = self.ticker.entries.borrow_mut().get_mut(self.key) {
            entry.deadline = deadline;
            entry.rung = None;
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // The waker inside may drop a task and its alarms: first the borrow ends, then it goes.
        let entry = self.ticker.entries.borrow_mut().try_remove(self.key);
        drop(entry);
    }
}
