//! The MCP sessions that their clients have ended.

use super::bindings::Key;
use std::collections::{BTreeSet, VecDeque};

/// The MCP sessions that their clients have ended, each only by its key: they outnumber those that
/// live, and nobody asks more of them than that (rule 5).
#[derive(Debug, Default)]
pub(super) struct Ended {
    keys: BTreeSet<Key>,
    /// The same, in the order they ended.
    order: VecDeque<Key>,
}

impl Ended {
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    pub(super) fn insert(&mut self, key: Key) {
        if self.keys.insert(key) {
            self.order.push_back(key);
        }
    }

    /// Forgets the one that ended first; whether there was any.
    pub(super) fn forget_first(&mut self) -> bool {
        let first = self.order.pop_front();
        first.is_some_and(|first| self.keys.remove(&first))
    }
}
