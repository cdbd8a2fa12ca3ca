//! Connections of whose other end nothing is heard.

use crate::support::Renewed;
use crate::support::{
    Answer, Ask, CLIENT, Client, Form, PROXY, Plan, Script, Step, World, listener, run, settings,
    settle,
};
use proxy::memory::Forgotten;
use proxy::network::Network as _;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// A world whose peers begin an answer and then say nothing more.
fn world(silence: u64) -> World {
    let mut plan = Plan::new(1);
    plan.limits.silence = Duration::from_secs(silence);
    let world = plan.start();
    let head = Answer::new(200, "").form(Form::Chunked).head();
    let never = Step::Wait(100_000 * SECOND);
    world.peers[0].always(Script(vec![Step::Body, Step::Write(head), never]));
    world
}

#[test]
fn an_answer_of_a_peer_that_has_vanished_ends() {
    for silence in [60, 10] {
        run(async {
            let world = world(silence);
            let mut client = Client::new(&world).await;
            client.send(&Ask::get("/").bytes()).await;
            assert_eq!(client.wire.reply_head("GET").await.unwrap().status, 200);
            let began = Instant::now();
            world
                .network
                .forget(world.peers[0].ip(), PROXY, Forgotten::Swallows);
            assert!(client.wire.first_byte().await.is_err());
            assert_eq!(began.elapsed().as_secs(), silence);
            assert_eq!(world.metrics.limits.silence.get(), 1);
        });
    }
}

#[test]
fn a_client_that_has_vanished_is_noticed() {
    run(async {
        let world = world(10);
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/").bytes()).await;
        client.wire.reply_head("GET").await.unwrap();
        world.network.forget(CLIENT, PROXY, Forgotten::Swallows);
        settle(9 * SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 1);
        settle(2 * SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
        assert_eq!(world.metrics.limits.silence.get(), 1);
        world.assert_idle();
        assert_eq!(world.view()[0].failures, 0);
    });
}

#[test]
fn a_reload_changes_how_much_silence_is_too_much() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let mut second = settings(&[0]);
        second.limits.silence = 10 * SECOND;
        gate.reload(&second).await.unwrap();
        let stream = gate.network.seen_from(CLIENT).connect(listener(8080)).await;
        let mut client = Client::over(stream.unwrap());
        client.ask(&Ask::get("/")).await.unwrap();
        gate.network.forget(CLIENT, PROXY, Forgotten::Swallows);
        settle(11 * SECOND).await;
        assert_eq!(gate.metrics.connections_active.get(), 0);
        assert_eq!(gate.metrics.limits.silence.get(), 1);
    });
}
