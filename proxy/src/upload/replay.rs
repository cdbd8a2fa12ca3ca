//! How much is kept for other attempts by the whole process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes kept for another attempt by the whole process.
#[derive(Debug, Default)]
pub(crate) struct ReplayTotal {
    used: AtomicUsize,
    limit: AtomicUsize,
}

impl ReplayTotal {
    /// A counter that allows `limit` bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
        })
    }

    /// Allows `limit` bytes from now on; what is kept stays.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub(super) fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.limit.load(Ordering::Relaxed) {
            return true;
        }
        self.give(bytes);
        false
    }

    pub(super) fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
