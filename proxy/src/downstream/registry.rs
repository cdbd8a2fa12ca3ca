//! The client connections of one thread, and the judgement over them.
//!
//! Ten times a second every connection is looked at and compared with the look before, so that
//! limits cost a request a few plain stores and no timer.

use super::activity::{Activity, Doing, Verdict};
use super::streams::Streams;
use super::upload_pace::UploadPace;
use crate::metrics::{Counter, LimitMetrics};
use crate::network::Address;
use crate::session::ConnectionInfo;
use crate::settings::Limits;
use crate::upload::UploadWatch;
use lb::Time;
use slab::Slab;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// The client connections of one thread.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: RefCell<Slab<Entry>>,
}

/// Where a connection comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// None: it came over a socket in the file system.
    pub(crate) client: Option<IpAddr>,
    /// The listener's address.
    pub(crate) local: Address,
    /// The client's forwarding fields are believed.
    pub(crate) trusted: bool,
}

impl Origin {
    pub(super) fn of(info: &ConnectionInfo) -> Self {
        Self {
            client: info.client.map(|client| client.ip()),
            local: info.local.clone(),
            trusted: info.trusted,
        }
    }
}

#[derive(Debug)]
struct Entry {
    origin: Origin,
    activity: Arc<Activity>,
    serving: Serving,
    waker: Option<Waker>,
    look: Look,
}

/// What is served on a connection.
#[derive(Debug)]
enum Serving {
    /// One request at a time, and how fast its body comes.
    One(Arc<UploadWatch>, UploadPace),
    /// Many requests at once.
    Many(Rc<Streams>),
}

/// What the last look saw.
#[derive(Clone, Copy, Debug)]
struct Look {
    doing: Doing,
    /// Requests, or heads, so far.
    requests: u32,
    writes: u32,
    /// Since when it does this.
    since: Time,
    /// When the client last read: what it sends meanwhile says nothing of that.
    wrote: Time,
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
        origin: Origin,
        now: Time,
    ) -> Registered {
        let look = Look {
            doing: activity.doing(),
            requests: 0,
            writes: 0,
            since: now,
            wrote: now,
        };
        let entry = Entry {
            origin,
            activity: Arc::clone(activity),
            serving: Serving::One(Arc::clone(upload), UploadPace::new(now)),
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
            if entry.activity.verdict() >= verdict {
                return None;
            }
            counter.increment();
            Some(verdict)
        });
    }

    /// Tells every connection to finish what is in flight, then to close.
    pub(crate) fn drain(&self) {
        self.decide(|_| Some(Verdict::Drain));
    }

    /// The same, for those that may not go on. A new one has its first request before it, which is
    /// then its last.
    pub(crate) fn drain_unless(&self, allowed: impl Fn(&Origin) -> bool) {
        self.decide(|entry| {
            // HTTP/2 has a way to say so that loses nothing: GOAWAY (RFC 9113 §6.8).
            let new = match &entry.serving {
                Serving::One(..) => entry.activity.requests() == 0,
                Serving::Many(_) => false,
            };
            (!new && !allowed(&entry.origin)).then_some(Verdict::Drain)
        });
    }

    /// Closes every connection, or all but those that carry an event stream.
    pub(crate) fn close(&self, streams: bool) {
        self.decide(|entry| (streams || !entry.is_streaming()).then_some(Verdict::Close));
    }

    fn decide(&self, mut verdict: impl FnMut(&mut Entry) -> Option<Verdict>) {
        let mut woken = Vec::new();
        for (_, entry) in &mut *self.entries.borrow_mut() {
            if let Some(verdict) = verdict(entry)
                && entry.activity.verdict() < verdict
            {
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
        let doing = match &self.serving {
            Serving::One(..) => (activity.doing(), activity.requests()),
            Serving::Many(streams) => (streams.doing(activity), activity.heads()),
        };
        let look = self.look.next(doing, activity, now);
        self.look = look;
        let over = |since: Time, limit: Duration| !limit.is_zero() && now.since(since) >= limit;
        if activity.write_waits() && over(look.wrote, limits.write_stall) {
            return Some((&metrics.write_stall, Verdict::Close));
        }
        if look.doing == Doing::Handshake && over(look.since, limits.tls_handshake) {
            return Some((&metrics.tls_handshake, Verdict::Close));
        }
        // In all, and not since the last byte: a head that drips ends too.
        if look.doing == Doing::Head && over(look.since, limits.head_timeout) {
            return Some((&metrics.head_timeout, Verdict::Close));
        }
        if look.doing == Doing::Lingering && over(look.since, limits.linger) {
            return Some((&metrics.linger, Verdict::Close));
        }
        let idle = look.doing == Doing::Idle;
        match &mut self.serving {
            Serving::One(..) if idle => {
                over(look.since, limits.keep_alive).then_some((&metrics.keep_alive, Verdict::Close))
            }
            Serving::One(upload, pace) => pace.is_late(upload, limits, now).then(|| {
                // Reading it fails, so that the client still gets its 408.
                upload.give_up();
                (&metrics.body_timeout, Verdict::Drain)
            }),
            Serving::Many(_) if idle && over(look.since, limits.http2.idle) => {
                // First it is told (RFC 9113 §6.8); who does not listen is cut off.
                let told = over(look.since, limits.http2.idle + GOODBYE);
                let verdict = if told { Verdict::Close } else { Verdict::Drain };
                Some((&metrics.keep_alive, verdict))
            }
            Serving::Many(streams) => streams.judge(activity, limits, metrics, now),
        }
    }

    /// Whether it carries an event stream.
    fn is_streaming(&self) -> bool {
        match &self.serving {
            Serving::One(..) => self.activity.is_streaming(),
            Serving::Many(streams) => streams.is_streaming(),
        }
    }
}

impl Look {
    fn next(self, (doing, requests): (Doing, u32), activity: &Activity, now: Time) -> Self {
        let writes = activity.writes();
        let mut next = Self { writes, ..self };
        if writes != self.writes || !activity.write_waits() {
            next.wrote = now;
        }
        if (doing, requests) != (self.doing, self.requests) {
            next.doing = doing;
            next.requests = requests;
            next.since = now;
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
    /// From now on many requests are served at once.
    pub(super) fn multiplexes(&self, streams: &Rc<Streams>) {
        if let Some(entry) = self.registry.entries.borrow_mut().get_mut(self.key) {
            entry.serving = Serving::Many(Rc::clone(streams));
        }
    }

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

/// How long an idle HTTP/2 client may take to leave once it was told to.
const GOODBYE: Duration = Duration::from_secs(5);
