//! Groups and peers as rows.

use comfy_table::{Table, presets};

use crate::admin::{GroupStatus, PeerStatus};

/// A row for each group, and below it one for each of its peers.
pub(super) fn table(groups: &[GroupStatus]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["NAME", "KIND", "STATE", "DETAILS"]);
    for group in groups {
        table.add_row([
            group.name.clone(),
            "group".to_owned(),
            group.state.clone(),
            group_details(group),
        ]);
        for peer in &group.peers {
            table.add_row([
                format!("  {}", peer.name),
                "peer".to_owned(),
                peer_state(peer),
                peer_details(group, peer),
            ]);
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn group_details(group: &GroupStatus) -> String {
    let mut details = vec![
        format!("strategy={}", group.strategy),
        format!(
            "members={}/{} healthy",
            group.healthy_backends, group.total_backends
        ),
    ];
    if group.mode == "active-passive" {
        details.push(format!("tier={}", group.active_tier));
    }
    if let Some(at) = &group.last_failover {
        details.push(format!("last_failover={at}"));
    }
    if group.panic {
        details.push("health_ignored".to_owned());
    }
    if group.eras_differ {
        details.push("eras_differ".to_owned());
    }
    if group.tools_differ {
        details.push("tools_differ".to_owned());
    }
    details.join("  ")
}

/// The first thing that keeps it from serving; else `ready`.
fn peer_state(peer: &PeerStatus) -> String {
    let state = match (peer.admin.as_str(), peer.health.as_str()) {
        ("enabled", "unhealthy") => "unhealthy",
        ("enabled", _) => match peer.breaker.state.as_str() {
            "open" => "open",
            "half_open" => "trying",
            _ if peer.cooling_ms.is_some() => "cooling",
            _ if peer.usable => "ready",
            _ => "out",
        },
        (admin, _) => admin,
    };
    state.to_owned()
}

fn peer_details(group: &GroupStatus, peer: &PeerStatus) -> String {
    let mut details = vec![
        format!("url={}", peer.url),
        format!("tier={}", peer.priority),
    ];
    if peer.weight != 1 {
        details.push(format!("weight={}", peer.weight));
    }
    if let Some(region) = &peer.region {
        details.push(format!("region={region}"));
    }
    details.push(format!("breaker={}", peer.breaker.state));
    details.push(format!("in_flight={}", peer.in_flight));
    if let Some(millis) = peer.breaker.reopens_in_ms {
        details.push(format!("retry_in={millis}ms"));
    }
    if let Some(mcp) = &peer.mcp {
        details.push(format!("mcp={}", mcp.eras.join("+")));
        if !mcp.versions.is_empty() {
            details.push(format!("versions={}", mcp.versions.join(",")));
        }
        if let Some(tools) = mcp.tools {
            details.push(format!("tools={tools}"));
        }
        if let (true, Some(digest)) = (group.tools_differ, &mcp.tools_digest) {
            details.push(format!("digest={digest}"));
        }
    }
    if group.primary_key.as_ref() == Some(&peer.name) {
        details.push("primary".to_owned());
    }
    details.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{BreakerStatus, McpStatus};

    fn peer(name: &str, health: &str, breaker: &str) -> PeerStatus {
        PeerStatus {
            name: name.to_owned(),
            url: format!("http://{name}:9001/mcp"),
            priority: 1,
            weight: 1,
            region: None,
            health: health.to_owned(),
            admin: "enabled".to_owned(),
            usable: health == "healthy" && breaker == "closed",
            breaker: BreakerStatus {
                state: breaker.to_owned(),
                reopens_in_ms: (breaker == "open").then_some(1_500),
                last_trip: None,
            },
            in_flight: 2,
            consecutive_failures: 0,
            losses: 0,
            cooling_ms: None,
            mcp: (name == "eu").then(|| McpStatus {
                eras: vec!["legacy".to_owned(), "modern".to_owned()],
                versions: vec!["2025-11-25".to_owned(), "2026-07-28".to_owned()],
                tools: Some(3),
                tools_digest: Some("00ab".to_owned()),
                ..McpStatus::default()
            }),
        }
    }

    #[test]
    fn a_group_is_a_row_and_its_peers_are_rows_below_it() {
        let peers = vec![
            peer("eu", "healthy", "closed"),
            peer("us", "healthy", "open"),
            peer("asia", "unhealthy", "closed"),
        ];
        let group = GroupStatus {
            name: "search".to_owned(),
            mode: "active-active".to_owned(),
            strategy: "round_robin".to_owned(),
            state: "partial".to_owned(),
            primary_key: Some("eu".to_owned()),
            primary_healthy: true,
            total_backends: 3,
            healthy_backends: 1,
            last_failover: None,
            active_tier: 1,
            forced: None,
            panic: false,
            retry_tokens: 10,
            eras_differ: true,
            tools_differ: true,
            peers,
        };
        let text = table(&[group]);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let rows: Vec<String> = text.lines().map(words).collect();
        assert_eq!(
            rows,
            [
                "NAME KIND STATE DETAILS",
                "search group partial strategy=round_robin members=1/3 healthy eras_differ tools_differ",
                "eu peer ready url=http://eu:9001/mcp tier=1 breaker=closed in_flight=2 mcp=legacy+modern versions=2025-11-25,2026-07-28 tools=3 digest=00ab primary",
                "us peer open url=http://us:9001/mcp tier=1 breaker=open in_flight=2 retry_in=1500ms",
                "asia peer unhealthy url=http://asia:9001/mcp tier=1 breaker=closed in_flight=2",
            ]
        );
    }
}
