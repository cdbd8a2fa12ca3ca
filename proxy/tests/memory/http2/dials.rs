//! Requests that come at once while connections to an HTTP/2 peer are being made.

use crate::support::h2::{H2Client, get, read};
use crate::support::h2_peer::{H2Peer, hello};
use crate::support::{PROXY, Plan, World, run, settle};
use proxy::memory::{Connecting, Passage};
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// A way on which a round trip takes so many milliseconds.
fn far(world: &World, millis: u64) {
    let passage = Passage {
        latency: Duration::from_millis(millis / 2),
        ..Passage::default()
    };
    let peer = world.peers[0].ip();
    world.network.set_passage(PROXY, peer, passage);
    world.network.set_passage(peer, PROXY, passage);
}

/// The statuses of a hundred requests that come at once.
async fn burst(world: &World) -> Vec<u16> {
    let mut client = H2Client::new(world).await;
    let mut answers = Vec::new();
    for n in 0..100 {
        let request = get(&format!("/{n}")).map(drop);
        answers.push(client.begin(request, true).await.unwrap().0);
    }
    let mut statuses = Vec::new();
    for answer in answers {
        statuses.push(read(answer.await.unwrap()).await.unwrap().status);
    }
    statuses
}

#[test]
fn a_burst_over_a_long_way_makes_the_connections_it_needs_and_blames_nobody() {
    for trip in [10, 200, 700] {
        run(async {
            let mut plan = Plan::http2(1);
            plan.group.policy.retry.attempts = 1;
            let world = plan.start();
            far(&world, trip);
            let mut builder = h2::server::Builder::new();
            builder.max_concurrent_streams(10);
            let peer = H2Peer::with(&world, 0, builder, |_, respond| async {
                settle(20 * SECOND).await;
                hello(respond, "slow");
            });
            let began = Instant::now();
            assert_eq!(burst(&world).await, [200; 100], "{trip} ms");
            assert_eq!(peer.connections.get(), 10, "{trip} ms");
            // The first tells how many are needed, and the others are made at the same time.
            let most = 20 * SECOND + 8 * Duration::from_millis(trip);
            let took = began.elapsed();
            assert!(took < most, "{trip} ms: {took:?} of virtual time");
            let view = &world.view()[0];
            assert_eq!((view.failures, view.losses), (0, 0), "{trip} ms");
        });
    }
}

#[test]
fn who_waits_for_a_peer_that_does_not_answer_waits_no_longer_than_who_connects() {
    for connecting in [Connecting::Hang, Connecting::Accept] {
        run(async {
            let mut plan = Plan::http2(2);
            plan.group.policy.breaker = None;
            let world = plan.start();
            world
                .network
                .set_connecting(world.peers[0].ip(), connecting);
            // Its system accepts, but the process stands still.
            let _frozen = H2Peer::start(&world, 0, |_, respond| async { hello(respond, "a") });
            world.network.freeze(world.peers[0].ip());
            let other = H2Peer::start(&world, 1, |_, respond| async { hello(respond, "b") });
            let began = Instant::now();
            assert_eq!(burst(&world).await, [200; 100]);
            let took = began.elapsed();
            assert!(
                took < 2 * SECOND,
                "{connecting:?}: {took:?} of virtual time"
            );
            assert_eq!(other.connections.get(), 1, "{connecting:?}");
        });
    }
}
