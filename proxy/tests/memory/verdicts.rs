//! What an answer says of an MCP server: which ones open its breaker, which ones never do, and
//! which ones mean that it has too much to do.

use crate::support::{Answer, Ask, Client, Renewed, Reply, Script, Step, listener, run, settings};
use lb::BreakerView;
use proxy::memory::{Connecting, example};
use proxy::settings::{GroupSettings, Protocol};
use std::time::Duration;

/// Peer `a`, and `b` as its substitute.
/// The first peer is preferred.
fn world() -> Renewed {
    world_with(|_| {})
}

fn world_with(change: impl FnOnce(&mut GroupSettings)) -> Renewed {
    let mut settings = settings(&[0, 1]);
    let group = &mut settings.groups[0];
    change(group);
    group.protocol = Protocol::Mcp;
    group.timeouts.first_byte = Some(Duration::from_millis(200));
    let world = Renewed::start(&settings);
    world.peers[1].always(Script::answer(json(200, RESULT)));
    world
}

fn json(status: u16, body: &str) -> Answer {
    Answer::new(status, body).field("content-type", "application/json")
}

/// A request that may run twice, of either era.
fn list(era: Era) -> Ask {
    let ask = Ask::post("/mcp", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
        .field("content-type", "application/json")
        .field("accept", "application/json, text/event-stream");
    match era {
        Era::Legacy => ask,
        Era::Modern => ask
            .field("mcp-protocol-version", "2026-07-28")
            .field("mcp-method", "tools/list"),
    }
}

#[derive(Clone, Copy, Debug)]
enum Era {
    Legacy,
    Modern,
}

async fn ask(world: &Renewed, ask: &Ask) -> Reply {
    let address = example::address(20).ip();
    let mut client = Client::from(&world.network, listener(8080), address).await;
    client.ask(ask).await.unwrap()
}

/// How often the breaker of `a` has opened.
fn opened(world: &Renewed) -> u64 {
    world.group().peers[0].metrics.breaker_opened.get()
}

/// How many requests came to a peer.
fn came(world: &Renewed, peer: usize) -> usize {
    let entries = world.ledger.entries();
    entries.iter().filter(|entry| entry.peer == peer).count()
}

#[test]
fn refusals_and_errors_of_the_protocol_never_open_a_breaker() {
    for (name, answer) in [
        (
            "401",
            Answer::new(401, "").field("www-authenticate", "Bearer"),
        ),
        ("403", Answer::new(403, "no")),
        ("404", json(404, ERROR)),
        ("405", Answer::new(405, "").field("allow", "POST")),
        ("406", Answer::new(406, "no")),
        ("421", Answer::new(421, "no")),
        ("an error with 200", json(200, ERROR)),
        ("an error with 400", json(400, ERROR)),
        ("isError", json(200, IS_ERROR)),
    ] {
        for era in [Era::Legacy, Era::Modern] {
            run(async {
                let world = world();
                world.peers[0].always(Script::answer(answer.clone()));
                for _ in 0..50 {
                    ask(&world, &list(era)).await;
                }
                assert_eq!(opened(&world), 0, "{name} {era:?}");
                let peer = &world.view()[0];
                assert_eq!(peer.breaker, BreakerView::Closed, "{name} {era:?}");
                assert!(peer.usable, "{name} {era:?}");
                assert_eq!(came(&world, 1), 0, "{name} {era:?} went elsewhere");
            });
        }
    }
}

#[test]
fn failures_of_the_server_open_its_breaker_and_others_serve() {
    for (name, script) in [
        ("500", Some(Script::status(500))),
        ("502", Some(Script::status(502))),
        ("503", Some(Script::status(503))),
        ("504", Some(Script::status(504))),
        ("a reset", Some(Script::then(Step::Reset))),
        ("a close", Some(Script::then(Step::Close))),
        ("no answer in time", Some(Script::then(Step::Hang))),
        (
            "no HTTP",
            Some(Script::then(Step::Write(b"hello\r\n\r\n".to_vec()))),
        ),
        ("no connection", None),
    ] {
        for era in [Era::Legacy, Era::Modern] {
            run(async {
                // One tier: a rate alone takes out no more than half of it.
                let world = world_with(|group| {
                    for peer in &mut group.peers {
                        peer.peer.priority = 1;
                    }
                });
                if let Some(script) = &script {
                    world.peers[0].always(script.clone());
                } else {
                    let peer = world.peers[0].ip();
                    world.network.set_connecting(peer, Connecting::Refuse);
                }
                let mut answered = 0;
                for _ in 0..50 {
                    let reply = ask(&world, &list(era)).await;
                    answered += u32::from(reply.text().contains("\"result\""));
                }
                // A 500 may be the request's own fault: it is not repeated, and opens by its rate.
                let least = if *name == *"500" { 25 } else { 50 };
                assert!(answered >= least, "{name} {era:?}: {answered}");
                assert!(opened(&world) > 0, "{name} {era:?}");
            });
        }
    }
}

/// RFC 9110 §15.6.4, RFC 6585 §4.
#[test]
fn load_is_shed_for_as_long_as_it_lasts_and_no_breaker_opens() {
    for status in [429, 503] {
        for era in [Era::Legacy, Era::Modern] {
            run(async {
                let world = world();
                let busy = Answer::new(status, "busy").field("retry-after", "3");
                world.peers[0].always(Script::answer(busy));
                for _ in 0..50 {
                    let reply = ask(&world, &list(era)).await;
                    assert!(reply.text().contains("\"result\""), "{}", reply.text());
                }
                // One request was told; the others were spared it.
                assert_eq!(came(&world, 0), 1, "{status} {era:?}");
                assert!(world.view()[0].cooling_until.is_some());
                assert_eq!(opened(&world), 0);
                world.peers[0].always(Script::answer(json(200, RESULT)));
                tokio::time::sleep(Duration::from_secs(60)).await;
                let before = came(&world, 0);
                for _ in 0..10 {
                    ask(&world, &list(era)).await;
                }
                assert_eq!(came(&world, 0) - before, 10, "{status} {era:?}");
            });
        }
    }
}

/// With nobody else to ask, a busy peer is asked all the same: it knows best.
#[test]
fn a_busy_peer_without_a_substitute_is_heard() {
    run(async {
        let world = world();
        let busy = Answer::new(503, "busy").field("retry-after", "3");
        for peer in &world.peers[..2] {
            peer.always(Script::answer(busy.clone()));
        }
        let reply = ask(&world, &list(Era::Modern)).await;
        assert_eq!(reply.status, 503);
        assert_eq!(reply.head.get("retry-after"), Some("3"));
        for peer in &world.peers[..2] {
            peer.always(Script::answer(json(200, RESULT)));
        }
        let reply = ask(&world, &list(Era::Modern)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(opened(&world), 0);
    });
}

const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#;
const ERROR: &str = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#;
const IS_ERROR: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}"#;
