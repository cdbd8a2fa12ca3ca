//! Requests that are not what they should be, or too many.

use super::{Mcp, World, host};
use crate::support::{Framing, run};
use proxy::settings::Protocol;
use std::time::Duration;

/// Rules 18 and 29: older servers make a session for whatever they are asked.
#[test]
fn rule_29_methods_of_no_use_create_nothing_upstream() {
    run(async {
        for (protocol, session) in [(Protocol::Auto, true), (Protocol::Mcp, false)] {
            let world = World::with(|group| group.protocol = protocol);
            let mut client = world.client().await;
            if session {
                client.initialize().await;
            }
            let before = world.servers[0].seen().len();
            for method in ["HEAD", "PUT", "PATCH", "PROPFIND"] {
                // A connection of its own: what follows HEAD has no body.
                let mut other = world.client().await;
                other.session.clone_from(&client.session);
                let ask = other.head(method);
                let reply = other.client.ask(&ask).await.unwrap();
                assert_eq!(reply.status, 405, "{method}");
                assert_eq!(reply.head.get("allow"), Some("GET, POST, DELETE"));
            }
            assert_eq!(world.servers[0].seen().len(), before);
            assert_eq!(world.servers[1].seen().len(), 0);
        }
    });
}

/// To an HTTP/1.0 client the end of the connection is the end of the answer, so it has to have had
/// its response by then.
#[test]
fn rule_18_an_answer_to_http_1_0_ends_with_a_response() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].die_after_events(2);
        let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#;
        let ask = client.head("POST").body(body);
        let text = String::from_utf8(ask.bytes()).unwrap();
        let old = text.replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n");
        let mut other = world.client().await;
        other.client.send(old.as_bytes()).await;
        let mut seen = Vec::new();
        let head = other.client.wire.head().await.unwrap();
        assert!(head.start.contains(" 200"), "{}", head.start);
        let end = other.client.wire.body(Framing::UntilClose, |piece| {
            seen.extend_from_slice(piece);
        });
        end.await.unwrap();
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.contains(r#""delivery":"unknown""#), "{seen}");
        assert!(seen.ends_with("\n\n"), "{seen}");
    });
}

#[test]
fn rule_8_at_most_32_sessions_move_to_a_peer_at_once() {
    run(async {
        let world = World::new();
        let mut clients: Vec<Mcp> = Vec::new();
        for _ in 0..200 {
            let mut client = world.client().await;
            client.initialize().await;
            clients.push(client);
        }
        world.servers[1].be_slow(Duration::from_millis(100));
        world.servers[0].kill();
        let mut tasks = Vec::new();
        for mut client in clients {
            tasks.push(tokio::task::spawn_local(async move {
                let reply = client.call("tools/list").await;
                assert_eq!(host(&reply), "3", "{} {}", reply.status, reply.text());
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(world.servers[1].most_at_once(), 32);
        assert_eq!(world.servers[1].sessions(), 200);
        assert_eq!(world.moved(), 200);
    });
}
