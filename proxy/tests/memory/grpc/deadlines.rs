//! How long a call may take: its client says so.

use super::call::{answer, call, ended, message, said, say_once};
use crate::support::h2::{H2Client, read};
use crate::support::h2_peer::H2Peer;
use crate::support::{Plan, run, settle, within};
use h2::Reason;
use http::{HeaderValue, Request};
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn bounded<T>(mut call: Request<T>, timeout: &'static str) -> Request<T> {
    let timeout = HeaderValue::from_static(timeout);
    call.headers_mut().insert("grpc-timeout", timeout);
    call
}

#[test]
fn a_call_without_an_answer_ends_at_its_deadline_and_its_peer_hears_of_it() {
    run(async {
        let world = Plan::http2(1).start();
        let reset = Rc::new(Cell::new(None));
        let told = Rc::clone(&reset);
        H2Peer::start(&world, 0, move |_, mut respond| {
            let told = Rc::clone(&told);
            async move { told.set(poll_fn(|cx| respond.poll_reset(cx)).await.ok()) }
        });
        let mut client = H2Client::new(&world).await;
        let asked = client.ask(bounded(said("/call"), "2S"));
        let reply = within(SECOND * 3, asked).await.unwrap();
        assert_eq!(ended(&reply), ("4".to_owned(), true));
        settle(SECOND).await;
        assert_eq!(reset.get(), Some(Reason::CANCEL));
        assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
        world.assert_idle();
    });
}

#[test]
fn no_deadline_of_a_client_takes_a_peer_out() {
    run(async {
        let world = Plan::http2(1).start();
        H2Peer::start(&world, 0, |_, respond| async {
            settle(SECOND).await;
            answer(respond, "there", 0);
        });
        world.network.freeze(world.peers[0].ip());
        let mut client = H2Client::new(&world).await;
        for _ in 0..20 {
            let reply = client.ask(bounded(said("/call"), "1n")).await.unwrap();
            assert_eq!(ended(&reply).0, "4");
        }
        world.network.thaw(world.peers[0].ip());
        let reply = client.ask(bounded(said("/call"), "10S")).await.unwrap();
        assert_eq!(ended(&reply).0, "0");
    });
}

#[test]
fn a_stream_ends_at_its_deadline_with_trailers_that_say_so() {
    run(async {
        let world = Plan::http2(1).start();
        say_once(&world);
        let mut client = H2Client::new(&world).await;
        let (answer, _upload) = client
            .begin(bounded(call("/call"), "5S"), false)
            .await
            .unwrap();
        let answer = answer.await.unwrap();
        let reply = within(SECOND * 6, read(answer)).await.unwrap();
        assert_eq!(ended(&reply), ("4".to_owned(), false));
        assert_eq!(reply.body, message("one"));
        assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_repeated_call_tells_the_next_peer_what_is_left() {
    run(async {
        let world = Plan::http2(2).start();
        let first = H2Peer::start(&world, 0, |_, mut respond| async move {
            settle(SECOND * 4).await;
            respond.send_reset(Reason::REFUSED_STREAM);
        });
        let second = H2Peer::start(&world, 1, |_, respond| async { answer(respond, "x", 0) });
        let mut client = H2Client::new(&world).await;
        let reply = client.ask(bounded(said("/call"), "10S")).await.unwrap();
        assert_eq!(ended(&reply).0, "0");
        assert_eq!(first.seen.borrow()[0].headers()["grpc-timeout"], "10S");
        let left = second.seen.borrow()[0].headers()["grpc-timeout"].clone();
        let micros = left.to_str().unwrap().strip_suffix('u').unwrap();
        let micros: u64 = micros.parse().unwrap();
        assert!((5_800_000..=6_000_000).contains(&micros), "{left:?}");
    });
}
