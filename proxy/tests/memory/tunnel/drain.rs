//! Tunnels in a shutdown: they have the time of streams.

use super::support::{SECOND, ask, mirrored, rest, switched};
use crate::support::{Client, Plan, Script, Step, World, run, settle, within};
use proxy::session::End;
use proxy::settings::TunnelLoss;
use std::sync::Arc;
use tokio::time::Instant;

#[test]
fn a_shutdown_gives_tunnels_the_time_of_streams() {
    for loss in [TunnelLoss::Keep, TunnelLoss::Close] {
        run(async {
            let mut plan = Plan::new(1);
            plan.group.tunnel_loss = loss;
            let world = plan.start();
            world.peers[0].next(Script::switch(&[Step::Mirror]));
            let mut client = switched(&world, "/socket").await;
            let began = Instant::now();
            world.control.shutdown();
            settle(200 * SECOND).await;
            assert_eq!(mirrored(&mut client, "here").await, "here");
            assert!(rest(&mut client).await.0.is_empty());
            assert_eq!(began.elapsed().as_secs(), 300);
            drop(client);
            let (spy, group) = (Arc::clone(&world.spy), Arc::clone(&world.group));
            within(3 * SECOND, world.serving).await.unwrap().unwrap();
            assert_eq!(spy.only_logged("/socket").end, End::Drained);
            assert_eq!(group.metrics.tunnels.drained.get(), 1);
        });
    }
}

#[test]
fn a_server_ends_with_its_last_tunnel() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        let client = switched(&world, "/socket").await;
        world.control.shutdown();
        settle(40 * SECOND).await;
        drop(client);
        let began = Instant::now();
        let spy = Arc::clone(&world.spy);
        world.serving.await.unwrap().unwrap();
        assert_eq!(began.elapsed().as_secs(), 0);
        assert_eq!(spy.only_logged("/socket").end, End::Complete);
    });
}

#[test]
fn closing_ends_tunnels_now() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        let mut client = switched(&world, "/socket").await;
        world.control.close();
        let began = Instant::now();
        assert!(rest(&mut client).await.0.is_empty());
        world.serving.await.unwrap().unwrap();
        assert_eq!(began.elapsed().as_secs(), 0);
    });
}

#[test]
fn a_switch_that_comes_during_a_drain_is_still_one() {
    run(async {
        let world = World::new(1);
        let script = vec![
            Step::Head,
            Step::Wait(10 * SECOND),
            Step::Switch,
            Step::Mirror,
        ];
        world.peers[0].next(Script(script));
        let mut client = Client::new(&world).await;
        client.send(&ask("/late").bytes()).await;
        settle(SECOND).await;
        world.control.shutdown();
        let head = client.wire.head().await.unwrap();
        assert_eq!(head.start, "HTTP/1.1 101 Switching Protocols");
        // hyper says too that no request follows on it.
        assert_eq!(head.get("connection"), Some("upgrade, close"));
        assert_eq!(mirrored(&mut client, "here").await, "here");
        settle(60 * SECOND).await;
        assert_eq!(mirrored(&mut client, "here").await, "here");
    });
}
