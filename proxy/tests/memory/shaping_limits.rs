//! What a route has narrower than its group: bodies, timeouts, retries.

use crate::support::{Answer, Ask, Form, Gate, Script, Step, chunk, group, route, run, settle};
use lb::{RetryOn, RetryPolicy};
use proxy::settings::{RouteSettings, Timeouts};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// A group that takes 1,000 bytes, and a route that takes 10.
fn bounded() -> Gate {
    let mut group = group("g", &[0]);
    group.max_body = Some(1_000);
    let narrow = RouteSettings {
        max_body: Some(10),
        ..route("/narrow", 0)
    };
    Gate::routed(vec![group], vec![narrow, route("/", 0)])
}

#[test]
fn a_body_that_is_announced_too_long_reaches_no_peer() {
    for (target, size, status) in [
        ("/narrow", 10, 200),
        ("/narrow", 11, 413),
        ("/wide", 1_000, 200),
        ("/wide", 1_001, 413),
    ] {
        run(async {
            let gate = bounded();
            let reply = gate.ask(&Ask::post(target, vec![b'x'; size])).await;
            assert_eq!(reply.status, status, "{target} {size}");
            let refused = status == 413;
            assert_eq!(gate.ledger.entries().is_empty(), refused, "{target} {size}");
            let counted = gate.metrics.limits.max_body.get();
            assert_eq!(counted, u64::from(refused), "{target} {size}");
            assert_eq!(gate.metrics.limits.replay.get(), 0);
        });
    }
}

#[test]
fn a_body_that_turns_out_too_long_is_cut_with_413() {
    run(async {
        let gate = bounded();
        let fits = Ask::post("/narrow/fits", vec![b'x'; 10]).chunked(3);
        assert_eq!(gate.ask(&fits).await.status, 200);
        let mut client = gate.client().await;
        client
            .send(&Ask::post("/narrow/over", "").chunked(1).head())
            .await;
        for _ in 0..4 {
            client.send(&chunk(b"xxx")).await;
            settle(SECOND).await;
        }
        // There is no end to it, but the answer does not wait for one.
        let reply = client.wire.reply("POST").await.unwrap();
        assert_eq!(reply.status, 413);
        assert!(reply.closes());
        assert_eq!(gate.metrics.limits.max_body.get(), 1);
        let entries = gate.ledger.entries();
        let cut = entries.last().unwrap();
        assert!(!cut.complete && cut.body.len() <= 10, "{cut:?}");
        assert_eq!(gate.group(0).lb.view(lb::Time::ZERO).peers[0].failures, 0);
    });
}

#[test]
fn after_the_answer_began_a_body_too_long_ends_the_exchange() {
    run(async {
        let gate = bounded();
        let head = Answer::new(200, "").form(Form::Chunked).head();
        gate.peers[0].next(Script(vec![Step::Head, Step::Write(head), Step::Hang]));
        let mut client = gate.client().await;
        client
            .send(&Ask::post("/narrow", "").chunked(1).head())
            .await;
        let reply = client.wire.reply_head("POST").await.unwrap();
        assert_eq!(reply.status, 200);
        client.send(&chunk(&[b'x'; 11])).await;
        let end = client.wire.body(reply.framing, |_| {}).await;
        assert!(end.is_err());
        settle(SECOND).await;
        assert_eq!(gate.network.connections(gate.peers[0].ip()), 0);
        assert_eq!(gate.metrics.limits.max_body.get(), 1);
    });
}

/// A body that is read to learn what it asks for is bounded all the same.
#[test]
fn an_mcp_body_that_turns_out_too_long_is_413() {
    run(async {
        let gate = bounded();
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#,
            "x".repeat(1_000)
        );
        let ask = Ask::post("/mcp", message).chunked(100);
        let ask = ask.field("content-type", "application/json");
        let ask = ask.field("accept", "application/json, text/event-stream");
        assert_eq!(gate.ask(&ask).await.status, 413);
        assert!(gate.ledger.entries().is_empty());
    });
}

#[test]
fn a_route_has_its_own_timeouts() {
    run(async {
        let quick = RouteSettings {
            timeouts: Some(Timeouts {
                first_byte: Some(2 * SECOND),
                ..Timeouts::default()
            }),
            ..route("/quick", 0)
        };
        let mut group = group("g", &[0]);
        group.policy.retry.attempts = 1;
        let gate = Gate::routed(vec![group], vec![quick, route("/", 0)]);
        let slow = Script(vec![
            Step::Body,
            Step::Wait(30 * SECOND),
            Step::Answer(Answer::new(200, "x")),
        ]);
        gate.peers[0].always(slow);
        let began = Instant::now();
        let reply = gate.ask(&Ask::get("/quick")).await;
        assert_eq!((reply.status, began.elapsed().as_secs()), (504, 2));
        assert_eq!(gate.ask(&Ask::get("/slow")).await.status, 200);
    });
}

#[test]
fn a_route_has_its_own_retries() {
    let with = |change: fn(&mut RetryPolicy)| {
        let mut policy = RetryPolicy::default();
        change(&mut policy);
        Some(Arc::new(policy))
    };
    let rows = [
        (None, 3),
        (with(|policy| policy.attempts = 1), 1),
        (with(|policy| policy.attempts = 2), 2),
        (
            with(|policy| {
                policy.when = RetryOn {
                    statuses: vec![500],
                    ..RetryOn::default()
                }
            }),
            1,
        ),
    ];
    for (retry, attempts) in rows {
        run(async {
            let routed = RouteSettings {
                retry: retry.clone(),
                ..route("/", 0)
            };
            let gate = Gate::routed(vec![group("g", &[0, 1, 2])], vec![routed]);
            for peer in &gate.peers {
                peer.always(Script::status(503));
            }
            assert_eq!(gate.ask(&Ask::get("/busy")).await.status, 503);
            let made = gate.ledger.peers_of("/busy").len();
            assert_eq!(made, attempts, "{retry:?}");
        });
    }
}
