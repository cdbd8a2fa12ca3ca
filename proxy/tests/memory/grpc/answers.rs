//! How calls end: by their servers, and when there is none.

use super::call::{answer, call, ended, message, only_status, said, status};
use crate::support::h2::{H2Client, H2Reply, get, read};
use crate::support::h2_peer::H2Peer;
use crate::support::{Plan, World, run, settle};
use bytes::Bytes;
use h2::Reason;
use http::Response;
use proxy::metrics::Counter;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn ask(world: &World, path: &str) -> H2Reply {
    let mut client = H2Client::new(world).await;
    client.ask(said(path)).await.unwrap()
}

#[test]
fn a_call_that_no_peer_takes_is_unavailable_and_its_head_is_all() {
    run(async {
        let world = Plan::http2(2).start();
        let reply = ask(&world, "/call").await;
        assert_eq!(ended(&reply), ("14".to_owned(), true));
        assert_eq!(reply.field("content-type"), Some("application/grpc"));
        assert_eq!(
            reply.field("proxy-status"),
            Some("backstay; error=connection_refused")
        );
        assert!(
            reply
                .field("grpc-message")
                .unwrap()
                .contains("no connection")
        );
        assert!(reply.body.is_empty() && reply.trailers.is_none());
        assert_eq!(world.group.metrics.calls[14].get(), 1);
        // Who does not speak gRPC is told in the words of HTTP.
        let mut client = H2Client::new(&world).await;
        assert_eq!(client.get("/plain").await.unwrap().status, 502);
        let counted: u64 = world.group.metrics.calls.iter().map(Counter::get).sum();
        assert_eq!(counted, 1);
        world.assert_idle();
    });
}

#[test]
fn what_goes_wrong_here_has_the_code_that_says_so() {
    run(async {
        let mut plan = Plan::http2(1);
        plan.group.policy.max_in_flight = 1;
        let world = plan.start();
        H2Peer::start(&world, 0, |_, respond| async {
            settle(SECOND * 100).await;
            answer(respond, "late", 0);
        });
        let mut client = H2Client::new(&world).await;
        let (slow, _) = client.begin(call("/slow"), true).await.unwrap();
        settle(SECOND).await;
        // The one place is taken.
        assert_eq!(ended(&ask(&world, "/busy").await).0, "8");
        // No head within `first_byte`.
        let slow = read(slow.await.unwrap()).await.unwrap();
        assert_eq!(ended(&slow).0, "4");
        let mut large = said("/large");
        for n in 0..200 {
            let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
            large.headers_mut().insert(name, "1".parse().unwrap());
        }
        let reply = client.ask(large).await.unwrap();
        assert_eq!(ended(&reply), ("8".to_owned(), true));
    });
}

#[test]
fn a_call_that_no_peer_has_looked_at_runs_elsewhere() {
    run(async {
        let world = Plan::http2(2).start();
        let refusing = H2Peer::start(&world, 0, |_, mut respond| async move {
            respond.send_reset(Reason::REFUSED_STREAM);
        });
        H2Peer::start(&world, 1, |_, respond| async { answer(respond, "done", 0) });
        let reply = ask(&world, "/call").await;
        assert_eq!(ended(&reply), ("0".to_owned(), false));
        assert_eq!(reply.body, message("done"));
        assert_eq!(refusing.paths(), ["/call"]);
    });
}

#[test]
fn a_call_that_may_have_run_is_not_repeated() {
    run(async {
        let world = Plan::http2(2).start();
        H2Peer::start(&world, 0, |_, mut respond| async move {
            respond.send_reset(Reason::INTERNAL_ERROR);
        });
        let other = H2Peer::start(&world, 1, |_, respond| async {
            answer(respond, "twice", 0);
        });
        assert_eq!(ended(&ask(&world, "/call").await), ("14".to_owned(), true));
        assert!(other.paths().is_empty());
    });
}

#[test]
fn a_status_without_a_message_counts_as_the_status_of_http_that_says_as_much() {
    for (code, failures) in [
        (0, 0),
        (1, 0),
        (4, 0),
        (5, 0),
        (8, 0),
        (12, 0),
        // As 500: it may be the request's own fault, so it does not count in a row.
        (2, 0),
        (13, 0),
        (14, 1),
    ] {
        run(async {
            let world = Plan::http2(2).start();
            H2Peer::start(&world, 0, move |_, respond| async move {
                only_status(respond, code);
            });
            let other = H2Peer::start(&world, 1, |_, respond| async { answer(respond, "x", 0) });
            let reply = ask(&world, "/call").await;
            assert_eq!(ended(&reply), (code.to_string(), true), "as the peer said");
            assert!(other.paths().is_empty(), "{code} may have run");
            assert_eq!(world.view()[0].failures, failures, "{code}");
            let said = world.group.peers[0].metrics.attempts.failed_status.get();
            assert_eq!(said, u64::from([2, 13, 14].contains(&code)), "{code}");
            assert_eq!(world.group.metrics.calls[usize::from(code)].get(), 1);
        });
    }
}

#[test]
fn an_unavailable_call_that_may_run_twice_is_tried_elsewhere() {
    run(async {
        let world = Plan::http2(2).start();
        H2Peer::start(&world, 0, |_, respond| async { only_status(respond, 14) });
        H2Peer::start(&world, 1, |_, respond| async {
            answer(respond, "other", 0);
        });
        let mut read_only = get("/call");
        *read_only.headers_mut() = call("/call").headers().clone();
        let mut client = H2Client::new(&world).await;
        let reply = client.ask(read_only).await.unwrap();
        assert_eq!(
            (ended(&reply).0, reply.body),
            ("0".to_owned(), message("other").to_vec())
        );
    });
}

#[test]
fn an_unavailable_after_messages_counts_when_it_comes() {
    for (code, failures) in [(14, 1), (2, 0), (0, 0)] {
        run(async {
            let world = Plan::http2(1).start();
            H2Peer::start(&world, 0, move |_, mut respond| async move {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                body.send_data(message("one"), false).unwrap();
                settle(SECOND).await;
                body.send_trailers(status(code)).unwrap();
            });
            let mut client = H2Client::new(&world).await;
            let (answer, mut upload) = client.begin(call("/call"), false).await.unwrap();
            upload.send_data(message("ask"), true).unwrap();
            let answer = answer.await.unwrap();
            assert_eq!(world.view()[0].failures, 0);
            let reply = read(answer).await.unwrap();
            assert_eq!(ended(&reply), (code.to_string(), false));
            assert_eq!(world.view()[0].failures, failures, "{code}");
            assert_eq!(world.group.metrics.calls[usize::from(code)].get(), 1);
        });
    }
}

#[test]
fn a_call_that_its_peer_cuts_ends_with_a_status() {
    run(async {
        let world = Plan::http2(1).start();
        H2Peer::start(&world, 0, |_, mut respond| async move {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            body.send_data(message("one"), false).unwrap();
            body.send_data(Bytes::from_static(b"\0\0\0\0\x09half"), false)
                .unwrap();
            std::future::pending::<()>().await;
        });
        let mut client = H2Client::new(&world).await;
        let (answer, _upload) = client.begin(call("/call"), false).await.unwrap();
        let answer = answer.await.unwrap();
        world.network.kill(world.peers[0].ip());
        let reply = read(answer).await.unwrap();
        assert_eq!(ended(&reply), ("14".to_owned(), false));
        assert_eq!(world.view()[0].failures, 1);
        settle(SECOND).await;
        world.assert_idle();
    });
}
