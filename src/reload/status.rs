//! What came of reloads so far.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Fingerprint;

/// What came of reloads so far. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReloadStatus(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    last: Mutex<Last>,
}

/// The last reload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Last {
    /// It changed nothing, because something was wrong.
    pub(crate) failed: bool,
    /// What is in force; none without a file.
    pub(crate) hash: Option<String>,
    /// Since when, in seconds since 1970.
    pub(crate) since: u64,
}

impl ReloadStatus {
    /// This is in force from now on, at the start.
    pub(crate) fn started(&self, read: Option<&Fingerprint>) {
        self.note(read);
    }

    /// This is in force from now on, after a reload.
    pub(crate) fn succeeded(&self, read: Option<&Fingerprint>) {
        self.0.succeeded.fetch_add(1, Ordering::Relaxed);
        self.note(read);
    }

    /// Nothing has changed, since something is wrong.
    pub(crate) fn failed(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
        let last = self.0.last.lock();
        last.unwrap_or_else(PoisonError::into_inner).failed = true;
    }

    /// How many reloads counted, and how many changed nothing.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 2] {
        [
            ("failed", self.0.failed.load(Ordering::Relaxed)),
            ("succeeded", self.0.succeeded.load(Ordering::Relaxed)),
        ]
    }

    /// The last one.
    pub(crate) fn last(&self) -> Last {
        let last = self.0.last.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, read: Option<&Fingerprint>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = Last {
            failed: false,
            hash: read.map(Fingerprint::to_string),
            since: since.map_or(0, |since| since.as_secs()),
        };
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}
