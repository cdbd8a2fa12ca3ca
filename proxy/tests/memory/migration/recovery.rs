//! MCP sessions whose peers are only just returning.

use super::{Mcp, World, host};
use crate::support::{run, within};
use lb::{Admin, BreakerView, PeerIndex};
use std::time::Duration;

/// Sessions of their own on the first peer, and the breaker of the second half-open.
async fn tested(sessions: usize) -> (World, Vec<Mcp>) {
    let world = World::new();
    let mut clients = Vec::new();
    for _ in 0..sessions {
        let mut client = world.client().await;
        client.initialize().await;
        clients.push(client);
    }
    let lb = &world.gateway.groups()[0].lb;
    let first = PeerIndex(0);
    world.servers[1].kill();
    lb.set_admin(first, Admin::Draining, world.clock.now());
    let breaker = || lb.view(world.clock.now()).peers[1].breaker;
    while breaker() == BreakerView::Closed {
        world.client().await.post(PING).await;
    }
    lb.set_admin(first, Admin::Enabled, world.clock.now());
    world.servers[1].revive();
    tokio::time::sleep(Duration::from_secs(30)).await;
    (world, clients)
}

#[test]
fn rule_8_sessions_that_move_at_once_wait_for_the_probe_of_a_half_open_breaker() {
    run(async {
        let (world, clients) = tested(20).await;
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
        assert_eq!(world.moved(), 20);
    });
}

/// A session whose peer is gone, as is the other.
async fn without_peers() -> (World, Mcp) {
    let world = World::new();
    let mut client = world.client().await;
    client.initialize().await;
    world.servers[0].kill();
    world.servers[1].kill();
    (world, client)
}

#[test]
fn rule_8_a_session_waits_for_a_peer_that_returns() {
    run(async {
        let (world, mut client) = without_peers().await;
        let call = tokio::task::spawn_local(async move { host(&client.call("tools/list").await) });
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.servers[1].revive();
        assert_eq!(call.await.unwrap(), "3");
        assert_eq!(world.moved(), 1);
    });
}

#[test]
fn rule_19_a_session_that_no_peer_can_be_asked_for_is_told_so_in_time_and_goes_on_later() {
    run(async {
        let (world, mut client) = without_peers().await;
        let reply = within(Duration::from_secs(10), client.call("tools/call")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let told = reply.text();
        assert!(told.contains("\"id\":7"), "{told}");
        assert!(told.contains("\"code\":-31001"), "{told}");
        assert!(told.contains("\"delivery\":\"not_sent\""), "{told}");
        world.servers[1].revive();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(host(&client.call("tools/call").await), "3");
    });
}

#[test]
fn rule_8_a_session_that_no_peer_takes_is_told_that_it_is_gone() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].kill();
        world.servers[1].refuse_next("400 Bad Request");
        let reply = within(Duration::from_secs(10), client.call("tools/list")).await;
        assert_eq!(reply.status, 404, "{}", reply.text());
    });
}

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
