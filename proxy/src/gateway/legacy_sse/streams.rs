//! The legacy streams that are open in this process.

use super::LegacyStream;
use crate::gateway::continuity::Key;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The legacy streams that are open in this process, by the address that their messages come to.
/// Each is held by a request, so there are never more than connections and their streams allow.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Streams(Mutex<BTreeMap<Key, Arc<LegacyStream>>>);

impl Streams {
    /// The stream that a message is for.
    pub(super) fn find(&self, key: Key) -> Option<Arc<LegacyStream>> {
        self.lock().get(&key).cloned()
    }

    pub(super) fn enter(&self, key: Key, stream: &Arc<LegacyStream>) {
        self.lock().insert(key, Arc::clone(stream));
    }

    /// How many there are.
    pub(in crate::gateway) fn len(&self) -> usize {
        self.lock().len()
    }

    fn leave(&self, stream: &Arc<LegacyStream>) {
        self.lock().retain(|_, other| !Arc::ptr_eq(other, stream));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<LegacyStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request holds a legacy stream open. Its drop ends the stream for all who wait for it.
#[derive(Debug)]
pub(in crate::gateway) struct Open {
    stream: Arc<LegacyStream>,
    streams: Arc<Streams>,
}

impl Open {
    pub(in crate::gateway) fn new(stream: &Arc<LegacyStream>, streams: &Arc<Streams>) -> Self {
        Self {
            stream: Arc::clone(stream),
            streams: Arc::clone(streams),
        }
    }

    pub(in crate::gateway) fn stream(&self) -> &Arc<LegacyStream> {
        &self.stream
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.stream.close() {
            self.streams.leave(&self.stream);
        }
    }
}
