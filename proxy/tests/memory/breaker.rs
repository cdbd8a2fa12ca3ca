//! Peers that are out: who notices, who does not pay for it, and how they come back.

use crate::support::{Answer, Ask, Client, Plan, Script, Step, World, run, settle, within};
use lb::{BreakerView, Change, HealthView};
use proxy::memory::Connecting;
use proxy::settings::{HttpProbe, Probe};
use std::time::Duration;
use tokio::time::Instant;

async fn get(world: &World, target: &str) -> crate::support::Reply {
    let mut client = Client::new(world).await;
    client.ask(&Ask::get(target)).await.unwrap()
}

/// Kills all peers, and asks until every breaker is open.
async fn open_all(world: &World) {
    for peer in &world.peers {
        world.network.kill(peer.ip());
    }
    for _ in 0..30 {
        get(world, "/open").await;
    }
    for peer in world.view() {
        assert!(matches!(peer.breaker, BreakerView::Open { .. }), "{peer:?}");
    }
}

fn slow_to_reopen(peers: u8) -> Plan {
    let mut plan = Plan::new(peers);
    let breaker = plan.group.policy.breaker.as_mut().unwrap();
    breaker.open_for = Duration::from_secs(60);
    plan
}

#[test]
fn when_all_are_open_answers_come_at_once_and_no_connection_is_made() {
    run(async {
        let world = slow_to_reopen(2).start();
        open_all(&world).await;
        let connects = |world: &World| -> Vec<u64> {
            let hosts = world
                .peers
                .iter()
                .map(|peer| world.network.connects(peer.ip()));
            hosts.collect()
        };
        let refused = world.group.metrics.failures.all_open.get();
        let (before, began) = (connects(&world), Instant::now());
        for _ in 0..20 {
            let reply = get(&world, "/all-open").await;
            assert_eq!(reply.status, 503);
            assert_eq!(reply.proxy_error(), Some("destination_unavailable"));
            let wait: u64 = reply.head.get("retry-after").unwrap().parse().unwrap();
            assert!((1..=90).contains(&wait), "{wait}");
        }
        assert_eq!(connects(&world), before);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(world.group.metrics.failures.all_open.get() - refused, 20);
    });
}

#[test]
fn the_prober_brings_peers_back_without_a_request_to_pay_for_it() {
    for probe in [Probe::Tcp, Probe::Http(HttpProbe::default())] {
        run(async {
            let mut plan = slow_to_reopen(2);
            plan.group.health_check.probe = Some(probe.clone());
            let world = plan.start();
            open_all(&world).await;
            settle(Duration::from_secs(20)).await;
            let unhealthy = world
                .view()
                .iter()
                .all(|peer| peer.health == HealthView::Unhealthy);
            assert!(unhealthy, "{:?}", world.view());
            for peer in &world.peers {
                world.network.restart(peer.ip());
            }
            settle(Duration::from_secs(20)).await;
            for number in 0..10 {
                let reply = get(&world, &format!("/back/{number}")).await;
                assert_eq!(reply.status, 200, "{probe:?}");
            }
            assert_eq!(world.view()[0].breaker, BreakerView::Closed);
        });
    }
}

#[test]
fn connections_of_probes_are_counted_apart() {
    for probe in [Probe::Tcp, Probe::Http(HttpProbe::default())] {
        run(async {
            let mut plan = Plan::new(1);
            plan.group.health_check.probe = Some(probe.clone());
            let world = plan.start();
            settle(Duration::from_secs(60)).await;
            get(&world, "/one").await;
            let metrics = &world.group.peers[0].metrics;
            let (probes, requests) = (metrics.probe_connections.get(), metrics.connections.get());
            assert!(probes >= 10, "{probe:?}: {probes}");
            assert_eq!(requests, 1, "{probe:?}");
            let made = world.network.connects(world.peers[0].ip());
            assert_eq!(probes + requests, made, "{probe:?}");
        });
    }
}

#[test]
fn without_a_prober_a_request_tries_the_peer_out() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group
            .policy
            .breaker
            .as_mut()
            .unwrap()
            .success_threshold = 2;
        let world = plan.start();
        open_all(&world).await;
        world.network.restart(world.peers[0].ip());
        assert_eq!(get(&world, "/early").await.status, 503);
        settle(Duration::from_secs(90)).await;
        assert_eq!(get(&world, "/one").await.status, 200);
        assert_eq!(world.view()[0].breaker, BreakerView::HalfOpen);
        assert_eq!(get(&world, "/two").await.status, 200);
        assert_eq!(world.view()[0].breaker, BreakerView::Closed);
    });
}

#[test]
fn one_request_at_a_time_tries_a_peer_out() {
    run(async {
        let world = World::new(1);
        open_all(&world).await;
        world.network.restart(world.peers[0].ip());
        world.peers[0].always(Script(vec![
            Step::Body,
            Step::Wait(Duration::from_millis(500)),
            Step::Answer(Answer::new(200, "slow")),
        ]));
        settle(Duration::from_secs(90)).await;
        let mut clients = Vec::new();
        for number in 0..10 {
            let mut client = Client::new(&world).await;
            client
                .send(&Ask::get(&format!("/try/{number}")).bytes())
                .await;
            clients.push(client);
        }
        settle(Duration::from_millis(490)).await;
        assert_eq!(world.ledger.entries().len(), 1);
        // The others wait for what becomes of it.
        for client in &mut clients {
            assert_eq!(client.wire.reply("GET").await.unwrap().status, 200);
        }
        assert_eq!(world.view()[0].breaker, BreakerView::Closed);
    });
}

#[test]
fn nobody_waits_for_a_probe_that_hangs() {
    run(async {
        let world = World::new(1);
        open_all(&world).await;
        world.network.restart(world.peers[0].ip());
        world.peers[0].always(Script::then(Step::Hang));
        settle(Duration::from_secs(90)).await;
        let mut probe = Client::new(&world).await;
        probe.send(&Ask::get("/probe").bytes()).await;
        settle(Duration::from_secs(1)).await;
        for waited in [1, 0] {
            let began = Instant::now();
            assert_eq!(get(&world, "/other").await.status, 503);
            assert_eq!(began.elapsed().as_secs(), waited);
        }
        assert_eq!(world.ledger.entries().len(), 1);
    });
}

#[test]
fn a_probe_whose_client_leaves_frees_its_slot() {
    run(async {
        let world = World::new(1);
        open_all(&world).await;
        world.network.restart(world.peers[0].ip());
        settle(Duration::from_secs(90)).await;
        world.peers[0].next(Script::then(Step::Hang));
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/probe").bytes()).await;
        settle(Duration::from_millis(10)).await;
        let mut other = Client::new(&world).await;
        other.send(&Ask::get("/other").bytes()).await;
        settle(Duration::from_millis(100)).await;
        assert_eq!(world.ledger.entries().len(), 1);
        drop(client);
        assert_eq!(other.wire.reply("GET").await.unwrap().status, 200);
    });
}

#[test]
fn requests_that_wait_on_a_frozen_peer_move_when_the_probe_finds_it() {
    run(async {
        let mut plan = Plan::new(2);
        plan.group.health_check.probe = Some(Probe::Http(HttpProbe::default()));
        plan.group.health_check.interval = Duration::from_secs(1);
        plan.group.health_check.timeout = Duration::from_millis(500);
        plan.group.policy.health.unhealthy_threshold = 2;
        let world = plan.start();
        settle(Duration::from_secs(3)).await;
        assert_eq!(get(&world, "/before").await.peer(), Some("0"));
        world.network.freeze(world.peers[0].ip());
        let mut waiting = Vec::new();
        for ask in [Ask::get("/get"), Ask::new("PUT", "/put").body("x")] {
            let mut client = Client::new(&world).await;
            client.send(&ask.bytes()).await;
            waiting.push(client);
        }
        let mut stuck = Client::new(&world).await;
        stuck.send(&Ask::post("/post", "x").bytes()).await;
        within(Duration::from_secs(5), async {
            for client in &mut waiting {
                let reply = client.wire.reply("GET").await.unwrap();
                assert_eq!((reply.status, reply.peer()), (200, Some("1")));
            }
        })
        .await;
        // New ones go elsewhere at once; the one that may not move waits for its peer.
        assert_eq!(get(&world, "/after").await.peer(), Some("1"));
        settle(Duration::from_secs(5)).await;
        world.network.thaw(world.peers[0].ip());
        let reply = stuck.wire.reply("POST").await.unwrap();
        assert_eq!((reply.status, reply.peer()), (200, Some("0")));
    });
}

#[test]
fn a_slow_connection_is_given_up_and_opens_the_breaker() {
    run(async {
        let world = World::new(2);
        world
            .network
            .set_connecting(world.peers[0].ip(), Connecting::Hang);
        for number in 0..6 {
            assert_eq!(get(&world, &format!("/hang/{number}")).await.status, 200);
        }
        assert_eq!(world.network.connects(world.peers[0].ip()), 3);
        let opened = |change: &Change| matches!(change, Change::BreakerOpened { .. });
        assert_eq!(
            world
                .spy
                .changes()
                .iter()
                .filter(|change| opened(change))
                .count(),
            1
        );
        assert_eq!(world.group.peers[0].metrics.breaker_opened.get(), 1);
    });
}

#[test]
fn a_peer_that_answers_badly_is_taken_out() {
    for script in [Script::status(502), Script::then(Step::Reset)] {
        run(async {
            let world = World::new(2);
            world.peers[0].always(script.clone());
            for number in 0..6 {
                let mut client = Client::new(&world).await;
                let target = format!("/bad/{number}");
                drop(client.ask(&Ask::get(&target)).await);
            }
            let breaker = world.view()[0].breaker;
            assert!(matches!(breaker, BreakerView::Open { .. }), "{script:?}");
        });
    }
}

#[test]
fn when_health_checks_find_nobody_one_attempt_is_made_all_the_same() {
    run(async {
        let mut plan = Plan::new(2);
        plan.group.health_check.probe = Some(Probe::Http(HttpProbe {
            path: "/health".to_owned(),
            statuses: (204, 204),
        }));
        let world = plan.start();
        settle(Duration::from_secs(30)).await;
        assert!(
            world
                .view()
                .iter()
                .all(|peer| peer.health == HealthView::Unhealthy)
        );
        assert_eq!(get(&world, "/panic").await.status, 200);
        world.peers[0].next(Script::then(Step::Reset));
        world.peers[1].next(Script::then(Step::Reset));
        assert_eq!(get(&world, "/once").await.status, 502);
        assert_eq!(world.ledger.peers_of("/once").len(), 1);
    });
}
