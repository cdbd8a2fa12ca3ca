//! Streams that their server has ended for the client to poll (rule 13).

use super::{Mcp, World, host};
use crate::support::{Reply, run};
use std::time::Duration;

/// A call whose answer is to be polled for, and which is at work.
async fn polling(world: &World) -> Mcp {
    let mut client = world.client().await;
    client.initialize().await;
    world.servers[0].poll_next();
    let reply = client.call("tools/call").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text(), "id: e1\nretry: 50\ndata:\n\n");
    client
}

async fn resume(client: &mut Mcp, event: &str) -> Reply {
    let ask = client.head("GET").field("last-event-id", event);
    client.client.ask(&ask).await.unwrap()
}

fn assert_told(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let text = reply.text();
    assert_eq!(text.matches(r#""id":7,"#).count(), 1, "{text}");
    assert!(text.contains(r#""delivery":"unknown""#), "{text}");
}

#[test]
fn rule_13_who_polls_for_an_answer_that_was_lost_with_its_server_is_told() {
    run(async {
        let world = World::new();
        let mut client = polling(&world).await;
        world.servers[0].kill();
        let reply = resume(&mut client, "e1").await;
        assert_told(&reply);
        // TypeScript 1.x resumes after an error, which must come to an end.
        let event = reply.text();
        let (_, event) = event.split_once("id: ").unwrap();
        let event = event.lines().next().unwrap();
        assert_eq!(resume(&mut client, event).await.status, 405);
        assert_eq!(host(&client.call("tools/call").await), "3");
    });
}

#[test]
fn rule_13_the_same_once_the_session_has_moved() {
    run(async {
        let world = World::new();
        let mut client = polling(&world).await;
        world.servers[0].kill();
        assert_eq!(host(&client.call("tools/list").await), "3");
        assert_told(&resume(&mut client, "e1").await);
        assert_eq!(world.servers[1].count("tools/call"), 0);
    });
}

#[test]
fn rule_13_a_resumed_stream_whose_server_dies_ends_with_an_error() {
    run(async {
        let world = World::new();
        let mut client = polling(&world).await;
        let ask = client.head("GET").field("last-event-id", "e1");
        client.client.send(&ask.bytes()).await;
        let kill = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.servers[0].kill();
        };
        let (reply, ()) = tokio::join!(client.client.wire.reply("GET"), kill);
        assert_told(&reply.unwrap());
        let seen = world.servers[0].seen();
        let resumed = seen.iter().find(|seen| seen.http == "GET").unwrap();
        assert_eq!(resumed.last_event.as_deref(), Some("e1"));
        assert_eq!(world.servers[1].seen().len(), 0);
    });
}

#[test]
fn rule_13_a_client_that_left_and_comes_back_is_told_too() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].prime_next();
        let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#;
        let mut first = world.client().await;
        first.session.clone_from(&client.session);
        let call = first.head("POST").body(body);
        first.client.send(&call.bytes()).await;
        let reply = first.client.wire.reply_head("POST").await.unwrap();
        assert_eq!(reply.status, 200);
        first.client.wire.some(100).await.unwrap();
        drop(first);
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.servers[0].kill();
        assert_told(&resume(&mut client, "e1").await);
    });
}

/// What may run again is not run again: its answer is still to come.
#[test]
fn rule_13_to_be_let_poll_is_no_loss() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].poll_next();
        let reply = client.call("tools/list").await;
        assert_eq!(reply.text(), "id: e1\nretry: 50\ndata:\n\n");
        let asked = world
            .servers
            .iter()
            .map(|server| server.count("tools/list"));
        assert_eq!(asked.sum::<usize>(), 1);
    });
}

/// Rule 11: an event id goes only to the peer that gave it; the stream of the session itself is
/// opened anew.
#[test]
fn rule_11_no_other_peer_sees_an_event_id() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].kill();
        let ask = client.head("GET").field("last-event-id", "e9");
        client.client.send(&ask.bytes()).await;
        let reply = client.client.wire.reply_head("GET").await.unwrap();
        assert_eq!(reply.status, 200);
        let seen = world.servers[1].seen();
        let opened = seen.iter().find(|seen| seen.http == "GET").unwrap();
        assert_eq!(opened.last_event, None);
    });
}
