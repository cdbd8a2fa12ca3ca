//! One look at every peer, without serving anybody.

use super::{Server, Speaks};
use crate::support::{PROXY, run};
use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::memory::{Connecting, MemoryNetwork};
use proxy::server::{Checked, Surveyed};
use proxy::settings::{GroupSettings, PeerSettings, Probe, Protocol, Settings};
use std::net::SocketAddr;
use std::time::Duration;

/// Peers at hosts 1, 2 …, at `/mcp`.
fn group(peers: u8, protocol: Protocol) -> GroupSettings {
    let peer = |number: u8| {
        let address = SocketAddr::from(([10, 0, 0, number], 80));
        let mut peer = PeerSettings::at(format!("peer-{number}"), address);
        "/mcp".clone_into(&mut peer.url.path);
        peer
    };
    let mut group = GroupSettings::new("g", (1..=peers).map(peer).collect());
    group.protocol = protocol;
    group
}

async fn survey(network: &MemoryNetwork, group: GroupSettings) -> Vec<Surveyed> {
    let settings = Settings {
        groups: vec![group],
        ..Settings::default()
    };
    let gateway = Gateway::new(&settings).unwrap();
    let options = gateway.server_settings(&settings);
    let clock = ClockSource::seeded(1);
    let server = proxy::server::Server::bind(network.clone(), gateway, clock, &options).unwrap();
    server.survey().await
}

/// Rules 25 and 24: what the eras and tools of the peers are, whether probes were due or not.
#[test]
fn a_look_tells_what_peers_speak_and_show_and_leaves_nothing_behind() {
    for protocol in [Protocol::Mcp, Protocol::Auto] {
        run(async {
            let network = MemoryNetwork::new(PROXY);
            let speaks = [Speaks::Legacy, Speaks::Modern, Speaks::Both];
            let servers: Vec<Server> = (1..)
                .zip(speaks)
                .map(|(host, speaks)| Server::start(&network, host, speaks))
                .collect();
            servers[1].state().tools = r#"{"tools":[{"name":"find","inputSchema":{}}]}"#.to_owned();
            let found = survey(&network, group(3, protocol)).await;
            let said: Vec<_> = found
                .iter()
                .map(|one| {
                    let known = &one.group.peer(one.peer).known;
                    let versions = known.eras().versions().map(|version| version.to_string());
                    (versions.collect::<Vec<_>>().join(" "), known.tools())
                })
                .collect();
            let said: Vec<_> = said
                .iter()
                .map(|(text, tools)| (text.as_str(), *tools))
                .collect();
            assert_eq!(
                said,
                [
                    ("2025-06-18", Some(0)),
                    ("2026-07-28", Some(1)),
                    ("2025-06-18 2026-07-28", Some(0)),
                ]
            );
            for one in &found {
                assert_eq!(one.checked, Ok(Checked::Passed));
                let connected = one.connected.clone().unwrap();
                assert!(!connected.tls && !connected.http2);
            }
            assert!(found[0].group.eras_differ() && found[0].group.tools_differ());
            let names = found[1].group.peer(found[1].peer).known.tool_names();
            assert!(names.unwrap().contains("find"));
            for server in &servers {
                assert!(server.state().sessions.is_empty());
            }
        });
    }
}

#[test]
fn peers_that_cannot_be_asked_say_why() {
    run(async {
        let network = MemoryNetwork::new(PROXY);
        let servers: Vec<Server> = (1..=4)
            .map(|host| Server::start(&network, host, Speaks::Legacy))
            .collect();
        let host = |number: u8| SocketAddr::from(([10, 0, 0, number], 80)).ip();
        network.set_connecting(host(1), Connecting::Refuse);
        network.set_connecting(host(2), Connecting::Hang);
        servers[2].state().refuses = Some((500, ""));
        servers[3].state().refuses = Some((429, "retry-after: 7\r\n"));
        let found = survey(&network, group(4, Protocol::Mcp)).await;
        let checked: Vec<_> = found.iter().map(|one| one.checked.clone()).collect();
        assert!(
            checked[0].as_ref().unwrap_err().contains("refused"),
            "{checked:?}"
        );
        assert_eq!(checked[1], Err("no connection in time".to_owned()));
        assert_eq!(checked[2], Err("status 500".to_owned()));
        assert_eq!(checked[3], Ok(Checked::Busy));
        let connected: Vec<_> = found.iter().map(|one| one.connected.is_ok()).collect();
        assert_eq!(connected, [false, false, true, true]);
    });
}

#[test]
fn plain_services_are_asked_no_mcp_and_unchecked_ones_only_for_a_connection() {
    run(async {
        for (probe, expected) in [
            (Probe::Tcp, Checked::Passed),
            (Probe::None, Checked::Unchecked),
        ] {
            let network = MemoryNetwork::new(PROXY);
            let server = Server::start(&network, 1, Speaks::Both);
            let mut group = group(1, Protocol::Http);
            group.health_check.probe = Some(probe);
            let found = survey(&network, group).await;
            assert_eq!(found[0].checked, Ok(expected));
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert!(server.state().asked.is_empty());
        }
    });
}
