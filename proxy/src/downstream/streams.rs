//! The streams of one HTTP/2 connection: what they note, and the judgement over them.

use super::activity::{Activity, Doing, Verdict};
use super::upload_pace::UploadPace;
use crate::metrics::{Counter, LimitMetrics};
use crate::settings::Limits;
use crate::upload::UploadWatch;
use lb::Time;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The requests in flight on one HTTP/2 connection.
#[derive(Debug)]
pub(super) struct Streams {
    open: RefCell<Slab<Entry>>,
    /// Requests so far.
    opened: Cell<u32>,
    minute: Cell<Minute>,
}

/// Where a minute of control frames began.
#[derive(Clone, Copy, Debug)]
struct Minute {
    began: Time,
    frames: u32,
}

#[derive(Debug)]
struct Entry {
    notes: Rc<Notes>,
    pace: UploadPace,
    /// Pieces that had been given when the last of them was first seen to be stuck.
    given: u32,
    stuck: Time,
}

/// What a stream notes while it works.
#[derive(Debug, Default)]
struct Notes {
    upload: Arc<UploadWatch>,
    /// Pieces of the response given to hyper.
    given: Cell<u32>,
    /// hyper holds a piece that the client's window has no room for: it has not asked for another.
    held: Cell<bool>,
    /// The response is an event stream.
    events: Cell<bool>,
}

impl Streams {
    pub(super) fn new(now: Time) -> Rc<Self> {
        let minute = Minute {
            began: now,
            frames: 0,
        };
        Rc::new(Self {
            open: RefCell::default(),
            opened: Cell::new(0),
            minute: Cell::new(minute),
        })
    }

    /// A request begins; says how many there were with it.
    pub(super) fn open(self: &Rc<Self>, now: Time) -> (Stream, u32) {
        self.opened.set(self.opened.get().wrapping_add(1));
        let notes = Rc::new(Notes::default());
        let key = self.open.borrow_mut().insert(Entry {
            notes: Rc::clone(&notes),
            pace: UploadPace::new(now),
            given: 0,
            stuck: now,
        });
        let stream = Stream {
            streams: Rc::clone(self),
            key,
            notes,
        };
        (stream, self.opened.get())
    }

    /// Whether one of them carries an event stream.
    pub(super) fn is_streaming(&self) -> bool {
        let open = self.open.borrow();
        open.iter().any(|(_, entry)| entry.notes.events.get())
    }

    pub(super) fn doing(&self, activity: &Activity) -> Doing {
        if activity.is_in_head() {
            Doing::Head
        } else if self.open.borrow().is_empty() {
            Doing::Idle
        } else {
            Doing::Serving
        }
    }

    /// The limit that bites, if one does.
    pub(super) fn judge<'a>(
        &self,
        activity: &Activity,
        limits: &Limits,
        metrics: &'a LimitMetrics,
        now: Time,
    ) -> Option<(&'a Counter, Verdict)> {
        if self.floods(activity, limits.http2.control_frames, now) {
            return Some((&metrics.http2_frames, Verdict::Close));
        }
        for (_, entry) in &mut *self.open.borrow_mut() {
            if entry.is_stuck(limits.write_stall, now) {
                return Some((&metrics.write_stall, Verdict::Close));
            }
            let watch = &entry.notes.upload;
            if entry.pace.is_late(watch, limits, now) {
                // Reading it fails, so that the client gets its 408; the others go on.
                watch.give_up();
                metrics.body_timeout.increment();
            }
        }
        None
    }

    /// Whether there are too many frames that carry nothing; `most` of 0 allows any.
    fn floods(&self, activity: &Activity, most: u32, now: Time) -> bool {
        let minute = self.minute.get();
        let frames = activity.control_frames();
        if now.since(minute.began) >= MINUTE {
            self.minute.set(Minute { began: now, frames });
        }
        most > 0 && frames.wrapping_sub(minute.frames) >= most
    }
}

impl Entry {
    /// Whether the client has had no room for a whole piece for so long. That its window opened by
    /// a few bytes changes nothing.
    fn is_stuck(&mut self, limit: Duration, now: Time) -> bool {
        let given = self.notes.given.get();
        if !self.notes.held.get() || given != self.given {
            self.given = given;
            self.stuck = now;
        }
        !limit.is_zero() && now.since(self.stuck) >= limit
    }
}

/// One request in flight; dropping it ends that.
#[derive(Debug)]
pub(super) struct Stream {
    streams: Rc<Streams>,
    key: usize,
    notes: Rc<Notes>,
}

impl Stream {
    pub(super) fn upload(&self) -> &Arc<UploadWatch> {
        &self.notes.upload
    }

    /// The response is an event stream.
    pub(super) fn streams_events(&self) {
        self.notes.events.set(true);
    }

    /// hyper asks for the next piece of the response.
    pub(super) fn asked(&self) {
        self.notes.held.set(false);
    }

    /// The client's end of a tunnel was written to, or has no room.
    pub(super) fn wrote(&self, progress: bool) {
        if progress {
            self.gave();
        }
        self.notes.held.set(!progress);
    }

    /// hyper gets a piece of the response.
    pub(super) fn gave(&self) {
        self.notes.held.set(true);
        self.notes.given.set(self.notes.given.get().wrapping_add(1));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let entry = self.streams.open.borrow_mut().try_remove(self.key);
        drop(entry);
    }
}

const MINUTE: Duration = Duration::from_secs(60);
