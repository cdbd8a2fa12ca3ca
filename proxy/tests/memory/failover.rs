//! What moves to another peer, and what never does.

use crate::support::{Answer, Ask, Client, Plan, Script, Step, World, run, settle};
use lb::Delivery;
use proxy::memory::Connecting;
use std::time::Duration;

/// Ways in which a peer can fail a request after bytes of it were sent.
fn failures() -> Vec<(&'static str, Script)> {
    let partial = b"HTTP/1.1 200 OK\r\ncontent-".to_vec();
    let garbage = b"\x00\x01\x02 nothing\r\n\r\n".to_vec();
    vec![
        ("reset before reading", Script(vec![Step::Reset])),
        ("close before reading", Script(vec![Step::Close])),
        (
            "reset after the head",
            Script(vec![Step::Head, Step::Reset]),
        ),
        ("reset after the body", Script::then(Step::Reset)),
        ("close after the body", Script::then(Step::Close)),
        (
            "garbage",
            Script(vec![Step::Body, Step::Write(garbage), Step::Close]),
        ),
        (
            "partial head, close",
            Script(vec![Step::Body, Step::Write(partial.clone()), Step::Close]),
        ),
        (
            "partial head, reset",
            Script(vec![Step::Body, Step::Write(partial), Step::Reset]),
        ),
        ("no answer", Script::then(Step::Hang)),
    ]
}

fn impatient(peers: u8) -> World {
    let mut plan = Plan::new(peers);
    plan.group.timeouts.first_byte = Some(Duration::from_secs(1));
    plan.start()
}

#[test]
fn a_failed_connection_moves_any_request_whatever_its_size() {
    let big = vec![b'x'; 1 << 20];
    let asks = [
        Ask::get("/r"),
        Ask::post("/r", big.clone()),
        Ask::post("/r", big).chunked(10_000),
    ];
    for connecting in [
        Connecting::Refuse,
        Connecting::Hang,
        Connecting::Delay(Duration::from_secs(5)),
    ] {
        for ask in &asks {
            run(async {
                let world = World::new(2);
                world
                    .network
                    .set_connecting(world.peers[0].ip(), connecting);
                let mut client = Client::new(&world).await;
                let reply = client.ask(ask).await.unwrap();
                let row = format!("{connecting:?} {}", ask.method);
                assert_eq!((reply.status, reply.peer()), (200, Some("1")), "{row}");
                let entry = world.ledger.only("/r");
                assert_eq!(entry.body, ask.body.clone().unwrap_or_default(), "{row}");
                assert_eq!(world.spy.only_logged("/r").attempts.len(), 2, "{row}");
            });
        }
    }
}

#[test]
fn every_address_of_a_name_is_tried() {
    run(async {
        let mut plan = Plan::new(2);
        plan.group.peers.truncate(1);
        plan.group.peers[0].url.host = "twins".to_owned();
        let world = plan.start();
        let spare = std::net::IpAddr::from([10, 0, 0, 77]);
        world
            .network
            .set_name("twins", &[spare, world.peers[0].ip()]);
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/named")).await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(world.network.connects(spare), 1);
    });
}

#[test]
fn a_post_is_never_repeated_once_a_byte_was_sent() {
    for (name, script) in failures() {
        run(async {
            let world = impatient(2);
            world.peers[0].next(script);
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::post("/once", "body")).await.unwrap();
            let status = if name == "no answer" { 504 } else { 502 };
            assert_eq!(reply.status, status, "{name}");
            assert!(reply.proxy_error().is_some(), "{name}");
            assert_eq!(
                world.spy.delivery("/once"),
                Some(Delivery::Unknown),
                "{name}"
            );
            assert_eq!(world.ledger.entries().len(), 1, "{name}");
            assert_eq!(world.ledger.entries()[0].peer, 0, "{name}");
        });
    }
}

#[test]
fn a_get_moves_to_the_next_peer() {
    for (name, script) in failures() {
        run(async {
            let world = impatient(2);
            world.peers[0].next(script);
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::get("/safe")).await.unwrap();
            assert_eq!((reply.status, reply.peer()), (200, Some("1")), "{name}");
            assert_eq!(world.ledger.entries().len(), 2, "{name}");
        });
    }
}

#[test]
fn a_replayed_body_has_the_same_bytes() {
    let body: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let plain = Ask::new("PUT", "/same").body(body.clone());
    for ask in [plain.clone(), plain.chunked(777)] {
        for script in [
            Script::then(Step::Reset),
            Script(vec![Step::Head, Step::Reset]),
        ] {
            run(async {
                let world = World::new(2);
                world.peers[0].next(script.clone());
                let mut client = Client::new(&world).await;
                let reply = client.ask(&ask).await.unwrap();
                assert_eq!((reply.status, reply.peer()), (200, Some("1")), "{script:?}");
                let entries = world.ledger.entries();
                assert!(entries[1].complete && entries[1].body == body, "{script:?}");
            });
        }
    }
}

#[test]
fn a_body_over_the_cap_streams_once() {
    run(async {
        let mut plan = Plan::new(2);
        plan.limits.replay_body = 1000;
        let world = plan.start();
        let mut client = Client::new(&world).await;
        let ask = |target| Ask::new("PUT", target).body(vec![7; 1001]);
        assert_eq!(client.ask(&ask("/fits")).await.unwrap().status, 200);
        world.peers[0].next(Script::then(Step::Reset));
        let reply = client.ask(&ask("/over")).await.unwrap();
        assert_eq!(reply.status, 502);
        assert_eq!(world.ledger.peers_of("/over"), [0]);
        // Not a byte of it was taken yet when no connection could be made.
        world.network.kill(world.peers[0].ip());
        let mut client = Client::new(&world).await;
        let reply = client.ask(&ask("/moved")).await.unwrap();
        assert_eq!((reply.status, reply.peer()), (200, Some("1")));
    });
}

/// A piece costs more than its bytes: a body of one-byte chunks must not get round the caps.
#[test]
fn a_body_in_too_many_pieces_streams_once() {
    // By default 8,192 pieces fit.
    for (pieces, moves) in [(8_000, true), (9_000, false)] {
        run(async {
            let world = World::new(2);
            world.peers[0].next(Script::then(Step::Reset));
            let ask = Ask::new("PUT", "/dust").body(vec![7; pieces]).chunked(1);
            let mut client = Client::new(&world).await;
            let reply = client.ask(&ask).await.unwrap();
            assert_eq!(reply.status == 200, moves, "{pieces}");
            assert_eq!(world.ledger.peers_of("/dust").len() == 2, moves, "{pieces}");
            let counted = world.metrics.limits.replay.get();
            assert_eq!(counted == 0, moves, "{pieces}");
        });
    }
}

#[test]
fn the_room_for_copies_is_shared_and_given_back() {
    run(async {
        let mut plan = Plan::new(2);
        // A piece counts as its bytes and what keeping it costs.
        plan.limits.replay_total = 1000 + 8 * size_of::<bytes::Bytes>();
        let world = plan.start();
        world.peers[0].next(Script::then(Step::Hang));
        let ask = |target, size| Ask::new("PUT", target).body(vec![7; size]);
        let mut first = Client::new(&world).await;
        first.send(&ask("/first", 600).bytes()).await;
        settle(Duration::from_millis(10)).await;
        // No room for this one: it streams, once.
        world.peers[0].next(Script::then(Step::Reset));
        let mut second = Client::new(&world).await;
        assert_eq!(second.ask(&ask("/second", 600)).await.unwrap().status, 502);
        drop(first);
        settle(Duration::from_millis(10)).await;
        world.peers[0].next(Script::then(Step::Reset));
        let mut third = Client::new(&world).await;
        assert_eq!(third.ask(&ask("/third", 1000)).await.unwrap().status, 200);
    });
}

#[test]
fn running_out_of_descriptors_is_no_fault_of_a_peer() {
    run(async {
        let world = World::new(2);
        world
            .network
            .set_connecting(world.peers[0].ip(), Connecting::Exhaust);
        let mut client = Client::new(&world).await;
        for _ in 0..10 {
            let reply = client.ask(&Ask::get("/full")).await.unwrap();
            assert_eq!(reply.status, 503);
            assert!(reply.head.get("retry-after").is_some());
        }
        assert!(world.view().iter().all(|peer| peer.failures == 0));
        assert_eq!(world.network.connects(world.peers[1].ip()), 0);
    });
}

#[test]
fn an_idle_connection_that_its_peer_closed_is_not_used() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        client.ask(&Ask::get("/one")).await.unwrap();
        world.network.reset_all(world.peers[0].ip());
        let reply = client.ask(&Ask::post("/two", "x")).await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(world.spy.only_logged("/two").attempts.len(), 1);
    });
}

#[test]
fn a_connection_that_ends_under_a_request_is_forgiven_once() {
    for (ask, status, received) in [
        (Ask::get("/race"), 200, vec![None, Some("/race")]),
        // A byte was sent: only what may run twice is sent again.
        (Ask::post("/race", "x"), 502, vec![None]),
    ] {
        for end in [Step::Close, Step::Reset] {
            run(async {
                let mut plan = Plan::new(2);
                plan.group.policy.retry.attempts = 1;
                let world = plan.start();
                let mut client = Client::new(&world).await;
                client.ask(&Ask::get("/first")).await.unwrap();
                world.peers[0].next(Script(vec![end.clone()]));
                let reply = client.ask(&ask).await.unwrap();
                assert_eq!(reply.status, status, "{ask:?} {end:?}");
                let entries = world.ledger.entries();
                let targets: Vec<_> = entries[1..].iter().map(|entry| entry.target()).collect();
                assert_eq!(targets, received, "{ask:?} {end:?}");
                assert!(entries.iter().all(|entry| entry.peer == 0));
                assert_eq!(world.view()[0].failures, 0);
            });
        }
    }
}

#[test]
fn what_reached_a_peer_is_not_said_to_be_unsent() {
    run(async {
        let world = World::new(2);
        world.peers[0].next(Script::then(Step::Reset));
        world.network.kill(world.peers[1].ip());
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/lost")).await.unwrap();
        assert_eq!(reply.status, 502);
        assert_eq!(reply.proxy_error(), Some("connection_terminated"));
        assert_eq!(world.spy.delivery("/lost"), Some(Delivery::Unknown));
        assert_eq!(world.ledger.only("/lost").peer, 0);
    });
}

#[test]
fn the_same_peer_again_is_a_wish_and_not_a_pin() {
    run(async {
        let mut plan = Plan::new(2);
        // The second failure opens the breaker of `b`, the only one that was not tried.
        let breaker = plan.group.policy.breaker.as_mut().unwrap();
        breaker.connect_failure_threshold = 1;
        breaker.failure_threshold = 10;
        plan.group.policy.retry.attempts = 5;
        plan.group.policy.retry.hard_cap = 5;
        let world = plan.start();
        world.peers[0].next(Script::then(Step::Reset));
        world.network.kill(world.peers[1].ip());
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/again")).await.unwrap();
        assert_eq!((reply.status, reply.peer()), (200, Some("0")));
    });
}

#[test]
fn an_answer_too_large_to_keep_still_counts_as_delivered() {
    run(async {
        let world = World::new(2);
        world.peers[0].next(Script::answer(Answer::new(503, vec![b'x'; 100_000])));
        world.network.kill(world.peers[1].ip());
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/large")).await.unwrap();
        // The last attempts go to `b`, then to whoever is left.
        assert!(matches!(reply.status, 200 | 502), "{reply:?}");
        assert_ne!(world.spy.delivery("/large"), Some(Delivery::NotSent));
    });
}
