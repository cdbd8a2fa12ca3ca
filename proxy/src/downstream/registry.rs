//! The client connections of one thread, and the judgement over them.
//!
//! Ten times a second every connection is looked at and compared with the look before, so that
//! limits cost a request a few plain stores and no timer.

use super::activity::{Activity, Doing, Verdict};
use crate::metrics::{Counter, LimitMetrics};
use crate::settings::Limits;
use crate::upload::UploadWatch;
use lb::Time;
use slab::Slab;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// The client connections of one thread.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: RefCell<Slab<Entry>>,
}

#[derive(Debug)]
struct Entry {
    activity: Arc<Activity>,
    upload: Arc<UploadWatch>,
    waker: Option<Waker>,
    look: Look,
}

/// What the last look saw.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Time,
    doing: Doing,
    requests: u32,
    bytes_read: u64,
    writes: u32,
    /// Since when it does this.
    since: Time,
    /// When bytes last moved, either way.
    moved: Time,
    /// When the client last read: what it sends meanwhile says nothing of that.
    wrote: Time,
    /// Bytes read since it does this.
    bytes: u64,
    /// How long the client's bytes were waited for since it does this. Time in which a slow peer
    /// held the body up is not the client's.
    waited: Duration,
}

impl Registry {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self::default())
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Watches a connection.
    pub(super) fn enter(
        self: &Rc<Self>,
        activity: &Arc<Activity>,
        upload: &Arc<UploadWatch>,
        now: Time,
    ) -> Registered {
        let look = Look {
            at: now,
            doing: activity.doing(),
            requests: 0,
            bytes_read: 0,
            writes: 0,
            since: now,
            moved: now,
            wrote: now,
            bytes: 0,
            waited: Duration::ZERO,
        };
        let entry = Entry {
            activity: Arc::clone(activity),
            upload: Arc::clone(upload),
            waker: None,
            look,
        };
        let key = self.entries.borrow_mut().insert(entry);
        Registered {
            registry: Rc::clone(self),
            key,
        }
    }

    /// Looks at every connection, and closes those over a limit.
    pub(crate) fn look(&self, limits: &Limits, metrics: &LimitMetrics, now: Time) {
        self.decide(|entry| {
            let (counter, verdict) = entry.judge(limits, metrics, now)?;
            counter.increment();
            Some(verdict)
        });
    }

    /// Tells every connection to finish what is in flight, then to close.
    pub(crate) fn drain(&self) {
        self.decide(|_| Some(Verdict::Drain));
    }

    /// Closes every connection, or all but those that carry an event stream.
    pub(crate) fn close(&self, streams: bool) {
        self.decide(|entry| (streams || !entry.activity.is_streaming()).then_some(Verdict::Close));
    }

    fn decide(&self, mut verdict: impl FnMut(&mut Entry) -> Option<Verdict>) {
        let mut woken = Vec::new();
        for (_, entry) in &mut *self.entries.borrow_mut() {
            if let Some(verdict) = verdict(entry) {
                entry.activity.decide(verdict);
                woken.extend(entry.waker.take());
            }
        }
        // Waking may drop a task and its entry: only after the borrow.
        for waker in woken {
            waker.wake();
        }
    }
}

impl Entry {
    /// The limit that bites, if one does.
    fn judge<'a>(
        &mut self,
        limits: &Limits,
        metrics: &'a LimitMetrics,
        now: Time,
    ) -> Option<(&'a Counter, Verdict)> {
        let activity = &self.activity;
        let look = self.look.next(activity, now);
        self.look = look;
        let over = |since: Time, limit: Duration| !limit.is_zero() && now.since(since) >= limit;
        if activity.write_waits() && over(look.wrote, limits.write_stall) {
            return Some((&metrics.write_stall, Verdict::Close));
        }
        match look.doing {
            Doing::Idle if over(look.since, limits.keep_alive) => {
                Some((&metrics.keep_alive, Verdict::Close))
            }
            Doing::Handshake if over(look.since, limits.tls_handshake) => {
                Some((&metrics.tls_handshake, Verdict::Close))
            }
            // In all, and not since the last byte: a head that drips ends too.
            Doing::Head if over(look.since, limits.head_timeout) => {
                Some((&metrics.head_timeout, Verdict::Close))
            }
            Doing::Serving
                if self.upload.is_coming()
                    && !self.upload.is_late()
                    && self.body_is_late(limits) =>
            {
                // Reading it fails, so that the client still gets its 408.
                self.upload.give_up();
                Some((&metrics.body_timeout, Verdict::Drain))
            }
            Doing::Idle | Doing::Handshake | Doing::Head | Doing::Serving => None,
        }
    }

    /// Whether the body of the request in flight stalls or drips.
    fn body_is_late(&self, limits: &Limits) -> bool {
        let look = &self.look;
        let stalls = !limits.body_idle.is_zero()
            && self.activity.read_waits()
            && look.at.since(look.moved) >= limits.body_idle;
        let least = u128::from(limits.body_min_rate) * look.waited.as_millis() / 1_000;
        stalls || (look.waited >= BODY_GRACE && u128::from(look.bytes) < least)
    }
}

impl Look {
    fn next(self, activity: &Activity, now: Time) -> Self {
        let (doing, requests) = (activity.doing(), activity.requests());
        let (bytes_read, writes) = (activity.bytes_read(), activity.writes());
        let moved = bytes_read != self.bytes_read || writes != self.writes;
        let mut next = Self {
            at: now,
            bytes_read,
            writes,
            ..self
        };
        if moved {
            next.moved = now;
        }
        if writes != self.writes || !activity.write_waits() {
            next.wrote = now;
        }
        if (doing, requests) != (self.doing, self.requests) {
            return Self {
                doing,
                requests,
                since: now,
                moved: now,
                // What came since the last look is mostly of what it does now.
                bytes: bytes_read.wrapping_sub(self.bytes_read),
                waited: Duration::ZERO,
                ..next
            };
        }
        next.bytes += bytes_read.wrapping_sub(self.bytes_read);
        if activity.read_waits() {
            next.waited += now.since(self.at);
        }
        next
    }
}

/// Being looked at; dropping it ends that.
#[derive(Debug)]
pub(super) struct Registered {
    registry: Rc<Registry>,
    key: usize,
}

impl Registered {
    /// Ready when more was decided about the connection than is `known`.
    pub(super) fn poll_verdict(&self, known: Verdict, waker: &Waker) -> Poll<Verdict> {
        let mut entries = self.registry.entries.borrow_mut();
        let Some(entry) = entries.get_mut(self.key) else {
            return Poll::Ready(Verdict::Close);
        };
        let verdict = entry.activity.verdict();
        if verdict > known {
            return Poll::Ready(verdict);
        }
        if entry.waker.as_ref().is_none_or(|old| !old.will_wake(waker)) {
            let old = entry.waker.replace(waker.clone());
            drop(entries);
            drop(old);
        }
        Poll::Pending
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // The waker inside may drop a task: first the borrow ends, then it goes.
        let entry = self.registry.entries.borrow_mut().try_remove(self.key);
        drop(entry);
    }
}

/// How long a body may take whatever its rate: a rate needs something to measure.
const BODY_GRACE: Duration = Duration::from_secs(10);
