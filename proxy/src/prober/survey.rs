//! One look at every peer, for who wants to know before anything is served.

use super::{Failed, Finding, mcp, probe};
use crate::error::describe;
use crate::group::{Group, Peer};
use crate::hooks::Hooks;
use crate::names::Names;
use crate::network::Network;
use crate::settings::{DnsSettings, Probe, Protocol};
use crate::thread::Thread;
use crate::upstream::{ConnectError, open, speaks_http2};
use lb::PeerIndex;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What one look at a peer found. What it speaks, and which tools it shows, is known of it in its
/// group from then on.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The group it is in.
    pub group: Arc<Group>,
    /// Where in it.
    pub peer: PeerIndex,
    /// A connection as requests use it, or why there is none.
    pub connected: Result<Connected, String>,
    /// Its health check, or why that failed.
    pub checked: Result<Checked, String>,
}

/// A connection as requests use it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connected {
    /// How long it took, with the TLS handshake.
    pub took: Duration,
    /// Whether it is HTTP/2.
    pub http2: bool,
    /// Whether it is TLS.
    pub tls: bool,
}

/// What a health check found that did not fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Checked {
    /// The peer has too much to do.
    Busy,
    /// The peer works.
    Passed,
    /// The group has no health check.
    Unchecked,
}

/// Looks at all peers at once, each within the time of its health check and what connecting takes.
pub(crate) async fn survey<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    groups: &[Arc<Group>],
    dns: &DnsSettings,
) -> Vec<Surveyed> {
    let mut names = Names::new(thread);
    names.follow(groups, dns);
    let peers = groups.iter().flat_map(|group| {
        let indexes = (0..).map(PeerIndex).zip(&group.peers);
        indexes.map(move |(peer, _)| (Arc::clone(group), peer))
    });
    let looking = peers.map(|(group, peer)| {
        let thread = Rc::clone(thread);
        tokio::task::spawn_local(async move { look(&thread, group, peer).await })
    });
    let looking: Vec<_> = looking.collect();
    let mut surveyed = Vec::new();
    for task in looking {
        // One that panicked has nothing to say.
        surveyed.extend(task.await);
    }
    surveyed
}

async fn look<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    group: Arc<Group>,
    index: PeerIndex,
) -> Surveyed {
    let connected = connect(thread, &group, group.peer(index)).await;
    let mut session = mcp::ProbeSession::default();
    let checked = match (&connected, &group.settings.health_check.probe) {
        (Err(reason), _) => Err(reason.clone()),
        (Ok(_), Some(Probe::None)) => Ok(Checked::Unchecked),
        (Ok(_), _) => match probe(thread, &group, index, &mut session).await {
            Ok(Finding::Busy(_)) => Ok(Checked::Busy),
            Ok(Finding::Passed) => Ok(Checked::Passed),
            Err(Failed(reason)) => Err(reason),
        },
    };
    let asks = mcp::Probe::of(thread, &group, index);
    let patience = group.settings.health_check.timeout;
    if checked.is_ok() && group.settings.protocol != Protocol::Http && !group.asks_beforehand() {
        // The check that the group has, or will have, says nothing of MCP yet. A peer that speaks
        // none is none the worse for it.
        let speaking = async {
            if let Ok(Finding::Passed) = asks.run(&mut session).await {
                drop(asks.tools(&mut session).await);
            }
        };
        drop(tokio::time::timeout(patience, speaking).await);
    }
    asks.end(&mut session, patience).await;
    Surveyed {
        group,
        peer: index,
        connected,
        checked,
    }
}

async fn connect<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    group: &Group,
    peer: &Peer,
) -> Result<Connected, String> {
    let began = thread.clock.now();
    let version = peer.http_version;
    let opening = open(
        &thread.network,
        peer,
        version,
        group.settings.timeouts.connect,
    );
    let stream = opening.await.map_err(|error| match error {
        ConnectError::Exhausted(error) | ConnectError::Refused(error) => error.to_string(),
        ConnectError::Timeout => describe(lb::Cause::ConnectTimeout).to_owned(),
        ConnectError::Tls(error) => format!("{error}: {}", error.reason()),
    })?;
    Ok(Connected {
        took: thread.clock.now().since(began),
        http2: speaks_http2(version, &stream),
        tls: stream.negotiated().is_some() || peer.tls.is_some(),
    })
}
