//! Up to the 101 a request to switch is a GET like any other; from there on it is nobody else's.

use super::support::{SECOND, ask, assert_gone, mirrored, rest, switch, switched};
use crate::support::{Client, Plan, Script, Step, World, run, settle};
use proxy::memory::Connecting;

#[test]
fn a_peer_that_cannot_switch_gives_way_to_the_next() {
    let failures: [fn(&World); 4] = [
        |world| {
            let host = world.peers[0].ip();
            world.network.set_connecting(host, Connecting::Refuse);
        },
        |world| {
            world.peers[0].next(Script(vec![Step::Head, Step::Reset]));
        },
        |world| {
            world.peers[0].next(Script(vec![Step::Head, Step::Close]));
        },
        |world| {
            world.peers[0].next(Script::status(503));
        },
    ];
    for fail in failures {
        run(async {
            let world = World::new(2);
            fail(&world);
            world.peers[1].next(Script::switch(&[Step::Mirror]));
            let mut client = switched(&world, "/socket").await;
            assert_eq!(mirrored(&mut client, "here").await, "here");
            assert_eq!(world.ledger.peers_of("/socket").last(), Some(&1));
            let logged = world.view();
            assert_eq!((logged[0].in_flight, logged[1].in_flight), (0, 1));
            drop(client);
            assert_gone(&world).await;
        });
    }
}

#[test]
fn one_that_freezes_before_the_101_gives_way_within_per_try() {
    run(async {
        let mut plan = Plan::new(2);
        plan.group.policy.retry.per_try = Some(SECOND);
        let world = plan.start();
        world.peers[0].next(Script(vec![Step::Head, Step::Hang]));
        world.peers[1].next(Script::switch(&[Step::Mirror]));
        let mut client = switched(&world, "/socket").await;
        assert_eq!(mirrored(&mut client, "here").await, "here");
        assert_eq!(world.ledger.peers_of("/socket"), [0, 1]);
    });
}

#[test]
fn nothing_is_tried_again_once_it_has_switched() {
    run(async {
        let world = World::new(2);
        world.peers[0].next(Script::switch(&[Step::Reset]));
        let mut client = Client::new(&world).await;
        switch(&mut client, "/socket").await;
        assert!(rest(&mut client).await.0.is_empty());
        settle(SECOND).await;
        assert_eq!(world.ledger.peers_of("/socket"), [0]);
    });
}

#[test]
fn a_connection_that_served_before_may_switch_and_is_not_kept() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        let first = crate::support::Ask::get("/first");
        assert_eq!(client.ask(&first).await.unwrap().status, 200);
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        client.send(&ask("/socket").bytes()).await;
        client.wire.head().await.unwrap();
        assert_eq!(mirrored(&mut client, "here").await, "here");
        assert_eq!(world.ledger.only("/socket").connection, 1);
        drop(client);
        assert_gone(&world).await;
    });
}
