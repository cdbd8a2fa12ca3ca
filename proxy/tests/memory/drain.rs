//! Shutting down: requests finish, streams have their time, nothing runs on.

use crate::support::{Answer, Ask, Client, Form, Plan, Script, Step, World, run, settle};
use proxy::network::Network as _;
use proxy::server::Stage;
use proxy::session::End;
use proxy::settings::Probe;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// When the server has ended.
async fn ended(world: World) -> u64 {
    let began = Instant::now();
    world.serving.await.unwrap().unwrap();
    began.elapsed().as_secs()
}

fn slow(wait: Duration) -> Script {
    let answer = Answer::new(200, "done");
    Script(vec![Step::Body, Step::Wait(wait), Step::Answer(answer)])
}

fn stream(pace: Duration) -> Script {
    let pieces: Vec<_> = (0..1000)
        .map(|n| format!("data: {n}\n\n").into_bytes())
        .collect();
    let mut answer = Answer::new(200, "").form(Form::Chunked);
    answer.pieces = pieces;
    answer.pace = pace;
    Script::answer(answer.field("content-type", "text/event-stream"))
}

#[test]
fn nothing_is_probed_after_the_end() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.health_check.probe = Some(Probe::Tcp);
        let world = plan.start();
        settle(10 * SECOND).await;
        let (network, host) = (world.network.clone(), world.peers[0].ip());
        let before = network.connects(host);
        assert!(before > 0);
        world.control.shutdown();
        ended(world).await;
        let after = network.connects(host);
        settle(60 * SECOND).await;
        assert_eq!(network.connects(host), after);
    });
}

#[test]
fn an_idle_server_ends_at_once_and_frees_its_address() {
    run(async {
        let world = World::new(1);
        let mut idle = Client::new(&world).await;
        idle.ask(&Ask::get("/one")).await.unwrap();
        let (network, address) = (world.network.clone(), world.address);
        assert_eq!(world.control.stage(), Stage::Serving);
        let began = Instant::now();
        world.control.shutdown();
        assert_eq!(world.control.stage(), Stage::Draining);
        assert!(idle.is_closed().await);
        assert_eq!(ended(world).await, 0);
        assert_eq!(began.elapsed().as_secs(), 0);
        let refused = network.connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        network.bind(address).unwrap();
    });
}

#[test]
fn requests_in_flight_are_finished_and_their_connections_closed() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(slow(20 * SECOND));
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/finish").bytes()).await;
        settle(SECOND).await;
        world.control.shutdown();
        let reply = client.wire.reply("GET").await.unwrap();
        assert_eq!(reply.text(), "done");
        assert!(reply.closes());
        assert!(client.is_closed().await);
        assert_eq!(ended(world).await, 0);
    });
}

#[test]
fn new_clients_are_refused_while_old_ones_finish() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(slow(20 * SECOND));
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/old").bytes()).await;
        settle(SECOND).await;
        world.control.shutdown();
        settle(SECOND).await;
        let connecting = world.network.connect(world.address).await;
        assert!(connecting.is_err(), "a listener that nobody accepts from");
        assert_eq!(client.wire.reply("GET").await.unwrap().status, 200);
    });
}

#[test]
fn requests_end_at_their_limit_and_streams_at_theirs() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.timeouts.first_byte = None;
        plan.group.timeouts.total = None;
        let world = plan.start();
        let spy = std::sync::Arc::clone(&world.spy);
        world.peers[0].next(Script::then(Step::Hang));
        let mut request = Client::new(&world).await;
        request.send(&Ask::get("/request").bytes()).await;
        settle(SECOND).await;
        world.peers[0].next(stream(10 * SECOND));
        let mut streaming = Client::new(&world).await;
        streaming.send(&Ask::get("/stream").bytes()).await;
        let reply = streaming.wire.reply_head("GET").await.unwrap();
        let began = Instant::now();
        world.control.shutdown();
        assert!(request.wire.reply("GET").await.is_err());
        assert_eq!(began.elapsed().as_secs(), 30);
        assert_eq!(spy.only_logged("/request").end, End::Cancelled);
        let mut events = 0;
        let cut = streaming.wire.body(reply.framing, |_| events += 1).await;
        assert_eq!(cut, Ok(Vec::new()), "a stream ends in order");
        assert_eq!(began.elapsed().as_secs(), 300);
        assert!(events >= 30);
        assert_eq!(spy.only_logged("/stream").end, End::Cancelled);
        assert!(ended(world).await < 3);
    });
}

#[test]
fn a_stream_that_ends_by_itself_is_not_cut() {
    run(async {
        let world = World::new(1);
        let pieces: [&[u8]; 3] = [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"];
        let answer = Answer::new(200, "").pieces(&pieces, Form::Chunked, 60 * SECOND);
        let answer = answer.field("content-type", "text/event-stream");
        world.peers[0].next(Script::answer(answer));
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/ends").bytes()).await;
        settle(SECOND).await;
        world.control.shutdown();
        let reply = client.wire.reply("GET").await.unwrap();
        assert!(reply.text().ends_with("data: 3\n\n"));
        assert_eq!(ended(world).await, 0);
    });
}

#[test]
fn closing_ends_everything_now() {
    for draining in [false, true] {
        run(async {
            let world = World::new(1);
            world.peers[0].next(Script::then(Step::Hang));
            let mut request = Client::new(&world).await;
            request.send(&Ask::get("/now").bytes()).await;
            settle(SECOND).await;
            if draining {
                world.control.shutdown();
                settle(SECOND).await;
            }
            world.control.close();
            assert!(request.wire.reply("GET").await.is_err());
            let spy = std::sync::Arc::clone(&world.spy);
            assert_eq!(ended(world).await, 0);
            assert_eq!(spy.only_logged("/now").end, End::Cancelled);
        });
    }
}
