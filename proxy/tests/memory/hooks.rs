//! Hooks: called in order, each request logged once, and harmless when they panic.

use crate::support::{
    Answer, Ask, Client, End, Form, Plan, Script, Step, World, reply, run, settle,
};
use proxy::hooks::{Flow, Target};
use proxy::memory::Connecting;
use proxy::session::End as Ending;
use std::time::Duration;

const BEFORE: [&str; 2] = ["request_filter", "upstream_group"];

const SENT: [&str; 2] = ["connected_to_upstream", "upstream_request"];

#[test]
fn each_phase_is_called_in_its_order() {
    let all = |parts: &[&[&'static str]]| parts.concat();
    let reset = || Script::then(Step::Reset);
    let rows = [
        (
            "served",
            vec![],
            None,
            all(&[&BEFORE, &SENT, &["upstream_response", "logging"]]),
        ),
        (
            "refused",
            vec![],
            Some(Connecting::Refuse),
            all(&[
                &BEFORE,
                &["fail_to_connect"],
                &SENT,
                &["upstream_response", "logging"],
            ]),
        ),
        (
            "failed once",
            vec![reset()],
            None,
            all(&[
                &BEFORE,
                &SENT,
                &["error_while_proxy"],
                &SENT,
                &["upstream_response", "logging"],
            ]),
        ),
        (
            "bad status once",
            vec![Script::status(503)],
            None,
            all(&[&BEFORE, &SENT, &SENT, &["upstream_response", "logging"]]),
        ),
    ];
    for (row, scripts, connecting, expected) in rows {
        run(async {
            let world = World::new(2);
            for script in scripts {
                world.peers[0].next(script);
            }
            if let Some(connecting) = connecting {
                world
                    .network
                    .set_connecting(world.peers[0].ip(), connecting);
            }
            let mut client = Client::new(&world).await;
            assert_eq!(client.ask(&Ask::get("/order")).await.unwrap().status, 200);
            assert_eq!(world.spy.calls("/order"), expected, "{row}");
        });
    }
    run(async {
        let world = World::new(1);
        world.peers[0].next(reset());
        let mut client = Client::new(&world).await;
        client.ask(&Ask::post("/fails", "x")).await.unwrap();
        let end = ["error_while_proxy", "fail_to_proxy", "logging"];
        assert_eq!(
            world.spy.calls("/fails"),
            [&BEFORE[..], &SENT, &end].concat()
        );
    });
}

#[test]
fn a_filter_may_answer_and_the_body_goes_with_the_connection() {
    run(async {
        let mut plan = Plan::new(1);
        plan.wish.filter = Some(Box::new(|session| match session.request.uri.path() {
            "/mine" => Flow::Respond(reply(418, "short and stout")),
            _ => Flow::Continue,
        }));
        let world = plan.start();
        let mut client = Client::new(&world).await;
        let mine = client.ask(&Ask::get("/mine")).await.unwrap();
        assert_eq!(
            (mine.status, mine.text().as_str()),
            (418, "short and stout")
        );
        assert_eq!(world.spy.calls("/mine"), ["request_filter", "logging"]);
        let head = client.ask(&Ask::new("HEAD", "/mine")).await.unwrap();
        assert_eq!(head.head.get("content-length"), Some("15"));
        assert_eq!(client.ask(&Ask::get("/theirs")).await.unwrap().status, 200);
    });
}

#[test]
fn a_panic_in_a_hook_is_a_500_and_the_connection_goes_on() {
    for phase in [
        "request_filter",
        "upstream_group",
        "connected_to_upstream",
        "upstream_request",
        "upstream_response",
        "fail_to_connect",
        "error_while_proxy",
        "fail_to_proxy",
    ] {
        run(async {
            let mut plan = Plan::new(1);
            plan.group.policy.retry.attempts = 1;
            plan.wish.panic_in = Some(phase);
            let world = plan.start();
            match phase {
                "fail_to_connect" => {
                    let host = world.peers[0].ip();
                    world.network.set_connecting(host, Connecting::Refuse);
                }
                "error_while_proxy" | "fail_to_proxy" => {
                    world.peers[0].always(Script::then(Step::Reset));
                }
                _ => {}
            }
            let mut client = Client::new(&world).await;
            for target in ["/one", "/two"] {
                let answer = client.ask(&Ask::get(target)).await.unwrap();
                assert_eq!(answer.status, 500, "{phase}");
                assert_eq!(
                    answer.proxy_error(),
                    Some("proxy_internal_error"),
                    "{phase}"
                );
                assert!(!answer.closes(), "{phase}");
                world.spy.only_logged(target);
            }
            assert_eq!(world.metrics.panics.get(), 2, "{phase}");
            world.assert_idle();
        });
    }
}

#[test]
fn a_panic_while_logging_harms_nothing() {
    run(async {
        let mut plan = Plan::new(1);
        plan.wish.panic_in = Some("logging");
        let world = plan.start();
        let mut client = Client::new(&world).await;
        for target in ["/one", "/two"] {
            assert_eq!(client.ask(&Ask::get(target)).await.unwrap().text(), "hello");
        }
        assert_eq!(world.metrics.panics.get(), 2);
        world.assert_idle();
    });
}

#[test]
fn a_body_that_a_hook_has_read_is_sent_whole() {
    for (limit, size) in [
        (1000, 0),
        (1000, 999),
        (1000, 1000),
        (1000, 1001),
        (1000, 500_000),
    ] {
        for chunks in [None, Some(300)] {
            run(async {
                let mut plan = Plan::new(2);
                plan.limits.replay_body = 100;
                plan.wish.read_body = Some(limit);
                let world = plan.start();
                let body: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
                let ask = Ask {
                    chunks,
                    ..Ask::post("/read", body.clone())
                };
                let mut client = Client::new(&world).await;
                assert_eq!(client.ask(&ask).await.unwrap().status, 200);
                assert!(world.ledger.only("/read").body == body, "{size} {chunks:?}");
                // What was read is no reason to stay when no connection can be made.
                world.network.kill(world.peers[0].ip());
                let moved = Ask {
                    target: "/moved".to_owned(),
                    ..ask
                };
                let mut client = Client::new(&world).await;
                let answer = client.ask(&moved).await.unwrap();
                assert_eq!(answer.status, 200, "{size} {chunks:?}");
                assert!(
                    world.ledger.only("/moved").body == body,
                    "{size} {chunks:?}"
                );
            });
        }
    }
}

#[test]
fn a_target_may_be_one_peer_and_no_other() {
    run(async {
        let mut plan = Plan::new(3);
        plan.wish.target = Some(Box::new(|_, target| {
            Target::peer(target.group, lb::PeerIndex(2))
        }));
        let world = plan.start();
        let mut client = Client::new(&world).await;
        assert_eq!(
            client.ask(&Ask::get("/pin")).await.unwrap().peer(),
            Some("2")
        );
        world.network.kill(world.peers[2].ip());
        assert_eq!(client.ask(&Ask::get("/gone")).await.unwrap().status, 502);
        assert_eq!(world.network.connects(world.peers[0].ip()), 0);
    });
}

#[test]
fn a_request_is_logged_once_however_it_ends() {
    let slow = Duration::from_millis(100);
    let body: [&[u8]; 2] = [b"half", b"rest"];
    let paced = || Answer::new(200, "").pieces(&body, Form::Length, slow);
    for (row, script, leaves, end, status) in [
        (
            "whole",
            Script::status(200),
            None,
            Ending::Complete,
            Some(200),
        ),
        (
            "no answer",
            Script::then(Step::Reset),
            None,
            Ending::Complete,
            Some(502),
        ),
        (
            "cut",
            Script::answer(paced().cut(1, End::Close)),
            None,
            Ending::Cut,
            Some(200),
        ),
        (
            "left before the head",
            Script::then(Step::Hang),
            Some(50),
            Ending::Cancelled,
            None,
        ),
        (
            "left within the body",
            Script::answer(paced()),
            Some(50),
            Ending::Cancelled,
            Some(200),
        ),
    ] {
        run(async {
            let world = World::new(1);
            world.peers[0].next(script);
            let mut client = Client::new(&world).await;
            client.send(&Ask::post("/log", "x").bytes()).await;
            match leaves {
                Some(after) => settle(Duration::from_millis(after)).await,
                None => drop(client.wire.reply("POST").await),
            }
            drop(client);
            settle(Duration::from_secs(1)).await;
            let logged = world.spy.only_logged("/log");
            assert_eq!((logged.end, logged.status), (end, status), "{row}");
            assert_eq!(logged.attempts.len(), 1, "{row}");
            if row == "whole" {
                assert_eq!(logged.response_bytes, "status 200".len() as u64);
            }
            world.assert_idle();
        });
    }
}
