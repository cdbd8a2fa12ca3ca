//! What was found of peers, for people.

use comfy_table::{Table, presets};

use super::live::{GroupFound, PeerFound};

/// A row for each group, below it one for each of its peers, and what an operator should know.
pub(super) fn text(groups: &[GroupFound]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["NAME", "KIND", "STATE", "DETAILS"]);
    for group in groups {
        let working = group.peers.iter().filter(|peer| peer.health != "failed");
        let (working, all) = (working.count(), group.peers.len());
        let state = match working {
            0 => "unavailable",
            working if working < all => "partial",
            _ => "ready",
        };
        let members = format!("members={working}/{all} working");
        table.add_row([
            group.name.clone(),
            "group".to_owned(),
            state.to_owned(),
            members,
        ]);
        for peer in &group.peers {
            table.add_row([
                format!("  {}", peer.name),
                "peer".to_owned(),
                peer.health.to_owned(),
                details(peer),
            ]);
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let notes = groups.iter().flat_map(notes);
    notes.fold(table.trim_fmt(), |text, note| format!("{text}\n{note}"))
}

fn details(peer: &PeerFound) -> String {
    let mut details = vec![format!("url={}", peer.url)];
    if let Some(version) = peer.http_version {
        let tls = if peer.tls { "+tls" } else { "" };
        details.push(format!("http={version}{tls}"));
    }
    if let Some(millis) = peer.connect_ms {
        details.push(format!("connect={millis:.1}ms"));
    }
    if let Some(mcp) = &peer.mcp {
        details.push(format!("mcp={}", mcp.eras.join("+")));
        details.push(format!("versions={}", mcp.versions.join(",")));
        if let Some(tools) = mcp.tools {
            details.push(format!("tools={tools}"));
        }
        if let Some(digest) = &mcp.tools_digest {
            details.push(format!("digest={digest}"));
        }
    }
    if let Some(error) = &peer.error {
        details.push(format!("error={error:?}"));
    }
    details.join("  ")
}

fn notes(group: &GroupFound) -> Vec<String> {
    let name = &group.name;
    let mut notes = Vec::new();
    if group.eras_differ {
        notes.push(format!(
            "note: the peers of `{name}` serve different eras of MCP; clients of each era are sent to those that serve it"
        ));
    }
    if group.tools_differ {
        let lacking: Vec<_> = group
            .peers
            .iter()
            .filter(|peer| !peer.lacks.is_empty())
            .map(|peer| format!("{} lacks {}", peer.name, peer.lacks.join(", ")))
            .collect();
        let how = if lacking.is_empty() {
            "the same names, but different definitions".to_owned()
        } else {
            lacking.join("; ")
        };
        notes.push(format!(
            "warning: the peers of `{name}` show different tools: {how}"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::McpStatus;

    fn peer(name: &str, era: &str, lacks: &[&str]) -> PeerFound {
        PeerFound {
            name: name.to_owned(),
            url: format!("http://{name}/mcp"),
            health: "passed",
            connect_ms: Some(1.5),
            http_version: Some("1.1"),
            mcp: Some(McpStatus {
                eras: vec![era.to_owned()],
                versions: vec!["2025-06-18".to_owned()],
                tools: Some(2),
                tools_digest: Some("00ab".to_owned()),
                ..McpStatus::default()
            }),
            lacks: lacks.iter().map(|&tool| tool.to_owned()).collect(),
            ..PeerFound::default()
        }
    }

    #[test]
    fn a_mixed_pool_that_drifts_is_told_of() {
        let dead = PeerFound {
            name: "down".to_owned(),
            url: "https://down".to_owned(),
            health: "failed",
            error: Some("no \"route\"".to_owned()),
            ..PeerFound::default()
        };
        let group = GroupFound {
            name: "search".to_owned(),
            eras_differ: true,
            tools_differ: true,
            peers: vec![
                peer("eu", "legacy", &["find"]),
                peer("us", "modern", &[]),
                dead,
            ],
        };
        let text = text(&[group]);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let rows: Vec<String> = text.lines().map(words).collect();
        assert_eq!(
            rows,
            [
                "NAME KIND STATE DETAILS",
                "search group partial members=2/3 working",
                "eu peer passed url=http://eu/mcp http=1.1 connect=1.5ms mcp=legacy versions=2025-06-18 tools=2 digest=00ab",
                "us peer passed url=http://us/mcp http=1.1 connect=1.5ms mcp=modern versions=2025-06-18 tools=2 digest=00ab",
                "down peer failed url=https://down error=\"no \\\"route\\\"\"",
                "note: the peers of `search` serve different eras of MCP; clients of each era are sent to those that serve it",
                "warning: the peers of `search` show different tools: eu lacks find",
            ]
        );
    }
}
