//! Pools of servers that do not all serve the same era.

use super::{Speaks, World};
use crate::support::{run, settle, within};
use proxy::known::Serves;
use proxy::mcp::Era;
use proxy::memory::Connecting;
use std::net::IpAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_a_peer_speaks_is_known_from_its_probes() {
    for (speaks, legacy, modern, versions) in [
        (Speaks::Legacy, Serves::Yes, Serves::No, "2025-06-18"),
        (Speaks::Modern, Serves::No, Serves::Yes, "2026-07-28"),
        (
            Speaks::Both,
            Serves::Yes,
            Serves::Yes,
            "2025-06-18 2026-07-28",
        ),
    ] {
        run(async {
            let world = World::new(&[speaks]);
            settle(SECOND).await;
            let eras = world.group.peers[0].known.eras();
            assert_eq!(eras.serves(Era::Legacy), legacy, "{speaks:?}");
            assert_eq!(eras.serves(Era::Modern), modern, "{speaks:?}");
            let known: Vec<String> = eras.versions().map(|one| one.to_string()).collect();
            assert_eq!(known.join(" "), versions, "{speaks:?}");
        });
    }
}

/// It never refuses a `ping`, so nothing else would ever tell.
#[test]
fn a_peer_without_sessions_that_speaks_more_after_a_restart_is_found_out() {
    run(async {
        let world = World::new(&[Speaks::Both]);
        {
            let mut state = world.servers[0].state();
            state.keeps_sessions = false;
            state.refuses_discover = Some((500, -32603));
        }
        let modern = || {
            let eras = world.group.peers[0].known.eras();
            eras.serves(Era::Modern)
        };
        settle(10 * SECOND).await;
        assert_eq!(modern(), Serves::No);
        world.servers[0].state().refuses_discover = None;
        settle(90 * SECOND).await;
        assert_eq!(modern(), Serves::Yes);
    });
}

/// Without a path in its URL a peer is asked at `/`, until a client was seen to be served elsewhere.
#[test]
fn what_a_peer_speaks_is_asked_in_one_place() {
    for arrival in 0..60 {
        run(async move {
            let world = World::with(&[Speaks::Both], |group| {
                group.peers[0].url.path.clear();
                group.health_check.interval = SECOND;
            });
            world.servers[0].state().place = Some("/mcp");
            let slow = Connecting::Delay(Duration::from_millis(100));
            world
                .network
                .set_connecting(IpAddr::from([10, 0, 0, 1]), slow);
            settle(Duration::from_millis(1_000 + 25 * arrival)).await;
            assert_eq!(world.legacy("initialize").await.status, 200);
            settle(10 * SECOND).await;
            let eras = world.group.peers[0].known.eras();
            assert_eq!(eras.serves(Era::Legacy), Serves::Yes);
            assert_eq!(
                eras.serves(Era::Modern),
                Serves::Yes,
                "after {arrival} x 25 ms"
            );
        });
    }
}

/// The preferred peer serves the other era. The client does not wait: the proxy does.
#[test]
fn rule_25_requests_go_to_peers_that_serve_their_era() {
    for (speaks, modern, method) in [
        ([Speaks::Modern, Speaks::Legacy], false, "initialize"),
        ([Speaks::Legacy, Speaks::Modern], true, "tools/list"),
        ([Speaks::Legacy, Speaks::Modern], true, "server/discover"),
    ] {
        run(async {
            let world = World::new(&speaks);
            for _ in 0..5 {
                let reply = if modern {
                    world.modern(method).await
                } else {
                    world.legacy(method).await
                };
                let text = reply.text();
                assert_eq!(reply.status, 200, "{method}: {text}");
                assert!(text.contains("\"result\""), "{method}: {text}");
            }
        });
    }
}

#[test]
fn rule_25_without_a_peer_of_its_era_a_request_gets_the_peers_own_answer() {
    run(async {
        let world = World::new(&[Speaks::Legacy]);
        let reply = world.modern("tools/list").await;
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains("-32601"), "{}", reply.text());
    });
}

#[test]
fn rule_25_a_request_does_not_go_to_the_other_era_when_its_own_is_down() {
    run(async {
        let world = World::new(&[Speaks::Modern, Speaks::Legacy]);
        settle(SECOND).await;
        world.network.kill(IpAddr::from([10, 0, 0, 1]));
        for _ in 0..20 {
            let reply = world.modern("resources/list").await;
            assert_eq!(reply.status, 503, "{}", reply.text());
            settle(SECOND).await;
        }
        assert_eq!(world.servers[1].count("resources/list"), 0);
    });
}

#[test]
fn a_peer_that_does_not_say_what_it_speaks_is_tried_in_the_end() {
    run(async {
        let world = World::new(&[Speaks::Modern, Speaks::Legacy]);
        world.network.freeze(IpAddr::from([10, 0, 0, 1]));
        let reply = within(70 * SECOND, world.legacy("ping")).await;
        assert!(
            reply.status == 200 || reply.status == 400,
            "{}",
            reply.text()
        );
    });
}
