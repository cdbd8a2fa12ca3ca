//! Health checks of MCP servers: they leave nothing behind, and tell life from death.

use super::{Speaks, World};
use crate::support::{run, settle, within};
use lb::HealthView;
use std::net::IpAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

#[test]
fn many_probes_keep_one_session_and_open_no_stream() {
    for (speaks, streams) in [
        (Speaks::Legacy, false),
        (Speaks::Legacy, true),
        (Speaks::Both, false),
    ] {
        run(async {
            let world = World::with(&[speaks], |group| {
                group.health_check.interval = SECOND / 10;
            });
            let server = &world.servers[0];
            server.state().streams = streams;
            settle(72 * SECOND).await;
            assert!(server.count("ping") > 600, "{}", server.count("ping"));
            assert_eq!(server.state().made, 1, "{speaks:?}");
            assert_eq!(server.count("notifications/initialized"), 1);
            assert_eq!(server.count("GET"), 0);
            assert_eq!(world.view()[0].health, HealthView::Healthy);
        });
    }
}

#[test]
fn modern_and_sessionless_servers_are_probed_without_a_session() {
    for (speaks, keeps, probe) in [
        (Speaks::Modern, true, "server/discover"),
        (Speaks::Both, false, "server/discover"),
        (Speaks::Legacy, false, "ping"),
    ] {
        run(async {
            let world = World::new(&[speaks]);
            world.servers[0].state().keeps_sessions = keeps;
            settle(60 * SECOND).await;
            let server = &world.servers[0];
            assert!(server.count(probe) >= 10, "{:?}", server.state().asked);
            assert!(server.count("initialize") <= 1);
            assert_eq!(server.state().made, 0);
            assert_eq!(world.view()[0].health, HealthView::Healthy);
        });
    }
}

#[test]
fn a_shutdown_ends_the_probe_session() {
    run(async {
        let world = World::new(&[Speaks::Legacy]);
        settle(10 * SECOND).await;
        assert_eq!(world.servers[0].state().sessions.len(), 1);
        world.control.shutdown();
        world.serving.await.unwrap().unwrap();
        assert!(world.servers[0].state().sessions.is_empty());
        assert_eq!(world.servers[0].count("DELETE"), 1);
    });
}

#[test]
fn a_frozen_peer_does_not_hold_up_the_shutdown() {
    run(async {
        let world = World::new(&[Speaks::Legacy]);
        settle(10 * SECOND).await;
        world.network.freeze(HOST);
        world.control.shutdown();
        within(5 * SECOND, world.serving).await.unwrap().unwrap();
    });
}

#[test]
fn a_restart_is_noticed_by_the_loss_of_the_probe_session() {
    run(async {
        let world = World::new(&[Speaks::Legacy]);
        let server = &world.servers[0];
        settle(10 * SECOND).await;
        let peer = &world.group.peers[0];
        assert_eq!(peer.known.incarnation(), 0);
        // Down for a while, with its sessions: the same process.
        world.network.kill(HOST);
        settle(10 * SECOND).await;
        assert_eq!(world.view()[0].health, HealthView::Unhealthy);
        world.network.restart(HOST);
        settle(10 * SECOND).await;
        assert_eq!((peer.known.incarnation(), server.state().made), (0, 1));
        server.restart();
        settle(10 * SECOND).await;
        assert_eq!((peer.known.incarnation(), server.state().made), (1, 2));
        assert_eq!(peer.metrics.restarts.get(), 1);
        assert_eq!(world.view()[0].health, HealthView::Healthy);
    });
}

#[test]
fn a_restart_is_noticed_by_what_the_peer_calls_itself() {
    run(async {
        let world = World::new(&[Speaks::Modern]);
        settle(10 * SECOND).await;
        world.servers[0].state().version = "2".to_owned();
        settle(10 * SECOND).await;
        assert_eq!(world.group.peers[0].known.incarnation(), 1);
        settle(10 * SECOND).await;
        assert_eq!(world.group.peers[0].known.incarnation(), 1);
    });
}

#[test]
fn a_refused_probe_is_a_sign_of_life() {
    for status in [401, 403, 404, 405, 406, 421] {
        run(async {
            let world = World::new(&[Speaks::Legacy]);
            world.servers[0].state().refuses = Some((status, ""));
            settle(60 * SECOND).await;
            assert_eq!(world.view()[0].health, HealthView::Healthy, "{status}");
            world.servers[0].state().refuses = None;
            settle(10 * SECOND).await;
            assert_eq!(world.servers[0].state().made, 1, "{status}");
        });
    }
}

#[test]
fn a_failing_probe_is_none() {
    for status in [500, 502, 503, 302, 200] {
        run(async {
            let world = World::new(&[Speaks::Legacy]);
            settle(10 * SECOND).await;
            world.servers[0].state().refuses = Some((status, ""));
            settle(30 * SECOND).await;
            assert_eq!(world.view()[0].health, HealthView::Unhealthy, "{status}");
        });
    }
}

#[test]
fn load_is_neither_life_nor_death() {
    for (status, line) in [(429, ""), (503, "retry-after: 20\r\n")] {
        run(async {
            let world = World::new(&[Speaks::Legacy]);
            settle(SECOND).await;
            let passed = world.group.peers[0].metrics.probes_passed.get();
            world.servers[0].state().refuses = Some((status, line));
            settle(30 * SECOND).await;
            let (peer, metrics) = (&world.view()[0], &world.group.peers[0].metrics);
            assert_eq!(peer.health, HealthView::Healthy, "{status}");
            assert_eq!(metrics.probes_failed.get(), 0, "{status}");
            assert_eq!(metrics.probes_passed.get(), passed, "{status}");
            assert!(metrics.probes_busy.get() >= 4, "{status}");
            assert_eq!(peer.cooling_until.is_some(), status == 503, "{status}");
        });
    }
}
