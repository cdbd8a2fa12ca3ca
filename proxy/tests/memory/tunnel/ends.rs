//! How tunnels end, and that nothing is left of them.

use super::support::{SECOND, assert_gone, mirrored, rest, switched};
use crate::support::{Client, Plan, Script, Step, World, run, settle};
use proxy::session::End;
use tokio::time::Instant;

async fn mirror(plan: Plan) -> (World, Client) {
    let world = plan.start();
    world.peers[0].next(Script::switch(&[Step::Mirror]));
    let client = switched(&world, "/socket").await;
    (world, client)
}

#[test]
fn a_silent_tunnel_is_closed_and_one_that_speaks_is_not() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.timeouts.tunnel_idle = Some(10 * SECOND);
        let (world, mut client) = mirror(plan).await;
        for _ in 0..5 {
            settle(8 * SECOND).await;
            assert_eq!(mirrored(&mut client, "here").await, "here");
        }
        let began = Instant::now();
        assert!(rest(&mut client).await.0.is_empty());
        assert_eq!(began.elapsed().as_secs(), 10);
        drop(client);
        assert_gone(&world).await;
        assert_eq!(world.spy.only_logged("/socket").end, End::Idle);
        assert_eq!(world.group.metrics.tunnels.idle.get(), 1);
    });
}

#[test]
fn the_times_of_responses_are_not_those_of_tunnels() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.timeouts.idle = Some(SECOND);
        plan.group.timeouts.total = Some(2 * SECOND);
        plan.group.timeouts.first_byte = Some(SECOND);
        plan.limits.keep_alive = SECOND;
        plan.limits.head_timeout = SECOND;
        let (world, mut client) = mirror(plan).await;
        settle(1000 * SECOND).await;
        assert_eq!(mirrored(&mut client, "here").await, "here");
        assert_eq!(world.group.metrics.tunnels.active.get(), 1);
    });
}

#[test]
fn a_peer_that_dies_ends_the_tunnel() {
    run(async {
        let (world, mut client) = mirror(Plan::new(1)).await;
        world.network.kill(world.peers[0].ip());
        assert!(rest(&mut client).await.0.is_empty(), "the client is told");
        drop(client);
        assert_gone(&world).await;
        assert_eq!(world.view()[0].failures, 0, "a tunnel gives no verdict");
    });
}

#[test]
fn a_peer_that_resets_has_cut_it() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script::switch(&[Step::Wait(SECOND), Step::Reset]));
        let mut client = switched(&world, "/socket").await;
        assert!(rest(&mut client).await.0.is_empty());
        assert_gone(&world).await;
        assert_eq!(world.spy.only_logged("/socket").end, End::Cut);
        assert_eq!(world.group.metrics.tunnels.peer.get(), 1);
        assert_eq!(world.view()[0].failures, 0, "a tunnel gives no verdict");
    });
}

#[test]
fn a_client_that_resets_has_left() {
    run(async {
        let (world, client) = mirror(Plan::new(1)).await;
        let proxy::tls::Wire::Plain(stream) = client.wire.stream else {
            panic!("no TLS here");
        };
        stream.reset();
        assert_gone(&world).await;
        assert_eq!(world.spy.only_logged("/socket").end, End::Cancelled);
        assert_eq!(world.group.metrics.tunnels.client.get(), 1);
    });
}

#[test]
fn a_client_that_leaves_before_the_101_takes_the_request_with_it() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script(vec![Step::Head, Step::Hang]));
        let mut client = Client::new(&world).await;
        client.send(&super::support::ask("/socket").bytes()).await;
        settle(SECOND).await;
        drop(client);
        assert_gone(&world).await;
        let logged = world.spy.only_logged("/socket");
        assert_eq!((logged.status, logged.end), (None, End::Cancelled));
    });
}
