//! One look at every peer, as the prober would.

use std::collections::BTreeMap;
use std::sync::Arc;

use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::group::Group;
use proxy::network::SystemNetwork;
use proxy::server::{Checked, Server, Surveyed};
use proxy::settings::Settings;
use serde::Serialize;
use tokio::runtime::{Builder, LocalOptions};

use crate::admin::McpStatus;
use crate::error::{Error, Exit};

/// What a look at a group found.
#[derive(Debug, Serialize)]
pub(super) struct GroupFound {
    pub(super) name: String,
    /// Some peers serve an era that others do not.
    pub(super) eras_differ: bool,
    /// The peers show different tools.
    pub(super) tools_differ: bool,
    pub(super) peers: Vec<PeerFound>,
}

/// What a look at a peer found.
#[derive(Debug, Default, Serialize)]
pub(super) struct PeerFound {
    pub(super) name: String,
    pub(super) url: String,
    /// `passed`, `failed`, `busy`, or `unchecked` when the group has no health check.
    pub(super) health: &'static str,
    /// Why it failed.
    pub(super) error: Option<String>,
    /// How long it took to connect, with the TLS handshake.
    pub(super) connect_ms: Option<f64>,
    /// `1.1` or `2`.
    pub(super) http_version: Option<&'static str>,
    pub(super) tls: bool,
    /// What it is as an MCP server, if it is one.
    pub(super) mcp: Option<McpStatus>,
    /// Tools that other peers of its group show and this one does not.
    pub(super) lacks: Vec<String>,
}

/// Looks at all peers.
///
/// # Errors
/// The settings cannot be used, or the system gives no runtime.
pub(super) fn look(mut settings: Settings) -> Result<Vec<GroupFound>, Error> {
    // Nothing is served, and a proxy may be running.
    settings.listeners.clear();
    let gateway = Gateway::new(&settings).map_err(Error::Settings)?;
    let options = gateway.server_settings(&settings);
    let clock = ClockSource::system();
    let server = Server::bind(
        SystemNetwork::default(),
        Arc::clone(&gateway),
        clock,
        &options,
    );
    let server = server.map_err(Error::System)?;
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().build_local(LocalOptions::default());
    let surveyed = runtime.map_err(Error::System)?.block_on(server.survey());
    let groups = gateway.groups();
    Ok(groups.iter().map(|group| found(group, &surveyed)).collect())
}

/// What a monitor makes of it: the worst group counts.
pub(super) fn verdict(groups: &[GroupFound]) -> Exit {
    let works = |peer: &&PeerFound| peer.health != "failed";
    let working = |group: &GroupFound| group.peers.iter().filter(works).count();
    if groups.iter().any(|group| working(group) == 0) {
        Exit::NoPeer
    } else if groups
        .iter()
        .any(|group| working(group) < group.peers.len())
    {
        Exit::Degraded
    } else {
        Exit::Ok
    }
}

fn found(group: &Group, surveyed: &[Surveyed]) -> GroupFound {
    let of_group = surveyed
        .iter()
        .filter(|one| one.group.name() == group.name());
    let shown: BTreeMap<_, _> = of_group
        .clone()
        .filter_map(|one| Some((one.peer.0, group.peer(one.peer).known.tool_names()?)))
        .collect();
    let peers = of_group.map(|one| {
        let peer = group.peer(one.peer);
        let own = shown.get(&one.peer.0);
        let all = shown.values().flatten();
        let lacks = |tool: &&String| own.is_some_and(|own| !own.contains(*tool));
        let mut lacks: Vec<_> = all.filter(lacks).cloned().collect();
        lacks.sort_unstable();
        lacks.dedup();
        let connected = one.connected.as_ref().ok();
        PeerFound {
            name: group.peer_name(one.peer).to_owned(),
            url: peer.url.to_string(),
            health: match &one.checked {
                Ok(Checked::Busy) => "busy",
                Ok(Checked::Passed) => "passed",
                Ok(Checked::Unchecked) => "unchecked",
                Err(_) => "failed",
            },
            error: one.checked.as_ref().err().cloned(),
            connect_ms: connected.map(|connected| connected.took.as_secs_f64() * 1e3),
            http_version: connected.map(|connected| if connected.http2 { "2" } else { "1.1" }),
            tls: connected.is_some_and(|connected| connected.tls),
            mcp: McpStatus::new(&peer.known),
            lacks,
        }
    });
    GroupFound {
        name: group.name().to_owned(),
        eras_differ: group.eras_differ(),
        tools_differ: group.tools_differ(),
        peers: peers.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_group_counts() {
        let group = |healths: &[&'static str]| GroupFound {
            name: "g".to_owned(),
            eras_differ: false,
            tools_differ: false,
            peers: healths
                .iter()
                .map(|health| PeerFound {
                    health,
                    ..PeerFound::default()
                })
                .collect(),
        };
        for (groups, expected) in [
            (vec![], Exit::Ok),
            (vec![group(&["passed", "busy", "unchecked"])], Exit::Ok),
            (vec![group(&["passed", "failed"])], Exit::Degraded),
            (
                vec![group(&["passed", "failed"]), group(&["failed"])],
                Exit::NoPeer,
            ),
        ] {
            assert_eq!(verdict(&groups), expected, "{groups:?}");
        }
    }
}
