//! What a group makes of what is known of its peers.

use super::{Eras, Page, Serves};
use crate::group::Group;
use crate::mcp::discovery::Discovery;
use crate::mcp::listing::Listing;
use crate::mcp::{Context, Era};
use crate::settings::{Probe, Protocol};
use bytes::Bytes;
use lb::{PeerIndex, PeerSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

impl Group {
    /// The only peers for MCP requests of this era; none: all will do, or none of them would.
    pub fn only(&self, era: Era) -> Option<&PeerSet> {
        self.serving.only(era)
    }

    /// Waits until each peer has said what it speaks, if they are asked at all; once, and a second
    /// at most.
    pub(crate) async fn acquainted(&self) {
        if self.asks_beforehand() {
            let most = self.settings.health_check.timeout.min(GETTING_ACQUAINTED);
            self.serving.acquainted(most).await;
        }
    }

    /// Whether peers are asked what they speak before a client comes.
    pub(crate) fn asks_beforehand(&self) -> bool {
        let mcp = self.settings.protocol == Protocol::Mcp;
        match &self.settings.health_check.probe {
            None => mcp,
            Some(probe) => *probe == Probe::Mcp,
        }
    }

    /// A peer was found to speak these.
    pub(crate) fn learn(&self, peer: PeerIndex, eras: Eras) {
        self.serving.learn(peer, eras);
    }

    /// A peer was asked what it speaks, whatever came of it.
    pub(crate) fn asked(&self, peer: PeerIndex) {
        self.serving.asked(peer);
    }

    /// A peer said that its tools have changed: nothing that it showed holds any more, until it is
    /// asked again.
    pub(crate) fn tools_changed(&self, peer: PeerIndex) {
        let peers = self.peer(peer);
        if peers.known.tools_changed() {
            self.tools.forget(peer);
            peers.suspect();
        }
    }

    /// A peer has shown a page of its tools to somebody.
    pub(crate) fn learn_tools(
        &self,
        peer: PeerIndex,
        context: Context,
        page: (Page, &Listing<'_>),
    ) {
        let learned = self.tools.learn(peer, context, page);
        if learned.dropped {
            self.metrics.tools_dropped.increment();
        }
        match learned.differ {
            Some(true) => tracing::warn!(group = self.name(), "mcp_tools_differ"),
            Some(false) => tracing::info!(group = self.name(), "mcp_tools_agree"),
            None => {}
        }
    }

    /// Whether some peers serve an era that others do not.
    pub fn eras_differ(&self) -> bool {
        let peers = || self.peers.iter().map(|peer| peer.known.eras());
        [Era::Legacy, Era::Modern].into_iter().any(|era| {
            let any = |word| peers().any(|eras| eras.serves(era) == word);
            any(Serves::Yes) && any(Serves::No)
        })
    }

    /// Whether the peers show the prober different tools.
    pub fn tools_differ(&self) -> bool {
        self.tools.differ()
    }

    /// A peer has said to somebody what it serves.
    pub(crate) fn remember(&self, context: Context, found: &Discovery<'_>) {
        let discovered = self.discovered.lock();
        let mut discovered = discovered.unwrap_or_else(PoisonError::into_inner);
        if discovered.remember(context, found, &self.settings.mcp_limits) {
            self.metrics.discover_dropped.increment();
        }
    }

    /// What was last said to somebody in this context.
    pub(crate) fn recall(&self, context: Context) -> Option<Bytes> {
        let discovered = self.discovered.lock();
        let found = discovered
            .unwrap_or_else(PoisonError::into_inner)
            .recall(context)?;
        self.metrics.discover_recalled.increment();
        Some(found)
    }

    /// A peer has told of a task of its own; `most` are remembered.
    pub(crate) fn learn_task(&self, task: &str, peer: &str, most: usize) {
        let owners = self.owners.lock();
        let mut owners = owners.unwrap_or_else(PoisonError::into_inner);
        if owners.note(task, peer, most) {
            self.metrics.tasks_forgotten.increment();
        }
    }

    /// The name of the peer that has a task, if that is known.
    pub(crate) fn owner(&self, task: &str) -> Option<Arc<str>> {
        let owners = self.owners.lock();
        owners.unwrap_or_else(PoisonError::into_inner).find(task)
    }

    /// How many tasks are remembered with their peers.
    pub fn tasks_known(&self) -> usize {
        let owners = self.owners.lock();
        owners.unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A peer answered as an MCP server at a path: from now on the default probe of the group is
    /// `mcp`, since its peers are interchangeable.
    pub(crate) fn saw_mcp(&self, peer: PeerIndex, path: &str) {
        if self.peer(peer).known.has_spoken() {
            return;
        }
        for peer in &self.peers {
            peer.known.spoke();
            if peer.url.path.is_empty() {
                peer.known.speaks_at(path);
            }
            peer.suspect();
        }
    }
}

/// How long the first requests may wait for the first probes. Those come within 200 ms and take a
/// round trip; a peer that takes longer is tried.
const GETTING_ACQUAINTED: Duration = Duration::from_secs(1);
