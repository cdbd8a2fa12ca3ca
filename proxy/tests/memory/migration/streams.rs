//! The event stream of an MCP session whose peer is lost.

use super::{Stream, World, host};
use crate::support::run;
use proxy::settings::Probe;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

#[test]
fn rule_10_questions_of_a_server_that_is_gone_are_cancelled() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        let mut stream = Stream::open(&world, &client).await;
        stream.until("\"hello\":2").await;
        let question = |id: u32| {
            let text = "x".repeat(1_000);
            format!(
                r#"{{"method":"elicitation/create","params":{{"message":"{text}"}},"jsonrpc":"2.0","id":{id}}}"#
            )
        };
        for id in 0..2 {
            world.servers[0].say(&question(id));
            stream.until(&format!("\"id\":{id}}}")).await;
        }
        let answer = r#"{"jsonrpc":"2.0","id":0,"result":{"action":"decline"}}"#;
        assert_eq!(client.post(answer).await.status, 202);
        world.servers[0].kill();
        let seen = stream.until("\"hello\":3").await;
        assert_eq!(seen.matches("notifications/cancelled").count(), 1, "{seen}");
        assert!(seen.contains(r#""requestId":1,"#), "{seen}");
    });
}

#[test]
fn questions_of_servers_are_remembered_as_far_as_their_limit() {
    run(async {
        let world = World::with(|group| group.mcp_limits.exchanges = 2);
        let mut client = world.client().await;
        client.initialize().await;
        let mut stream = Stream::open(&world, &client).await;
        stream.until("\"hello\":2").await;
        let forgotten = || world.gateway.groups()[0].metrics.exchanges_forgotten.get();
        for id in 0..3 {
            assert_eq!(forgotten(), 0);
            world.servers[0].say(&format!(r#"{{"jsonrpc":"2.0","method":"ping","id":{id}}}"#));
            stream.until(&format!("\"id\":{id}}}")).await;
        }
        assert_eq!(forgotten(), 1);
        for id in 0..3 {
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
            assert_eq!(client.post(&answer).await.status, 202);
        }
        assert_eq!(forgotten(), 2);
        world.servers[0].kill();
        let seen = stream.until("\"hello\":3").await;
        assert!(!seen.contains("notifications/cancelled"), "{seen}");
    });
}

#[test]
fn rule_14_a_stream_follows_its_session_from_a_peer_that_has_forgotten_it() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        let mut stream = Stream::open(&world, &client).await;
        stream.until("\"hello\":2").await;
        world.servers[0].forget();
        assert_eq!(host(&client.call("tools/call").await), "2");
        stream.until("\"hello\":2}\n\n\r\n").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let seen = world.servers[0].seen();
        let opened: Vec<_> = seen.iter().filter(|seen| seen.http == "GET").collect();
        assert_eq!(opened.len(), 2, "{opened:?}");
        assert_eq!(opened[1].session.as_deref(), Some("s2-2"));
        assert_eq!(world.moved(), 1);
    });
}

#[test]
fn rule_16_tools_that_may_differ_are_announced_where_that_is_declared() {
    run(async {
        for (capabilities, told) in [
            (
                r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true}}"#,
                1,
            ),
            (r#"{"tools":{}}"#, 0),
        ] {
            let world = World::new();
            for server in &world.servers {
                server.set_capabilities(capabilities);
            }
            let mut client = world.client().await;
            client.initialize().await;
            let mut stream = Stream::open(&world, &client).await;
            world.servers[0].kill();
            stream.until("\"hello\":3").await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            let seen = stream.until("\n:\n").await;
            assert_eq!(seen.matches("tools/list_changed").count(), told, "{seen}");
            // Equal capabilities are all that is known of the others.
            assert_eq!(seen.matches("prompts/list_changed").count(), 0, "{seen}");
        }
    });
}

#[test]
fn rule_16_tools_that_are_known_to_be_the_same_are_not_announced() {
    run(async {
        let world = World::with(|group| {
            group.health_check.probe = Some(Probe::Mcp);
        });
        for server in &world.servers {
            server.set_capabilities(r#"{"tools":{"listChanged":true}}"#);
            server.set_tools(r#"[{"name":"x","inputSchema":{}}]"#);
        }
        let mut client = world.client().await;
        client.initialize().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let mut stream = Stream::open(&world, &client).await;
        world.servers[0].kill();
        stream.until("\"hello\":3").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let seen = stream.until("\n:\n").await;
        assert_eq!(seen.matches("list_changed").count(), 0, "{seen}");
    });
}

/// Clients ask for the lists that they are told of.
#[test]
fn rule_16_the_clients_of_a_lost_peer_are_not_told_all_at_once() {
    run(async {
        let world = World::new();
        for server in &world.servers {
            server.set_capabilities(r#"{"tools":{"listChanged":true}}"#);
        }
        let mut streams = Vec::new();
        for _ in 0..6 {
            let mut client = world.client().await;
            client.initialize().await;
            let mut stream = Stream::open(&world, &client).await;
            streams.push(tokio::task::spawn_local(async move {
                stream.until("\"hello\":3").await;
                let began = Instant::now();
                stream.until("list_changed").await;
                began.elapsed().as_millis()
            }));
        }
        world.servers[0].kill();
        let mut waited = BTreeSet::new();
        for stream in streams {
            waited.insert(stream.await.unwrap());
        }
        assert!(waited.len() > 3, "{waited:?} ms");
    });
}

/// What a peer said of its tools holds no longer than it says.
#[test]
fn rule_16_a_peer_whose_tools_have_changed_is_asked_for_them_at_once() {
    run(async {
        let world = World::with(|group| {
            group.health_check.probe = Some(Probe::Mcp);
            group.health_check.interval = Duration::from_secs(3600);
        });
        for server in &world.servers {
            server.set_tools(r#"[{"name":"x","inputSchema":{}}]"#);
        }
        let mut client = world.client().await;
        client.initialize().await;
        let mut stream = Stream::open(&world, &client).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        let known = &world.gateway.groups()[0].peers[0].known;
        assert_eq!(known.tools(), Some(1));
        world.servers[0].set_tools("[]");
        world.servers[0].say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
        stream.until("list_changed").await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(known.tools(), Some(0));
    });
}
