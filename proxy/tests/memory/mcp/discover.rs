//! `server/discover`: a client that is refused falls back to the legacy era for good.

use super::world::post;
use super::{Speaks, World};
use crate::support::{Reply, run, settle};
use proxy::settings::Probe;
use std::net::IpAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn discover(world: &World) -> Reply {
    world.modern("server/discover").await
}

#[test]
fn rule_24_failures_and_load_are_masked_and_refusals_pass() {
    for (status, seen) in [
        (500, 200),
        (502, 200),
        (503, 200),
        (504, 200),
        (429, 200),
        (401, 401),
        (403, 403),
    ] {
        run(async {
            let world = World::new(&[Speaks::Modern]);
            settle(SECOND).await;
            world.servers[0].state().refuses = Some((status, "retry-after: 1\r\n"));
            let reply = discover(&world).await;
            assert_eq!(reply.status, seen, "{status}: {}", reply.text());
            if seen == 200 {
                // What the prober was told, to everybody, under the id of this request.
                let text = reply.text();
                assert!(text.contains(r#""id":7,"#), "{text}");
                assert!(text.contains("supportedVersions"), "{text}");
                assert_eq!(world.group.metrics.discover_recalled.get(), 1);
            }
        });
    }
}

#[test]
fn rule_24_errors_about_the_request_pass() {
    for code in [-32020, -32021, -32022] {
        run(async {
            // Nobody knows what the peers speak.
            let world = World::with(&[Speaks::Modern, Speaks::Legacy], |group| {
                group.health_check.probe = Some(Probe::None);
            });
            world.servers[0].state().refuses_discover = Some((400, code));
            let reply = discover(&world).await;
            assert_eq!(reply.status, 400);
            assert!(reply.text().contains(&code.to_string()), "{}", reply.text());
        });
    }
}

#[test]
fn rule_24_without_a_remembered_answer_it_is_503() {
    for refuses in [None, Some((500, "")), Some((429, ""))] {
        run(async {
            let world = World::with(&[Speaks::Modern, Speaks::Modern], |group| {
                group.health_check.probe = Some(Probe::None);
            });
            for (host, server) in (1..).zip(&world.servers) {
                match refuses {
                    Some(_) => server.state().refuses = refuses,
                    None => world.network.kill(IpAddr::from([10, 0, 0, host])),
                }
            }
            let reply = discover(&world).await;
            assert_eq!(reply.status, 503, "{}", reply.text());
            assert!(reply.text().contains(r#""id":7,"#), "{}", reply.text());
        });
    }
}

#[test]
fn rule_24_a_legacy_peers_refusal_counts_only_without_a_modern_peer() {
    for (speaks, status) in [
        ([Speaks::Legacy, Speaks::Modern], 200),
        ([Speaks::Legacy, Speaks::Legacy], 400),
    ] {
        run(async {
            // Nobody has asked the peers beforehand.
            let world = World::with(&speaks, |group| {
                group.health_check.probe = Some(Probe::None);
            });
            let reply = discover(&world).await;
            assert_eq!(reply.status, status, "{}", reply.text());
            assert_eq!(world.servers[0].count("server/discover"), 1);
            discover(&world).await;
            let again = usize::from(status == 400);
            assert_eq!(world.servers[0].count("server/discover"), 1 + again);
        });
    }
}

/// The legacy peer is asked nothing while the modern one is down, so there is no refusal to pass.
#[test]
fn rule_24_a_legacy_peer_does_not_speak_for_a_modern_one_that_is_down() {
    run(async {
        let world = World::with(&[Speaks::Legacy, Speaks::Modern], |group| {
            group.health_check.probe = Some(Probe::None);
        });
        world.network.kill(IpAddr::from([10, 0, 0, 2]));
        for _ in 0..2 {
            let reply = discover(&world).await;
            assert_eq!(reply.status, 503, "{}", reply.text());
        }
    });
}

#[test]
fn a_plain_modern_request_keeps_its_own_answers() {
    run(async {
        let world = World::new(&[Speaks::Modern]);
        settle(SECOND).await;
        world.servers[0].state().refuses = Some((500, ""));
        let ask = post("tools/list").field("mcp-protocol-version", "2026-07-28");
        let reply = world.ask(&ask.field("mcp-method", "tools/list")).await;
        assert_eq!(reply.status, 500);
    });
}
