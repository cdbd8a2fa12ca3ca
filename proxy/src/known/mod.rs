//! What is known of a peer as an MCP server, from probes and from what passes by.
//!
//! - what it speaks: [`Eras`]; which peers of a group that makes: `Serving`
//! - whether it is still the one it was: [`Known::incarnation`]
//! - which tools it has shown, and to whom: `Lists`; what a group's peers agree on: `Tools`
//! - the last good answers to `server/discover`: `Discovered`
//! - which peer has which task: `Owners`

mod discovered;
mod eras;
mod group;
mod lists;
mod owners;
mod serving;
mod tools;

pub(crate) use discovered::Discovered;
pub use eras::{Eras, Serves};
pub(crate) use owners::Owners;
pub(crate) use serving::Serving;
pub(crate) use tools::{Page, Tools};

use crate::mcp::Context;
use lists::Lists;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// What is known of a peer as an MCP server.
#[derive(Debug, Default)]
pub struct Known {
    eras: AtomicU32,
    incarnation: AtomicU64,
    restarted_at: AtomicU64,
    /// It has answered as an MCP server.
    spoke: AtomicBool,
    /// A probe in the way of MCP has come to an end, good or bad.
    asked: AtomicBool,
    /// Where it answered, for peers whose URL has no path.
    path: OnceLock<Box<str>>,
    lists: Mutex<Lists>,
    /// It said that its tools have changed.
    tools_changed: AtomicBool,
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

    /// When it was last seen to have started over, in seconds since 1970; 0: never.
    pub(crate) fn restarted_at(&self) -> u64 {
        self.restarted_at.load(Ordering::Acquire)
    }

    pub(crate) fn restarted(&self, now: u64) {
        self.restarted_at.store(now, Ordering::Release);
        self.incarnation.fetch_add(1, Ordering::AcqRel);
    }

    /// What tells the tools that the prober was shown from others; none if it was shown none.
    pub fn tools_digest(&self) -> Option<u64> {
        self.lists().of(Context::ANONYMOUS)?.digest()
    }

    /// The names of the tools that the prober was shown.
    pub fn tool_names(&self) -> Option<BTreeSet<String>> {
        let list = self.lists().of(Context::ANONYMOUS)?;
        Some(list.names().map(str::to_owned).collect())
    }

    /// How many tools the prober was shown.
    pub fn tools(&self) -> Option<usize> {
        Some(self.lists().of(Context::ANONYMOUS)?.len())
    }

    /// It said that its tools have changed (`notifications/tools/list_changed`): the prober asks
    /// again. Says whether that is news.
    pub fn tools_changed(&self) -> bool {
        !self.tools_changed.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn take_tools_changed(&self) -> bool {
        self.tools_changed.swap(false, Ordering::Relaxed)
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        // Between any two statements that can panic it is consistent: none can.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
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
