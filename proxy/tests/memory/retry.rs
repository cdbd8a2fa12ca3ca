//! When a request is tried again, how often, and what its client gets in the end.

use crate::support::{Answer, Ask, Client, Plan, Script, Step, World, run, settle, within};
use lb::Jitter;
use proxy::memory::Connecting;
use proxy::session::End;
use std::time::Duration;
use tokio::time::Instant;

#[test]
fn a_bad_status_is_tried_elsewhere_when_it_is_listed_and_safe() {
    let plain = |status| Script::status(status);
    let later = |wait: &str| Script::answer(Answer::new(503, "later").field("retry-after", wait));
    for (method, script, status, peers) in [
        ("GET", plain(502), 200, vec![0, 1]),
        ("GET", plain(503), 200, vec![0, 1]),
        ("GET", plain(504), 200, vec![0, 1]),
        ("GET", later("1"), 200, vec![0, 1]),
        ("GET", later("3600"), 200, vec![0, 1]),
        // Load: another peer may have less of it.
        ("GET", plain(429), 200, vec![0, 1]),
        ("PUT", plain(503), 200, vec![0, 1]),
        // Not listed.
        ("GET", plain(500), 500, vec![0]),
        ("GET", plain(404), 404, vec![0]),
        // Not safe.
        ("POST", plain(503), 503, vec![0]),
        ("POST", plain(429), 429, vec![0]),
        // Not processed, says the peer (RFC 9110 §15.5.20), so even a POST goes on.
        ("POST", plain(421), 200, vec![0, 0]),
    ] {
        run(async {
            let world = World::new(2);
            let row = format!("{method} {script:?}");
            world.peers[0].next(script);
            let mut client = Client::new(&world).await;
            let ask = Ask::new(method, "/status").body("x");
            let reply = client.ask(&ask).await.unwrap();
            assert_eq!(reply.status, status, "{row}");
            assert_eq!(world.ledger.peers_of("/status"), peers, "{row}");
        });
    }
}

#[test]
fn after_the_last_attempt_the_client_gets_the_last_answer_of_a_peer() {
    run(async {
        let world = World::new(2);
        for (peer, body) in [(0, "first"), (1, "second")] {
            world.peers[peer].always(Script::answer(
                Answer::new(503, body).field("x-kept", "yes"),
            ));
        }
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/all")).await.unwrap();
        assert_eq!((reply.status, reply.head.get("x-kept")), (503, Some("yes")));
        assert_eq!(reply.proxy_error(), None);
        assert_eq!(world.ledger.peers_of("/all").len(), 3);
        // A peer's answer is better than an error of ours.
        world.network.kill(world.peers[1].ip());
        let reply = client.ask(&Ask::get("/then-refused")).await.unwrap();
        assert_eq!((reply.status, reply.head.get("x-kept")), (503, Some("yes")));
    });
}

#[test]
fn timeouts_are_504_and_say_which() {
    struct Row(&'static str, fn(&mut Plan), Option<Script>, u64);
    let second = Duration::from_secs(1);
    let hang = || Script::then(Step::Hang);
    let rows = [
        Row("connection_timeout", |_| {}, None, 1000),
        Row(
            "http_response_timeout",
            |plan| plan.group.timeouts.first_byte = Some(Duration::from_secs(3)),
            Some(hang()),
            3000,
        ),
        Row(
            "http_response_timeout",
            |plan| plan.group.timeouts.total = Some(Duration::from_secs(2)),
            Some(hang()),
            2000,
        ),
        Row(
            "http_response_timeout",
            |plan| plan.group.policy.retry.per_try = Some(Duration::from_millis(500)),
            // Of three attempts on one peer the last has all the time there is.
            Some(hang()),
            60_000,
        ),
    ];
    for Row(error, change, script, least) in rows {
        run(async {
            let mut plan = Plan::new(1);
            plan.group.timeouts.connect = second;
            plan.group.policy.retry.window = Duration::from_secs(600);
            if least < 60_000 {
                plan.group.policy.retry.attempts = 1;
            }
            change(&mut plan);
            let world = plan.start();
            if let Some(script) = script {
                world.peers[0].always(script);
            } else {
                let host = world.peers[0].ip();
                world.network.set_connecting(host, Connecting::Hang);
            }
            let mut client = Client::new(&world).await;
            let began = Instant::now();
            let reply = client.ask(&Ask::get("/late")).await.unwrap();
            assert_eq!((reply.status, reply.proxy_error()), (504, Some(error)));
            let took = began.elapsed();
            let least = Duration::from_millis(least);
            // Virtual time: exact but for the coarse tick and the waits between attempts.
            assert!(
                took >= least && took < least + 4 * second,
                "{error}: {took:?}"
            );
        });
    }
}

#[test]
fn one_attempt_s_patience_moves_a_request_from_a_silent_peer() {
    run(async {
        let mut plan = Plan::new(2);
        plan.group.policy.retry.per_try = Some(Duration::from_millis(300));
        let world = plan.start();
        world.peers[0].always(Script::then(Step::Hang));
        let mut client = Client::new(&world).await;
        let ask = Ask::get("/move");
        let asked = within(Duration::from_secs(1), client.ask(&ask));
        let reply = asked.await.unwrap();
        assert_eq!((reply.status, reply.peer()), (200, Some("1")));
        // What may not run twice waits on.
        world.peers[0].next(Script(vec![
            Step::Body,
            Step::Wait(Duration::from_secs(2)),
            Step::Answer(Answer::new(200, "at last")),
        ]));
        let reply = client.ask(&Ask::post("/stay", "x")).await.unwrap();
        assert_eq!(reply.text(), "at last");
    });
}

#[test]
fn attempts_are_bounded() {
    for (attempts, hard_cap) in [(1, 5), (2, 5), (3, 5), (4, 4)] {
        run(async {
            let mut plan = Plan::new(5);
            plan.group.policy.retry.attempts = attempts;
            plan.group.policy.retry.hard_cap = hard_cap;
            let world = plan.start();
            for peer in &world.peers {
                peer.always(Script::then(Step::Reset));
            }
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::get("/bounded")).await.unwrap();
            assert_eq!(reply.status, 502);
            let received = world.ledger.peers_of("/bounded");
            assert_eq!(received.len(), attempts as usize, "{received:?}");
        });
    }
}

#[test]
fn no_attempt_begins_after_the_window() {
    run(async {
        let mut plan = Plan::new(1);
        let retry = &mut plan.group.policy.retry;
        (retry.attempts, retry.hard_cap) = (50, 50);
        retry.window = Duration::from_secs(3);
        retry.budget.reserve = 100;
        plan.group.policy.breaker = None;
        let world = plan.start();
        world.peers[0].always(Script::then(Step::Reset));
        let mut client = Client::new(&world).await;
        let began = Instant::now();
        assert_eq!(client.ask(&Ask::get("/window")).await.unwrap().status, 502);
        let entries = world.ledger.entries();
        assert!(entries.len() > 2);
        let last = entries.last().unwrap().at;
        assert!(last.duration_since(began) <= Duration::from_secs(3));
    });
}

#[test]
fn charged_attempts_are_bounded_by_the_budget_and_free_ones_are_not() {
    run(async {
        let mut plan = Plan::new(1);
        let retry = &mut plan.group.policy.retry;
        (retry.attempts, retry.hard_cap) = (50, 50);
        retry.window = Duration::from_secs(60);
        retry.budget.percent = 0;
        retry.budget.per_second = 0;
        retry.budget.reserve = 4;
        plan.group.policy.breaker = None;
        let world = plan.start();
        world.peers[0].always(Script::then(Step::Reset));
        let mut client = Client::new(&world).await;
        assert_eq!(client.ask(&Ask::get("/charged")).await.unwrap().status, 502);
        assert_eq!(world.ledger.peers_of("/charged").len(), 5);
        assert_eq!(world.group.metrics.retries.budget.get(), 1);
        // A failover of what was never sent costs nothing.
        world
            .network
            .set_connecting(world.peers[0].ip(), Connecting::Refuse);
        assert_eq!(client.ask(&Ask::get("/free")).await.unwrap().status, 502);
        assert!(world.spy.only_logged("/free").attempts.len() > 10);
    });
}

#[test]
fn a_client_that_leaves_ends_the_wait_for_another_attempt() {
    run(async {
        let mut plan = Plan::new(1);
        let backoff = &mut plan.group.policy.retry.backoff;
        (backoff.initial, backoff.max) = (Duration::from_secs(5), Duration::from_secs(5));
        backoff.jitter = Jitter::None;
        let world = plan.start();
        world.peers[0].next(Script::then(Step::Reset));
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/left").bytes()).await;
        settle(Duration::from_secs(1)).await;
        drop(client);
        settle(Duration::from_secs(60)).await;
        assert_eq!(world.ledger.peers_of("/left"), [0]);
        let logged = world.spy.only_logged("/left");
        assert_eq!((logged.end, logged.status), (End::Cancelled, None));
        world.assert_idle();
    });
}

#[test]
fn a_client_that_leaves_says_nothing_about_the_peer() {
    for script in [
        Script(vec![Step::Hang]),
        Script::then(Step::Hang),
        Script(vec![
            Step::Body,
            Step::Write(b"HTTP/1.1 200 O".to_vec()),
            Step::Hang,
        ]),
    ] {
        run(async {
            let world = World::new(1);
            world.peers[0].always(script.clone());
            for method in ["GET", "POST"].repeat(10) {
                let mut client = Client::new(&world).await;
                let ask = Ask::new(method, "/left").body("body");
                client.send(&ask.bytes()).await;
                settle(Duration::from_millis(50)).await;
                drop(client);
                settle(Duration::from_millis(50)).await;
            }
            assert_eq!(world.ledger.entries().len(), 20);
            assert_eq!(world.view()[0].failures, 0, "{script:?}");
            assert!(world.spy.changes().is_empty(), "{script:?}");
            assert_eq!(world.spy.logged().len(), 20);
            world.assert_idle();
            // The peer learns that nobody waits: its connections are gone.
            assert_eq!(world.network.connections(world.peers[0].ip()), 0);
        });
    }
}

#[test]
fn waits_between_attempts_grow() {
    run(async {
        let mut plan = Plan::new(5);
        let retry = &mut plan.group.policy.retry;
        (retry.attempts, retry.hard_cap) = (4, 4);
        retry.backoff.initial = Duration::from_millis(100);
        retry.backoff.max = Duration::from_secs(10);
        retry.backoff.jitter = Jitter::None;
        let world = plan.start();
        for peer in &world.peers {
            peer.always(Script::then(Step::Reset));
        }
        let mut client = Client::new(&world).await;
        client.ask(&Ask::get("/grow")).await.unwrap();
        let times: Vec<_> = world
            .ledger
            .entries()
            .iter()
            .map(|entry| entry.at)
            .collect();
        let waits: Vec<_> = times
            .windows(2)
            .map(|two| two[1].duration_since(two[0]).as_millis())
            .collect();
        assert_eq!(waits, [100, 200, 400]);
    });
}
