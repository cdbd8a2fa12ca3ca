//! What this replica knows of MCP sessions beyond what their ids say.

use super::binding::Binding;
use super::ended::Ended;
use crate::gateway::legacy_sse::Streams;
use crate::mcp::Id;
use crate::metrics::Counter;
use aws_lc_rs::digest::{SHA256, digest};
use lb::Time;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The MCP sessions that have moved, ended, opened an event stream, come with credentials that name
/// nobody, or set something that a move must set again. Those that did none of it have no entry.
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

#[derive(Debug, Default)]
struct Shard {
    living: BTreeMap<Key, Arc<Binding>>,
    ended: Ended,
}

/// Which MCP session: a digest of its group, first peer and first upstream id.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::gateway) struct Key([u8; 16]);

/// What is known of an MCP session.
#[derive(Debug)]
pub(in crate::gateway) enum Known {
    /// Its client has ended it (rule 5).
    Ended,
    /// Something that its id does not say.
    Lives(Arc<Binding>),
    /// No more than its id says.
    Nothing,
}

impl Known {
    /// What is known of it, if it lives and anything is.
    pub(in crate::gateway) fn living(self) -> Option<Arc<Binding>> {
        match self {
            Self::Lives(binding) => Some(binding),
            Self::Ended | Self::Nothing => None,
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
        let binding = self.shard(key).living.get(&key).cloned();
        match binding {
            Some(binding) => binding.unanswered(asked),
            None => asked.iter().map(Id::json).collect(),
        }
    }

    /// What is known of an MCP session.
    pub(in crate::gateway) fn find(&self, key: impl FnOnce() -> Key, now: Time) -> Known {
        if self.len() == 0 {
            return Known::Nothing;
        }
        let key = key();
        let shard = self.shard(key);
        match shard.living.get(&key) {
            Some(found) => {
                found.touch(now);
                Known::Lives(Arc::clone(found))
            }
            None if shard.ended.contains(&key) => Known::Ended,
            None => Known::Nothing,
        }
    }

    /// The entry of an MCP session, new if need be; none if its client has ended it. When there is no
    /// room, one that ended goes; else the entry of its shard that was used longest ago: that session
    /// moves once more when it is next used.
    pub(in crate::gateway) fn enter(&self, key: Key, now: Time) -> Option<Arc<Binding>> {
        let mut shard = self.shard(key);
        if let Some(found) = shard.living.get(&key) {
            found.touch(now);
            return Some(Arc::clone(found));
        }
        if shard.ended.contains(&key) {
            return None;
        }
        if self.is_full() && (shard.ended.forget_first() || shard.forget_oldest()) {
            self.forgot_one();
        }
        self.entries.fetch_add(1, Ordering::Relaxed);
        let binding = Arc::new(Binding::new(now));
        shard.living.insert(key, Arc::clone(&binding));
        Some(binding)
    }

    /// Its client has ended an MCP session: that is all that is still known of it. When there is no
    /// room, the one of its shard that ended first goes, but none that lives.
    pub(in crate::gateway) fn end(&self, key: Key) {
        let mut shard = self.shard(key);
        if shard.ended.contains(&key) {
            return;
        }
        let lived = shard.living.remove(&key);
        if lived.is_none() {
            if self.is_full() && shard.ended.forget_first() {
                self.forgot_one();
            }
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        shard.ended.insert(key);
        // The waker inside may drop a task and what that holds: first the lock goes, then it.
        drop(shard);
        drop(lived);
    }

    fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    fn forgot_one(&self) {
        self.forgotten.increment();
        self.entries.fetch_sub(1, Ordering::Relaxed);
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

impl Shard {
    /// Forgets what was used longest ago; whether there was anything.
    fn forget_oldest(&mut self) -> bool {
        let oldest = self.living.iter().min_by_key(|(_, binding)| binding.used());
        let oldest = oldest.map(|(key, _)| *key);
        oldest.is_some_and(|oldest| self.living.remove(&oldest).is_some())
    }
}

const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::binding::Place;
    use super::*;

    fn key(number: u32) -> Key {
        Key::of("g", "a", &number.to_string())
    }

    fn at(millis: u32) -> Time {
        Time::from_millis(u64::from(millis))
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
            bindings.enter(key(number), at(number));
        }
        assert!(bindings.len() <= 64 + SHARDS, "{}", bindings.len());
        let kept = |number| bindings.find(|| key(number), at(0)).living().is_some();
        assert!(kept(999));
        assert!(!kept(0));
    }

    #[test]
    fn what_ended_makes_room_before_what_lives() {
        let bindings = Bindings::new(64);
        for number in 0..32 {
            bindings.enter(key(number), at(0));
        }
        for number in 1_000..3_000 {
            bindings.end(key(number));
        }
        assert!(bindings.len() <= 64 + SHARDS, "{}", bindings.len());
        let lives = |number| bindings.find(|| key(number), at(0)).living().is_some();
        assert!((0..32).all(lives));
        let ended = |number| matches!(bindings.find(|| key(number), at(0)), Known::Ended);
        assert!(ended(2_999));
        assert!(!ended(1_000));
    }

    #[test]
    fn nothing_is_kept_of_what_ended_but_that_it_did() {
        let bindings = Bindings::new(8);
        let binding = bindings.enter(key(1), at(0)).unwrap();
        let kept = Arc::downgrade(&binding);
        drop(binding);
        bindings.end(key(1));
        assert!(kept.upgrade().is_none());
        assert!(matches!(bindings.find(|| key(1), at(1)), Known::Ended));
        // A stream of it that ends later, or its client that ends it again, makes it no other.
        assert!(bindings.enter(key(1), at(2)).is_none());
        bindings.end(key(1));
        assert_eq!(bindings.len(), 1);
    }

    #[test]
    fn news_are_told_once() {
        let bindings = Bindings::new(8);
        let binding = bindings.enter(key(1), Time::default()).unwrap();
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
