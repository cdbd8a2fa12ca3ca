//! Who connects to a peer whose connections are shared, and who waits for that.

use lb::Time;
use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use tokio::sync::Notify;

/// The connections to one peer that are being made. Requests that come at once share them: as many
/// connect as there are connections needed, and the others wait.
#[derive(Debug)]
pub(crate) struct Dials {
    /// Requests without a connection, those that connect included.
    wanting: Cell<usize>,
    /// Those that connect.
    dialing: Cell<usize>,
    /// Requests that one connection takes at once. Before the peer has said so, all there are.
    streams: Cell<usize>,
    /// When the peer was last seen to take a connection, or to speak on one.
    progress: Cell<Time>,
    ended: Notify,
}

impl Default for Dials {
    fn default() -> Self {
        Self {
            wanting: Cell::new(0),
            dialing: Cell::new(0),
            streams: Cell::new(usize::MAX),
            progress: Cell::new(Time::ZERO),
            ended: Notify::new(),
        }
    }
}

impl Dials {
    /// One more request wants a connection, until that is dropped.
    pub(crate) fn want(self: &Rc<Self>) -> Wanting {
        self.wanting.set(self.wanting.get() + 1);
        Wanting(Rc::clone(self))
    }

    /// The peer has taken a connection, or spoken on one.
    pub(crate) fn progress(&self, now: Time) {
        self.progress.set(now);
    }

    /// A connection was made that takes so many requests at once.
    pub(crate) fn made(&self, streams: usize) {
        self.streams.set(streams.max(1));
    }
}

/// A request that wants a connection.
#[derive(Debug)]
pub(crate) struct Wanting(Rc<Dials>);

impl Wanting {
    /// Leave to connect, unless enough others do already; dropping it wakes those who wait.
    pub(crate) fn dial(&self) -> Option<Dialing<'_>> {
        let dials = &self.0;
        let dialing = dials.dialing.get();
        if dialing.saturating_mul(dials.streams.get()) >= dials.wanting.get() {
            return None;
        }
        dials.dialing.set(dialing + 1);
        Some(Dialing(dials))
    }

    /// Waits until one of those who connect has come to an end with it.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> {
        self.0.ended.notified()
    }

    /// Since when the peer is waited for: the time of the others is none of the peer's.
    pub(crate) fn since(&self, began: Time) -> Time {
        began.max(self.0.progress.get())
    }
}

impl Drop for Wanting {
    fn drop(&mut self) {
        self.0.wanting.set(self.0.wanting.get().saturating_sub(1));
    }
}

/// A connection that is being made.
#[derive(Debug)]
pub(crate) struct Dialing<'a>(&'a Dials);

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        self.0.dialing.set(self.0.dialing.get().saturating_sub(1));
        self.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_connect_as_are_needed() {
        let dials = Rc::new(Dials::default());
        let wanting: Vec<_> = (0..25).map(|_| dials.want()).collect();
        let dialing = |most: usize| -> Vec<_> {
            let all = wanting.iter().take(most);
            all.filter_map(Wanting::dial).collect()
        };
        let first = dialing(25);
        assert_eq!(first.len(), 1, "nobody knows how many streams there are");
        dials.made(10);
        drop(first);
        assert_eq!(dialing(25).len(), 3);
        // A peer that takes none is still asked one by one.
        dials.made(0);
        assert_eq!(dialing(25).len(), 25);
        drop(wanting);
        assert!(dials.want().dial().is_some());
    }
}
