//! Requests that move to a target the hooks name, before and after their head went downstream.

use crate::support::{Answer, Ask, Client, End, Form, Plan, Script, Step, World, run, settle};
use bytes::Bytes;
use lb::PeerIndex;
use proxy::group::Group;
use proxy::hooks::{Lost, ResponseAction, Stop, Target, Transform};
use proxy::memory::Connecting;
use proxy::session::End as Ending;
use std::sync::Arc;
use std::time::Duration;

const A: PeerIndex = PeerIndex(0);
const B: PeerIndex = PeerIndex(1);

/// Two peers; requests go to `a` and no other, until they are relocated.
fn pinned() -> Plan {
    let mut plan = Plan::new(2);
    plan.wish.target = Some(Box::new(|_, target| Target {
        pin: Some(A),
        ..target
    }));
    plan
}

/// Names `b` whatever was lost. The group is known only once the world stands.
fn to_b(world_group: &Arc<std::sync::OnceLock<Arc<Group>>>) -> Relocate {
    let group = Arc::clone(world_group);
    Box::new(move |_, _| Some(Target::peer(Arc::clone(group.get()?), B)))
}

type Relocate = Box<dyn Fn(&proxy::session::Session, Lost<'_>) -> Option<Target> + Send + Sync>;

fn start(mut plan: Plan) -> World {
    let cell = Arc::default();
    plan.wish.relocate = Some(to_b(&cell));
    let world = plan.start();
    drop(cell.set(Arc::clone(&world.group)));
    world
}

fn relocated(world: &World, target: &str) -> usize {
    let calls = world.spy.calls(target);
    calls.iter().filter(|call| **call == "relocate").count()
}

#[test]
fn what_was_not_sent_moves_whatever_it_is() {
    run(async {
        let world = start(pinned());
        let lost = world.peers[0].ip();
        world.network.set_connecting(lost, Connecting::Refuse);
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::post("/moved", "once")).await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(relocated(&world, "/moved"), 1);
        let logged = world.spy.only_logged("/moved");
        assert_eq!(logged.attempts.last().unwrap().peer, B);
        world.assert_idle();
    });
}

#[test]
fn what_may_have_run_moves_only_if_it_may_run_twice() {
    run(async {
        for (ask, moves) in [(Ask::post("/unsafe", "x"), 0), (Ask::get("/safe"), 1)] {
            let world = start(pinned());
            world.peers[0].always(Script::then(Step::Reset));
            let mut client = Client::new(&world).await;
            let reply = client.ask(&ask).await.unwrap();
            assert_eq!(relocated(&world, &ask.target), moves, "{}", ask.target);
            assert_eq!(reply.status, if moves == 1 { 200 } else { 502 });
        }
    });
}

#[test]
fn a_request_moves_twice_at_most() {
    run(async {
        let world = start(pinned());
        for peer in &world.peers {
            let connecting = Connecting::Refuse;
            world.network.set_connecting(peer.ip(), connecting);
        }
        let mut client = Client::new(&world).await;
        assert_eq!(client.ask(&Ask::get("/twice")).await.unwrap().status, 502);
        assert_eq!(relocated(&world, "/twice"), 2);
        world.assert_idle();
    });
}

fn refuses_404(plan: &mut Plan) {
    plan.wish.response = Some(Box::new(|_, head, prefix| {
        // Asked once more with the whole answer, if nobody else can serve.
        if head.status == 404 && !prefix.ended {
            return ResponseAction::Relocate("unknown here");
        }
        ResponseAction::Forward
    }));
}

#[test]
fn what_a_peer_refused_goes_to_the_target_that_the_hooks_name() {
    run(async {
        let mut plan = pinned();
        refuses_404(&mut plan);
        let world = start(plan);
        world.peers[0].next(Script::status(404));
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::post("/refused", "x")).await.unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (200, "hello"));
        world.assert_idle();
    });
}

#[test]
fn a_refusal_goes_downstream_when_there_is_no_other_target() {
    run(async {
        let mut plan = pinned();
        refuses_404(&mut plan);
        let world = plan.start();
        world.peers[0].next(Script::status(404));
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::post("/refused", "x")).await.unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (404, "status 404"));
        assert_eq!(relocated(&world, "/refused"), 1);
    });
}

/// Goes on after a cut, and says so when there is nothing to go on with.
#[derive(Debug)]
struct GoesOn;

impl Transform for GoesOn {
    fn data(&mut self, piece: Bytes) -> Bytes {
        piece
    }

    fn goes_on(&self, stop: Stop) -> bool {
        stop == Stop::Cut
    }

    fn cut(&mut self) -> Option<Bytes> {
        Some(Bytes::from_static(b"data: lost\n\n"))
    }
}

fn events(pieces: &[&[u8]]) -> Answer {
    let answer = Answer::new(200, "").field("content-type", "text/event-stream");
    answer.pieces(pieces, Form::Chunked, Duration::ZERO)
}

fn goes_on(plan: &mut Plan) {
    plan.wish.response = Some(Box::new(|_, _, _| {
        ResponseAction::Transform(Box::new(GoesOn))
    }));
}

#[test]
fn an_event_stream_goes_on_with_another_peer_s() {
    run(async {
        for how in [End::Close, End::Reset] {
            let mut plan = pinned();
            goes_on(&mut plan);
            let world = start(plan);
            let first = events(&[b"data: 1\n\n", b"never"]).cut(1, how);
            world.peers[0].next(Script::answer(first));
            world.peers[1].next(Script::answer(events(&[b"data: 2\n\n"])));
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::get("/stream")).await.unwrap();
            assert_eq!(reply.text(), "data: 1\n\ndata: 2\n\n");
            settle(Duration::from_millis(10)).await;
            let logged = world.spy.only_logged("/stream");
            assert_eq!(logged.end, Ending::Complete);
            assert_eq!(logged.response_bytes, 18);
            world.assert_idle();
        }
    });
}

#[test]
fn a_stream_waits_with_comments_until_a_peer_takes_it() {
    run(async {
        let mut plan = pinned();
        plan.group.sse_keepalive = Some(Duration::from_secs(1));
        goes_on(&mut plan);
        let world = start(plan);
        let first = events(&[b"data: 1\n\n", b"never"]).cut(1, End::Reset);
        world.peers[0].next(Script::answer(first));
        world.peers[1].next(Script::answer(events(&[b"data: 2\n\n"])));
        let other = world.peers[1].ip();
        world.network.set_connecting(other, Connecting::Refuse);
        let network = world.network.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            network.set_connecting(other, Connecting::Accept);
        });
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/stream")).await.unwrap();
        let text = reply.text();
        assert!(text.starts_with("data: 1\n\n:\n\n"), "{text}");
        assert!(text.ends_with(":\n\ndata: 2\n\n"), "{text}");
        assert!(relocated(&world, "/stream") > 2);
    });
}

#[test]
fn a_stream_that_nobody_takes_ends_with_the_last_words() {
    run(async {
        let mut plan = pinned();
        goes_on(&mut plan);
        let world = plan.start();
        let first = events(&[b"data: 1\n\n", b"never"]).cut(1, End::Reset);
        world.peers[0].next(Script::answer(first));
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/stream")).await.unwrap();
        assert_eq!(reply.text(), "data: 1\n\ndata: lost\n\n");
        settle(Duration::from_millis(10)).await;
        assert_eq!(world.spy.only_logged("/stream").end, Ending::Cut);
    });
}

#[test]
fn a_client_that_leaves_ends_the_search() {
    run(async {
        let mut plan = pinned();
        goes_on(&mut plan);
        let world = start(plan);
        let first = events(&[b"data: 1\n\n", b"never"]).cut(1, End::Reset);
        world.peers[0].next(Script::answer(first));
        let other = world.peers[1].ip();
        world.network.set_connecting(other, Connecting::Refuse);
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/stream").bytes()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.group.metrics.active.get(), 1);
        drop(client);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = relocated(&world, "/stream");
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(relocated(&world, "/stream"), asked);
        assert_eq!(world.spy.only_logged("/stream").end, Ending::Cancelled);
        world.assert_idle();
    });
}

#[test]
fn hooks_ask_a_peer_in_their_own_name() {
    run(async {
        let mut plan = Plan::new(2);
        plan.wish.own = Some(B);
        let world = plan.start();
        let own = world.peers[1].ip();
        let mut client = Client::new(&world).await;
        assert_eq!(client.ask(&Ask::get("/one")).await.unwrap().status, 200);
        world.network.set_connecting(own, Connecting::Refuse);
        assert_eq!(client.ask(&Ask::get("/two")).await.unwrap().status, 200);
        world.network.set_connecting(own, Connecting::Accept);
        world.peers[1].next(Script::then(Step::Hang));
        assert_eq!(client.ask(&Ask::get("/three")).await.unwrap().status, 200);
        let own = world.spy.own();
        assert_eq!(own[0], Ok((200, Bytes::from_static(b"hello"))));
        assert_eq!(own[1], Err("every attempt failed".to_owned()));
        assert_eq!(own[2], Err("every attempt failed".to_owned()));
        world.assert_idle();
    });
}
