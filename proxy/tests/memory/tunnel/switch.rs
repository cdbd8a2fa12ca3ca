//! Who may switch, and what happens when nobody does.

use super::support::{SECOND, ask, assert_gone, mirrored, switch, switched};
use crate::support::{Answer, Ask, Client, Plan, Script, Step, World, run, settle};
use proxy::session::End;
use proxy::settings::UpgradeProtocol;
use std::sync::Arc;

#[test]
fn a_connection_switches_and_bytes_go_both_ways() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        let mut client = Client::new(&world).await;
        let head = switch(&mut client, "/socket").await;
        assert_eq!(head.get("connection"), Some("upgrade"));
        assert_eq!(head.get("upgrade"), Some("websocket"));
        assert!(head.get("via").is_some());
        for word in ["one", "two"] {
            assert_eq!(mirrored(&mut client, word).await, word);
        }
        let asked = world.ledger.only("/socket").head.unwrap();
        assert_eq!(asked.get("connection"), Some("upgrade"));
        assert_eq!(asked.get("upgrade"), Some("websocket"));
        assert_eq!(
            asked.get("sec-websocket-key"),
            Some("dGhlIHNhbXBsZSBub25jZQ==")
        );
        assert_eq!(world.view()[0].in_flight, 1, "held for as long as it lives");
        assert_eq!(world.group.metrics.tunnels.active.get(), 1);
        drop(client);
        assert_gone(&world).await;
        let logged = world.spy.only_logged("/socket");
        assert_eq!((logged.status, logged.end), (Some(101), End::Complete));
        assert_eq!((logged.tunnelled, logged.response_bytes), (Some(6), 6));
        let tunnels = &world.group.metrics.tunnels;
        assert_eq!((tunnels.sent.get(), tunnels.received.get()), (6, 6));
        assert_eq!(tunnels.complete.get(), 1);
        assert_eq!(world.group.metrics.responses[1].get(), 1);
    });
}

#[test]
fn what_may_not_switch_is_asked_without_the_field() {
    let listed = |ask: Ask| ask.field("connection", "keep-alive, upgrade");
    for ask in [
        Ask::get("/x").field("upgrade", "websocket"),
        Ask::get("/x")
            .field("upgrade", "websocket")
            .field("connection", "keep-alive"),
        listed(Ask::get("/x").field("upgrade", "h2c")),
        listed(Ask::get("/x").field("upgrade", "irc/6.9")),
        listed(Ask::get("/x").field("upgrade", "websocket, h2c")).field("http2-settings", "AAMA"),
        listed(Ask::post("/x", "").field("upgrade", "websocket")),
        listed(Ask::get("/x").field("upgrade", "websocket")).body("x"),
        listed(Ask::get("/x")),
    ] {
        run(async {
            let world = World::new(1);
            let mut client = Client::new(&world).await;
            let reply = client.ask(&ask).await.unwrap();
            assert_eq!(reply.status, 200, "{ask:?}");
            let head = world.ledger.only("/x").head.unwrap();
            for name in ["upgrade", "connection", "http2-settings"] {
                assert_eq!(head.get(name), None, "{ask:?}");
            }
            assert_eq!(client.ask(&Ask::get("/y")).await.unwrap().status, 200);
        });
    }
}

#[test]
fn http_1_0_knows_no_switch() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        let head =
            "GET /x HTTP/1.0\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        client.send(head.as_bytes()).await;
        settle(SECOND).await;
        let head = world.ledger.only("/x").head.unwrap();
        assert_eq!((head.get("upgrade"), head.get("connection")), (None, None));
    });
}

#[test]
fn the_group_says_what_may_pass() {
    let protocols = |names: &[&str]| {
        let names = names.iter().map(|name| UpgradeProtocol::new(name).unwrap());
        names.collect::<Arc<[_]>>()
    };
    for (allowed, passed) in [
        (protocols(&[]), None),
        (protocols(&["irc/6.9"]), Some("irc/6.9")),
        (
            protocols(&["websocket", "irc/6.9"]),
            Some("websocket, irc/6.9"),
        ),
    ] {
        run(async {
            let mut plan = Plan::new(1);
            plan.group.upgrades = allowed;
            let world = plan.start();
            let ask = Ask::get("/x")
                .field("connection", "upgrade")
                .field("upgrade", "websocket, irc/6.9, h2c");
            let mut client = Client::new(&world).await;
            assert_eq!(client.ask(&ask).await.unwrap().status, 200);
            let head = world.ledger.only("/x").head.unwrap();
            assert_eq!(head.get("upgrade"), passed);
        });
    }
}

/// CVE-2026-2833: what follows a request to switch is the tunnel's only once it is one.
#[test]
fn bytes_before_the_101_wait_for_it() {
    run(async {
        let world = World::new(1);
        let script = vec![
            Step::Head,
            Step::Nothing(5 * SECOND),
            Step::Switch,
            Step::Mirror,
        ];
        world.peers[0].next(Script(script));
        let mut client = Client::new(&world).await;
        let mut bytes = ask("/early").bytes();
        bytes.extend_from_slice(b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n");
        client.send(&bytes).await;
        let head = client.wire.head().await.unwrap();
        assert_eq!(head.start, "HTTP/1.1 101 Switching Protocols");
        let back = client.wire.head().await.unwrap();
        assert_eq!(back.start, "GET /smuggled HTTP/1.1", "mirrored, not read");
        assert_eq!(world.ledger.entries().len(), 1);
    });
}

#[test]
fn what_follows_a_refused_switch_is_the_next_request() {
    for status in [200, 400, 403, 426, 501] {
        run(async {
            let world = World::new(1);
            let answer = Answer::new(status, "no").field("upgrade", "websocket");
            world.peers[0].next(Script(vec![
                Step::Body,
                Step::Nothing(SECOND),
                Step::Answer(answer),
            ]));
            let mut client = Client::new(&world).await;
            let mut bytes = ask("/refused").bytes();
            bytes.extend(Ask::get("/next").bytes());
            client.send(&bytes).await;
            let reply = client.wire.reply("GET").await.unwrap();
            assert_eq!((reply.status, reply.text().as_str()), (status, "no"));
            let reply = client.wire.reply("GET").await.unwrap();
            assert_eq!((reply.status, reply.peer()), (200, Some("0")));
            assert_eq!(client.ask(&Ask::get("/third")).await.unwrap().status, 200);
            assert_eq!(world.ledger.only("/refused").connection, 1);
            assert_eq!(world.ledger.only("/third").connection, 1, "kept alive");
            assert_eq!(world.group.metrics.tunnels.active.get(), 0);
        });
    }
}

#[test]
fn a_101_that_does_not_fit_is_502() {
    let switch = |fields: &str| {
        let text = format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n");
        Script(vec![
            Step::Head,
            Step::Write(text.into_bytes()),
            Step::Mirror,
        ])
    };
    for (asked, fields) in [
        (
            Ask::get("/x"),
            "connection: upgrade\r\nupgrade: websocket\r\n",
        ),
        (
            Ask::get("/x").field("upgrade", "websocket"),
            "connection: upgrade\r\nupgrade: websocket\r\n",
        ),
        (ask("/x"), "connection: upgrade\r\nupgrade: h2c\r\n"),
        (
            ask("/x"),
            "connection: upgrade\r\nupgrade: websocket, h2c\r\n",
        ),
        (ask("/x"), "connection: upgrade\r\n"),
    ] {
        run(async {
            let world = World::new(1);
            world.peers[0].always(switch(fields));
            let mut client = Client::new(&world).await;
            let reply = client.ask(&asked).await.unwrap();
            assert_eq!(
                (reply.status, reply.proxy_error()),
                (502, Some("http_protocol_error")),
                "{asked:?} {fields:?}"
            );
            assert_eq!(world.network.connections(world.peers[0].ip()), 0);
            world.assert_idle();
        });
    }
}

#[test]
fn a_peer_sees_one_load_for_each_tunnel() {
    run(async {
        let mut plan = Plan::new(2);
        for peer in &mut plan.group.peers {
            peer.peer.priority = 1;
        }
        plan.group.policy.strategy = lb::Strategy::LeastConnections;
        let world = plan.start();
        for peer in &world.peers {
            peer.always(Script::switch(&[Step::Mirror]));
        }
        let mut clients = Vec::new();
        for number in 0..6 {
            clients.push(switched(&world, &format!("/{number}")).await);
        }
        let load: Vec<_> = world.view().iter().map(|peer| peer.in_flight).collect();
        assert_eq!(load, [3, 3]);
        drop(clients);
        assert_gone(&world).await;
    });
}
