//! One MCP session, as this replica knows it beyond what its id says.

use crate::group::Group;
use crate::mcp::sealed::Payload;
use crate::mcp::standing::{Noted, Standing};
use crate::mcp::{Id, Method};
use http::HeaderValue;
use lb::Time;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Waker};

/// One MCP session, as this replica knows it.
#[derive(Debug)]
pub(in crate::gateway) struct Binding {
    /// Held while it moves: others wait (rule 8: single flight).
    pub(super) flight: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    place: Option<Place>,
    standing: Standing,
    /// Kinds of list changes its client has not been told of.
    news: Vec<&'static str>,
    /// What its client has answered of what servers asked, as JSON ids; oldest first.
    answered: VecDeque<String>,
    /// Streams that ended before their answers, by the id of their last event; oldest first.
    polled: VecDeque<(Vec<u8>, Vec<Id<'static>>)>,
    /// Its event stream, which follows it.
    waker: Option<Waker>,
    /// With what credential its peer has served last, and in which life of the peer.
    served: Option<(u64, u64)>,
    /// The life of its peer in which it was found to live.
    seen_in: Option<u64>,
    used: Time,
}

/// Where an MCP session lives.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Place {
    /// How often it has moved, plus one.
    pub(in crate::gateway) generation: u32,
    /// The name of the peer.
    pub(in crate::gateway) peer: String,
    /// The peer's id for it; none if that peer needs none.
    pub(in crate::gateway) upstream: Option<HeaderValue>,
    /// When it came there, in seconds since 1970.
    pub(in crate::gateway) since: u64,
}

impl Place {
    /// Where the id of an MCP session says that it is.
    pub(in crate::gateway) fn first(payload: &Payload) -> Self {
        Self {
            generation: 1,
            peer: payload.peer.clone(),
            upstream: HeaderValue::from_str(&payload.upstream).ok(),
            since: payload.issued_at,
        }
    }
}

impl Binding {
    /// One of which nothing is known yet.
    pub(super) fn new(now: Time) -> Self {
        Self {
            flight: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                used: now,
                ..State::default()
            }),
        }
    }

    /// A request is about it.
    pub(super) fn touch(&self, now: Time) {
        self.state().used = now;
    }

    /// When a request was about it last.
    pub(super) fn used(&self) -> Time {
        self.state().used
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The upstream session that it lives in: 1 is the first.
    pub(super) fn generation(&self) -> u32 {
        self.state()
            .place
            .as_ref()
            .map_or(1, |place| place.generation)
    }

    /// Where it lives, if it has moved.
    pub(in crate::gateway) fn place(&self) -> Option<Place> {
        self.state().place.clone()
    }

    /// It has moved; its client is to hear of `news`.
    pub(super) fn moved(&self, place: Place, news: Vec<&'static str>) {
        let mut state = self.state();
        state.place = Some(place);
        state.news = news;
        state.served = None;
        state.seen_in = None;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// Ready when it lives elsewhere than in the upstream session `generation`.
    pub(super) fn poll_moved(&self, cx: &mut task::Context<'_>, generation: u32) -> Poll<()> {
        let mut state = self.state();
        let now = state.place.as_ref().map_or(1, |place| place.generation);
        if now > generation {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// A stream has ended after this event and before the answers to these requests: its client is
    /// expected to resume it (MCP 2025-11-25 "Sending Messages to the Server").
    pub(super) fn polls(&self, event: &[u8], unanswered: &[Id<'static>], group: &Group) {
        let mut state = self.state();
        state.polled.retain(|(other, _)| other != event);
        make_room(&mut state.polled, group);
        state
            .polled
            .push_back((event.to_vec(), unanswered.to_vec()));
    }

    /// The requests that a stream which is resumed after this event has not answered.
    pub(in crate::gateway) fn polled(&self, event: &[u8]) -> Option<Vec<Id<'static>>> {
        let state = self.state();
        let polled = state.polled.iter().find(|(of, _)| of == event);
        polled.map(|(_, ids)| ids.clone())
    }

    /// Its client has answered a question of its server.
    pub(in crate::gateway) fn answers(&self, id: &str, group: &Group) {
        let mut state = self.state();
        make_room(&mut state.answered, group);
        state.answered.push_back(id.to_owned());
    }

    /// Which of these questions its client has not answered.
    pub(super) fn unanswered<'a>(&self, asked: &'a [Id<'static>]) -> Vec<&'a str> {
        let state = self.state();
        let asked = asked.iter().map(Id::json);
        asked
            .filter(|id| !state.answered.iter().any(|answered| answered == id))
            .collect()
    }

    /// Its peer has served who brought this, in the life of the peer that this number names.
    pub(in crate::gateway) fn served(&self, credential: u64, incarnation: u64) {
        self.state().served = Some((credential, incarnation));
    }

    /// The credential that its peer has served last.
    pub(super) fn served_to(&self) -> Option<u64> {
        self.state().served.map(|(credential, _)| credential)
    }

    /// Whether its peer, in this life, has served somebody else last.
    pub(super) fn serves_another(&self, credential: u64, incarnation: u64) -> bool {
        let served = self.state().served;
        served.is_some_and(|(other, life)| other != credential && life == incarnation)
    }

    /// It was found to live, in this life of its peer.
    pub(super) fn found(&self, incarnation: u64) {
        self.state().seen_in = Some(incarnation);
    }

    pub(super) fn found_in(&self) -> Option<u64> {
        self.state().seen_in
    }

    /// What its client is to hear of, once.
    pub(in crate::gateway) fn take_news(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().news)
    }

    /// What its client has set.
    pub(super) fn standing(&self) -> Standing {
        self.state().standing.clone()
    }

    /// Notes what its client has set.
    pub(in crate::gateway) fn note(&self, method: Method, body: &[u8], group: &Group) {
        let most = group.settings.mcp_limits.subscriptions;
        if self.state().standing.note(method, body, most) == Noted::Dropped {
            group.metrics.subscriptions_dropped.increment();
        }
    }
}

/// For one more: the oldest goes.
fn make_room<T>(kept: &mut VecDeque<T>, group: &Group) {
    if kept.len() >= group.settings.mcp_limits.exchanges {
        kept.pop_front();
        group.metrics.exchanges_forgotten.increment();
    }
}
