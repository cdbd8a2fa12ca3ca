//! What is known of a peer as an MCP server, from probes and from what passes by.
//!
//! - what it speaks: [`Eras`]; which peers of a group that makes: `Serving`
//! - whether it is still the one it was: [`Known::incarnation`]

mod eras;
mod group;
mod serving;

pub use eras::{Eras, Serves};
pub(crate) use serving::Serving;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What is known of a peer as an MCP server.
#[derive(Debug, Default)]
pub struct Known {
    eras: AtomicU32,
    incarnation: AtomicU64,
    /// It has answered as an MCP server.
    spoke: AtomicBool,
    /// A probe in the way of MCP has come to an end, good or bad.
    asked: AtomicBool,
    /// Where it answered, for peers whose URL has no path.
    path: OnceLock<Box<str>>,
}

impl Known {
    /// What it speaks, as far as that is known.
    pub fn eras(&self) -> Eras {
        Eras::unpack(self.eras.load(Ordering::Relaxed))
    }

    /// How often it was seen to have started over: its probe session was gone while it answered, or
    /// it called itself something else. An MCP session that was made under a smaller number is
    /// probably gone as well.
    pub fn incarnation(&self) -> u64 {
        self.incarnation.load(Ordering::Acquire)
    }

    pub(crate) fn restarted(&self) {
        self.incarnation.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn has_spoken(&self) -> bool {
        self.spoke.load(Ordering::Relaxed)
    }

    pub(crate) fn spoke(&self) {
        self.spoke.store(true, Ordering::Relaxed);
    }

    /// Where MCP is spoken, if that was seen.
    pub(crate) fn path(&self) -> Option<&str> {
        self.path.get().map(|path| &**path)
    }

    pub(crate) fn speaks_at(&self, path: &str) {
        if self.path.get().is_none() && path.len() <= LONGEST_PATH {
            // Two threads may have seen it at once; both have seen it there.
            drop(self.path.set(path.into()));
        }
    }

    fn set_eras(&self, eras: Eras) {
        self.eras.store(eras.pack(), Ordering::Relaxed);
    }
}

/// A longer path is no endpoint that anybody configured; the prober stays with the URL's.
const LONGEST_PATH: usize = 1024;
