//! What is counted of MCP sessions: why they move, what becomes of them, and where they are.

use super::{Mcp, World, host};
use crate::support::{Ask, run};
use proxy::mcp::Method;
use proxy::mcp::metrics::{ByLoss, Loss, PeerSessionMetrics};

fn only(losses: &ByLoss) -> Vec<(Loss, u64)> {
    losses.each().filter(|(_, count)| *count > 0).collect()
}

fn of_peer(world: &World, peer: usize, count: fn(&PeerSessionMetrics) -> u64) -> u64 {
    count(&world.gateway.groups()[0].peers[peer].metrics.mcp_sessions)
}

#[test]
fn a_move_is_counted_by_why_and_by_what_came_of_it() {
    run(async {
        for (loss, lose) in [
            (Loss::Connect, World::kill_first as fn(&World)),
            (Loss::Forgotten, |world| world.servers[0].forget()),
            (Loss::Reset, |world| world.servers[0].die_next()),
        ] {
            let world = World::new();
            let mut client = world.client().await;
            client.initialize().await;
            lose(&world);
            let reply = client.call("tools/list").await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            let group = &world.gateway.groups()[0];
            let migrations = &group.metrics.migrations;
            assert_eq!(only(&migrations.moved), [(loss, 1)]);
            assert_eq!(only(&migrations.failed), []);
            let moves: u64 = migrations.duration.buckets().iter().sum();
            assert_eq!(moves, 1);
        }
    });
}

#[test]
fn a_move_that_a_peer_refuses_is_no_failure_of_ours() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].kill();
        world.servers[1].require("Bearer new");
        assert_eq!(client.call("tools/list").await.status, 401);
        let group = &world.gateway.groups()[0];
        assert_eq!(group.metrics.migrations.denied.get(), 1);
        assert_eq!(group.metrics.migrations.failed.get(), 0);
        world.servers[1].kill();
        client.call("tools/list").await;
        assert_eq!(group.metrics.migrations.failed.get(), 1);
    });
}

#[test]
fn sessions_are_counted_where_they_are() {
    run(async {
        let world = World::new();
        let mut clients: Vec<Mcp> = Vec::new();
        for _ in 0..3 {
            let mut client = world.client().await;
            client.initialize().await;
            clients.push(client);
        }
        let open = |peer| {
            let of = |count| of_peer(&world, peer, count);
            let (opened, came) = (of(|m| m.opened.get()), of(|m| m.came.get()));
            let (left, ended) = (of(|m| m.left.get()), of(|m| m.ended.get()));
            opened + came - left - ended
        };
        assert_eq!((open(0), open(1)), (3, 0));
        world.servers[0].kill();
        for client in &mut clients {
            assert_eq!(host(&client.call("tools/list").await), "3");
        }
        assert_eq!((open(0), open(1)), (0, 3));
        let ask: Ask = clients[0].head("DELETE");
        let reply = clients[0].client.ask(&ask).await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!((open(0), open(1)), (0, 2));
        let group = &world.gateway.groups()[0];
        let ended: u64 = group.metrics.mcp_sessions.duration.buckets().iter().sum();
        assert_eq!(ended, 1);
        // Rule 5: it stays ended. Rule 3: what was not made here is nobody's.
        assert_eq!(clients[0].call("tools/list").await.status, 404);
        clients[1].session = Some("made-up".to_owned());
        assert_eq!(clients[1].call("tools/list").await.status, 404);
        let sessions = &group.metrics.mcp_sessions;
        let refused = (sessions.refused_ended.get(), sessions.refused_unknown.get());
        assert_eq!(refused, (1, 1));
    });
}

#[test]
fn messages_are_timed_by_method() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        client.call("tools/list").await;
        client.call("tools/list").await;
        client.call("made/up").await;
        let group = &world.gateway.groups()[0];
        let timed: Vec<_> = group
            .metrics
            .mcp_operations
            .each()
            .map(|(method, durations)| (method, durations.buckets().iter().sum::<u64>()))
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(
            timed,
            [
                (Method::Initialize, 1),
                (Method::NotificationInitialized, 1),
                (Method::ToolsList, 2),
                (Method::Other, 1),
            ]
        );
    });
}
