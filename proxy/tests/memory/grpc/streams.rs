//! Streams of messages: they last as long as both sides want.

use super::call::{call, ended, message, say_once, status};
use crate::support::h2::{H2Client, piece, read};
use crate::support::h2_peer::H2Peer;
use crate::support::{Plan, run, settle};
use http::Response;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3000);

#[test]
fn a_stream_may_be_silent_both_ways() {
    run(async {
        let world = Plan::http2(1).start();
        H2Peer::start(&world, 0, |mut request, mut respond| async move {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            while let Some(said) = piece(request.body_mut()).await.unwrap() {
                body.send_data(said, false).unwrap();
            }
            body.send_trailers(status(0)).unwrap();
        });
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(call("/call"), false).await.unwrap();
        upload.send_data(message("one"), false).unwrap();
        let mut answer = answer.await.unwrap();
        let heard = piece(answer.body_mut()).await.unwrap().unwrap();
        assert_eq!(heard, message("one"));
        settle(HOUR).await;
        upload.send_data(message("two"), true).unwrap();
        let reply = read(answer).await.unwrap();
        assert_eq!(reply.body, message("two"));
        assert_eq!(ended(&reply), ("0".to_owned(), false));
        assert_eq!(world.metrics.limits.body_timeout.get(), 0);
    });
}

#[test]
fn a_stream_that_has_no_head_yet_may_be_silent_too() {
    run(async {
        let world = Plan::http2(1).start();
        H2Peer::start(&world, 0, |mut request, respond| async move {
            // As servers do that have nothing to say before their client has said all.
            while piece(request.body_mut()).await.unwrap().is_some() {}
            super::call::answer(respond, "all", 0);
        });
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(call("/call"), false).await.unwrap();
        upload.send_data(message("one"), false).unwrap();
        settle(HOUR).await;
        upload.send_data(message("two"), true).unwrap();
        let reply = read(answer.await.unwrap()).await.unwrap();
        assert_eq!(ended(&reply), ("0".to_owned(), false));
        assert_eq!(reply.body, message("all"));
    });
}

#[test]
fn a_stream_ends_with_a_status_when_the_server_leaves() {
    run(async {
        let world = Plan::http2(1).start();
        say_once(&world);
        let mut client = H2Client::new(&world).await;
        let (answer, _upload) = client.begin(call("/call"), false).await.unwrap();
        let answer = answer.await.unwrap();
        world.control.shutdown();
        let reply = read(answer).await.unwrap();
        assert_eq!(ended(&reply), ("14".to_owned(), false));
        let message = reply.trailers.unwrap()["grpc-message"].clone();
        assert_eq!(message, "the server is leaving");
    });
}
