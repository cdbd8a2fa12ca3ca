//! What is kept of a listener's stream over the loss of its peers.

use crate::group::Group;
use crate::mcp::listening::{Acknowledged, Tools};
use lb::{PeerIndex, Time, Tried};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What is kept of a listener's stream over the loss of its peers. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(in crate::gateway) struct Listen(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    promised: Option<Acknowledged>,
    /// Who serves it, or did last, and since when.
    served: Option<(Arc<Group>, PeerIndex, Time)>,
    /// Peers that would not go on with it since.
    refused: Tried,
    /// How long it was waited before the last try.
    pause: Duration,
}

impl Listen {
    /// A peer serves it from now on.
    pub(super) fn attached(&self, group: &Arc<Group>, peer: PeerIndex, now: Time) {
        let mut state = self.0.borrow_mut();
        state.served = Some((Arc::clone(group), peer, now));
        state.refused = Tried::default();
    }

    /// What the client was promised, once.
    pub(super) fn promise(&self, promised: impl FnOnce() -> Option<Acknowledged>) {
        let mut state = self.0.borrow_mut();
        if state.promised.is_none() {
            state.promised = promised();
        }
    }

    /// What the client was promised.
    pub(super) fn promised(&self) -> Option<Acknowledged> {
        self.0.borrow().promised.clone()
    }

    /// A peer will not go on with it.
    pub(super) fn refused(&self, peer: PeerIndex) {
        self.0.borrow_mut().refused.insert(peer);
    }

    /// The peers that will not go on with it.
    pub(super) fn refusals(&self) -> Tried {
        self.0.borrow().refused.clone()
    }

    /// The peers of another group are others.
    pub(super) fn forget_refusals(&self) {
        self.0.borrow_mut().refused = Tried::default();
    }

    /// Whether the tools of the peer that goes on differ from those of the last. A peer that goes
    /// on with its own stream may have started over with others, before any probe has seen it.
    pub(super) fn tools(&self, group: &Group, peer: PeerIndex) -> Tools {
        let state = self.0.borrow();
        let now = &group.peer(peer).known;
        let before = state.served.as_ref();
        let before = before.map(|(group, peer, _)| &group.peer(*peer).known);
        match before {
            Some(before)
                if !Arc::ptr_eq(before, now)
                    && before.tools_digest().is_some()
                    && before.tools_digest() == now.tools_digest() =>
            {
                Tools::Same
            }
            _ => Tools::Differ,
        }
    }

    /// How long to wait before the next try: nothing after a stream that was steady, then longer
    /// and longer.
    pub(super) fn pause(&self, now: Time, after: After) -> Duration {
        let mut state = self.0.borrow_mut();
        let since = state.served.as_ref().map(|(_, _, since)| *since);
        let steady = since.is_some_and(|since| now.since(since) >= STEADY);
        state.pause = match after {
            After::Stream if steady => Duration::ZERO,
            After::Failure | After::Stream => (state.pause * 2).clamp(SHORTEST, LONGEST),
        };
        state.pause
    }
}

/// What a try comes after.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum After {
    /// Another try, which failed.
    Failure,
    /// A stream that stopped.
    Stream,
}

/// A stream that lasted so long was no failure to open one.
const STEADY: Duration = Duration::from_secs(5);
/// A restart takes about as long.
const SHORTEST: Duration = Duration::from_millis(100);
/// A listener that hears nothing for longer might as well ask by itself.
const LONGEST: Duration = Duration::from_secs(10);
