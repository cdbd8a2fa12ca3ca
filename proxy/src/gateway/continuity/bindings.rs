//! What this replica knows of MCP sessions beyond what their ids say.

use crate::gateway::legacy_sse::Streams;
use crate::group::Group;
use crate::mcp::sealed::Payload;
use crate::mcp::standing::{Noted, Standing};
use crate::mcp::{Id, Method};
use crate::metrics::Counter;
use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderValue;
use lb::Time;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Waker};

/// The MCP sessions that have moved, ended, or set something that a move must set again. Those
/// that did none of it have no entry.
#[derive(Debug)]
pub(in crate::gateway) struct Bindings {
    shards: Box<[Mutex<Shard>]>,
    entries: AtomicUsize,
    most: usize,
    /// How often one made room for another.
    pub(in crate::gateway) forgotten: Counter,
    /// The legacy streams, which have no MCP session to go by.
    pub(in crate::gateway) streams: Arc<Streams>,
}

type Shard = BTreeMap<Key, Arc<Binding>>;

/// Which MCP session: a digest of its group, first peer and first upstream id.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::gateway) struct Key([u8; 16]);

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
    /// Its client has ended it (rule 5).
    ended: bool,
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

impl Key {
    pub(in crate::gateway) fn of(group: &str, peer: &str, upstream: &str) -> Self {
        // None of the three can contain a NUL.
        let whole = digest(&SHA256, format!("{group}\0{peer}\0{upstream}").as_bytes());
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(whole.as_ref()) {
            *to = *from;
        }
        Self(key)
    }
}

impl Bindings {
    /// A store of at most `most` entries.
    pub(in crate::gateway) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            entries: AtomicUsize::new(0),
            most,
            forgotten: Counter::default(),
            streams: Arc::default(),
        })
    }

    /// Which of these questions of its servers the client of an MCP session has not answered.
    pub(super) fn unanswered<'a>(&self, key: Key, asked: &'a [Id<'static>]) -> Vec<&'a str> {
        let binding = self.shard(key).get(&key).cloned();
        match binding {
            Some(binding) => binding.unanswered(asked),
            None => asked.iter().map(Id::json).collect(),
        }
    }

    /// What is known of an MCP session, if anything is.
    pub(in crate::gateway) fn find(
        &self,
        key: impl FnOnce() -> Key,
        now: Time,
    ) -> Option<Arc<Binding>> {
        if self.len() == 0 {
            return None;
        }
        let key = key();
        let found = self.shard(key).get(&key).cloned()?;
        found.state().used = now;
        Some(found)
    }

    /// The entry of an MCP session, new if need be. When there is no room, the entry of its shard
    /// that was used longest ago goes: that session moves once more when it is next used.
    pub(in crate::gateway) fn enter(&self, key: Key, now: Time) -> Arc<Binding> {
        let mut shard = self.shard(key);
        if let Some(found) = shard.get(&key) {
            found.state().used = now;
            return Arc::clone(found);
        }
        if self.len() >= self.most {
            let oldest = shard.iter().min_by_key(|(_, binding)| binding.state().used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.forgotten.increment();
                shard.remove(&oldest);
                self.entries.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.entries.fetch_add(1, Ordering::Relaxed);
        let binding = Arc::new(Binding {
            flight: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                used: now,
                ..State::default()
            }),
        });
        shard.insert(key, Arc::clone(&binding));
        binding
    }

    /// How many there are.
    pub(in crate::gateway) fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Shard> {
        let at = usize::from(key.0[0]) % SHARDS;
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Binding {
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
    pub(super) fn polls(&self, event: &[u8], unanswered: &[Id<'static>]) {
        let mut state = self.state();
        state.polled.retain(|(other, _)| other != event);
        if state.polled.len() >= MOST_POLLED {
            state.polled.pop_front();
        }
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
    pub(in crate::gateway) fn answers(&self, id: &str) {
        let mut state = self.state();
        if state.answered.len() >= MOST_ANSWERED {
            state.answered.pop_front();
        }
        state.answered.push_back(id.to_owned());
    }

    /// Which of these questions its client has not answered.
    fn unanswered<'a>(&self, asked: &'a [Id<'static>]) -> Vec<&'a str> {
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

    /// Its client has ended it.
    pub(in crate::gateway) fn end(&self) {
        self.state().ended = true;
    }

    /// Whether its client has ended it.
    pub(in crate::gateway) fn is_ended(&self) -> bool {
        self.state().ended
    }
}

const SHARDS: usize = 16;
/// Streams of one MCP session that wait to be resumed.
const MOST_POLLED: usize = 64;
/// As many as a stream remembers of what its server asked.
const MOST_ANSWERED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        Key::of("g", "a", &number.to_string())
    }

    #[test]
    fn an_mcp_session_is_known_by_group_peer_and_id_together() {
        let all = [
            ("g", "a", "1"),
            ("h", "a", "1"),
            ("g", "b", "1"),
            ("g", "a", "2"),
        ];
        let keys = all.map(|(group, peer, id)| Key::of(group, peer, id));
        for (at, one) in keys.iter().enumerate() {
            assert!(keys[at + 1..].iter().all(|other| other != one), "{at}");
        }
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let bindings = Bindings::new(64);
        for number in 0..1_000 {
            bindings.enter(key(number), Time::from_millis(u64::from(number)));
        }
        assert!(bindings.len() <= 64 + SHARDS, "{}", bindings.len());
        let kept = |number| bindings.find(|| key(number), Time::default()).is_some();
        assert!(kept(999));
        assert!(!kept(0));
    }

    #[test]
    fn news_are_told_once() {
        let bindings = Bindings::new(8);
        let binding = bindings.enter(key(1), Time::default());
        let place = Place {
            generation: 2,
            peer: "b".to_owned(),
            upstream: None,
            since: 0,
        };
        binding.moved(place, vec!["tools"]);
        assert_eq!(binding.take_news(), ["tools"]);
        assert!(binding.take_news().is_empty());
        assert_eq!(binding.place().unwrap().generation, 2);
    }
}
