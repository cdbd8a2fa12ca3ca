//! What goes through: all of it, no faster than it is read, and each way by itself.

use super::support::{SECOND, ask, assert_gone, rest, switched};
use crate::support::{Broken, Client, Plan, Script, Step, World, run, settle};
use proxy::session::End;

/// Bytes of which no two pieces are alike.
pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn ten_mebibytes_go_both_ways_at_once() {
    for fragments in [false, true] {
        run(async {
            let mut plan = Plan::new(1);
            plan.fragments = fragments;
            let world = plan.start();
            let (up, down) = (noise(10 << 20), noise((10 << 20) + 1));
            let script = [Step::Both(down.clone())];
            world.peers[0].next(Script::switch(&script));
            let mut client = switched(&world, "/big").await;
            let (sent, received) = client.wire.both(&up).await;
            sent.unwrap();
            assert!(received == down, "what the peer sent");
            assert_gone(&world).await;
            assert!(world.ledger.only("/big").body == up, "what the client sent");
            let logged = world.spy.only_logged("/big");
            assert_eq!(logged.end, End::Complete);
            assert_eq!(logged.tunnelled, Some(10 << 20));
            assert_eq!(logged.response_bytes, (10 << 20) + 1);
        });
    }
}

#[test]
fn a_client_that_has_said_all_still_hears_the_answer() {
    run(async {
        let world = World::new(1);
        let script = [Step::Gather, Step::Write(b"answer".to_vec())];
        world.peers[0].next(Script::switch(&script));
        let mut client = switched(&world, "/half").await;
        client.send(b"question").await;
        client.wire.finish().await;
        assert_eq!(rest(&mut client).await, (b"answer".to_vec(), Broken::Ended));
        assert_eq!(world.ledger.only("/half").body, b"question");
        assert_gone(&world).await;
        assert_eq!(world.spy.only_logged("/half").end, End::Complete);
    });
}

#[test]
fn a_peer_that_has_said_all_still_hears_the_client() {
    run(async {
        let world = World::new(1);
        let script = [Step::Write(b"all".to_vec()), Step::Finish, Step::Gather];
        world.peers[0].next(Script::switch(&script));
        let mut client = switched(&world, "/half").await;
        assert_eq!(rest(&mut client).await, (b"all".to_vec(), Broken::Ended));
        settle(60 * SECOND).await;
        client.send(b"still here").await;
        client.wire.finish().await;
        assert_gone(&world).await;
        assert_eq!(world.ledger.only("/half").body, b"still here");
        assert_eq!(world.spy.only_logged("/half").end, End::Complete);
    });
}

#[test]
fn what_a_peer_says_right_behind_its_101_is_not_lost() {
    run(async {
        let world = World::new(1);
        let text =
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nfirst words".to_vec();
        world.peers[0].next(Script(vec![Step::Head, Step::Write(text), Step::Close]));
        let mut client = Client::new(&world).await;
        client.send(&ask("/first").bytes()).await;
        client.wire.head().await.unwrap();
        assert_eq!(rest(&mut client).await.0, b"first words");
    });
}

#[test]
fn who_does_not_read_holds_up_who_writes_and_is_let_go() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script::switch(&[Step::Write(noise(10 << 20))]));
        let mut client = switched(&world, "/slow").await;
        settle(10 * SECOND).await;
        let tunnels = &world.group.metrics.tunnels;
        assert!(tunnels.received.get() < 1 << 20, "held up");
        assert_eq!(tunnels.active.get(), 1);
        settle(30 * SECOND).await;
        assert_eq!(world.metrics.limits.write_stall.get(), 1);
        assert!(rest(&mut client).await.0.len() < 1 << 20);
        drop(client);
        assert_gone(&world).await;
        assert_eq!(world.spy.only_logged("/slow").end, End::Cancelled);
    });
}
