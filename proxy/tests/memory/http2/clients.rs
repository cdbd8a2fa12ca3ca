//! Requests of one HTTP/2 connection: side by side, and none the other's business.

use crate::support::h2::{H2Client, connect, get, piece, post, read, send};
use crate::support::{Answer, Ask, Client, End, Form, Plan, Script, Step, World, run, settle};
use bytes::Bytes;
use proxy::session::End as Ending;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

const SECOND: Duration = Duration::from_secs(1);

fn slow() -> Script {
    let answer = Answer::new(200, "slow");
    Script(vec![Step::Body, Step::Wait(SECOND), Step::Answer(answer)])
}

#[test]
fn the_first_bytes_tell_which_http_a_client_speaks() {
    for fragments in [false, true] {
        run(async {
            let mut plan = Plan::new(1);
            plan.fragments = fragments;
            let world = plan.start();
            let mut new = H2Client::new(&world).await;
            let mut old = Client::new(&world).await;
            assert!(new.get("/new").await.unwrap().is_ok());
            assert_eq!(old.ask(&Ask::get("/old")).await.unwrap().status, 200);
            assert!(new.get("/again").await.unwrap().is_ok());
        });
    }
}

#[test]
fn a_method_that_begins_like_the_preface_is_http1() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        client.send(b"PR").await;
        settle(SECOND).await;
        client
            .send(b"OPFIND /dav HTTP/1.1\r\nhost: test\r\n\r\n")
            .await;
        assert_eq!(client.wire.reply("PROPFIND").await.unwrap().status, 200);
    });
}

#[test]
fn requests_of_one_connection_run_side_by_side() {
    run(async {
        let world = World::new(1);
        world.peers[0].always(slow());
        let mut client = H2Client::new(&world).await;
        let mut answers = Vec::new();
        for n in 0..100 {
            let (head, ()) = get(&format!("/{n}")).map(drop).into_parts();
            let request = http::Request::from_parts(head, ());
            answers.push(client.begin(request, true).await.unwrap().0);
        }
        settle(SECOND / 2).await;
        assert_eq!(world.ledger.entries().len(), 100, "before any was answered");
        for answer in answers {
            assert_eq!(read(answer.await.unwrap()).await.unwrap().text(), "slow");
        }
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_stream_that_nobody_reads_does_not_hold_up_the_others() {
    run(async {
        let world = World::new(1);
        let mut large = Answer::new(200, "").form(Form::Chunked);
        large.pieces = vec![vec![b'x'; 100_000]; 50];
        world.peers[0].next(Script::answer(large));
        let mut client = H2Client::roomy(&world).await;
        let (unread, _) = client.begin(get("/unread").map(drop), true).await.unwrap();
        let unread = unread.await.unwrap();
        for _ in 0..10 {
            assert!(client.get("/next").await.unwrap().is_ok());
        }
        assert_eq!(read(unread).await.unwrap().body.len(), 5_000_000);
    });
}

#[test]
fn a_reset_stream_is_cancelled_at_its_peer_and_nowhere_else() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script(vec![Step::Head, Step::Hang]));
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(get("/left").map(drop), true).await.unwrap();
        settle(SECOND).await;
        assert_eq!(world.view()[0].in_flight, 1);
        upload.send_reset(h2::Reason::CANCEL);
        drop(answer);
        settle(SECOND).await;
        assert_eq!(world.spy.only_logged("/left").end, Ending::Cancelled);
        assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
        world.assert_idle();
        assert!(client.get("/stays").await.unwrap().is_ok());
    });
}

#[test]
fn a_reset_in_the_middle_of_an_answer_cancels_it() {
    run(async {
        let world = World::new(1);
        let pieces: [&[u8]; 2] = [b"one", b"two"];
        let answer = Answer::new(200, "").pieces(&pieces, Form::Chunked, 600 * SECOND);
        world.peers[0].next(Script::answer(answer));
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(get("/left").map(drop), true).await.unwrap();
        let mut incoming = answer.await.unwrap().into_body();
        assert_eq!(piece(&mut incoming).await.unwrap().unwrap(), "one");
        upload.send_reset(h2::Reason::CANCEL);
        settle(SECOND).await;
        assert_eq!(world.spy.only_logged("/left").end, Ending::Cancelled);
        world.assert_idle();
        assert!(client.get("/stays").await.unwrap().is_ok());
    });
}

#[test]
fn a_client_that_leaves_cancels_all_its_requests() {
    run(async {
        let world = World::new(1);
        world.peers[0].always(Script(vec![Step::Head, Step::Hang]));
        let mut client = H2Client::new(&world).await;
        let mut answers = Vec::new();
        for n in 0..20 {
            let request = get(&format!("/{n}")).map(drop);
            answers.push(client.begin(request, true).await.unwrap());
        }
        settle(SECOND).await;
        assert_eq!(world.metrics.requests_active.get(), 20);
        client.driver.abort();
        settle(SECOND).await;
        world.assert_idle();
        assert_eq!(world.metrics.connections_active.get(), 0);
        assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
    });
}

#[test]
fn an_answer_that_its_peer_cuts_resets_its_stream_alone() {
    run(async {
        let world = World::new(1);
        let pieces: [&[u8]; 2] = [b"one", b"two"];
        let answer = Answer::new(200, "").pieces(&pieces, Form::Chunked, Duration::ZERO);
        world.peers[0].next(Script::answer(answer.cut(1, End::Reset)));
        let mut client = H2Client::new(&world).await;
        let error = client.get("/cut").await.unwrap_err();
        assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
        assert!(client.get("/stays").await.unwrap().is_ok());
        assert_eq!(world.spy.only_logged("/cut").end, Ending::Cut);
    });
}

#[test]
fn a_hook_that_panics_costs_its_own_stream_only() {
    run(async {
        let mut plan = Plan::new(1);
        plan.wish.panic_in = Some("upstream_group");
        let world = plan.start();
        let mut client = H2Client::new(&world).await;
        for _ in 0..2 {
            assert_eq!(client.get("/panics").await.unwrap().status, 500);
        }
        assert_eq!(world.metrics.panics.get(), 2);
    });
}

#[test]
fn trailers_of_an_answer_pass_but_for_those_that_lie() {
    run(async {
        let world = World::new(1);
        let wire = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n\
            2\r\nhi\r\n0\r\ngrpc-status: 0\r\nx-forwarded-for: 1.2.3.4\r\ncontent-length: 9\r\n\r\n";
        world.peers[0].next(Script(vec![Step::Body, Step::Write(wire.to_vec())]));
        let mut client = H2Client::new(&world).await;
        let reply = client.get("/trailers").await.unwrap();
        let trailers = reply.trailers.as_ref().unwrap();
        assert_eq!(reply.text(), "hi");
        assert_eq!(trailers.len(), 1, "{trailers:?}");
        assert_eq!(trailers["grpc-status"], "0");
    });
}

#[test]
fn events_flush_as_they_come() {
    run(async {
        let world = World::new(1);
        let pieces: [&[u8]; 2] = [b"data: 1\n\n", b"data: 2\n\n"];
        let answer = Answer::new(200, "").pieces(&pieces, Form::Chunked, 10 * SECOND);
        let answer = answer.field("content-type", "text/event-stream");
        world.peers[0].next(Script::answer(answer));
        let mut client = H2Client::new(&world).await;
        let (answer, _) = client.begin(get("/events").map(drop), true).await.unwrap();
        let mut incoming = answer.await.unwrap().into_body();
        for expected in pieces {
            assert_eq!(piece(&mut incoming).await.unwrap().unwrap(), expected);
        }
    });
}

#[test]
fn an_upgrade_to_http2_is_not_offered() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        let ask = Ask::get("/h2c")
            .field("connection", "upgrade, http2-settings")
            .field("upgrade", "h2c")
            .field("http2-settings", "AAMAAABkAAQAAP__");
        assert_eq!(client.ask(&ask).await.unwrap().status, 200);
        let head = world.ledger.only("/h2c").head.unwrap();
        assert_eq!(head.get("upgrade"), None);
        assert_eq!(head.get("http2-settings"), None);
    });
}

#[test]
fn bytes_that_are_no_frames_end_the_connection() {
    run(async {
        let world = World::new(1);
        let mut stream = connect(&world).await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        stream.write_all(preface).await.unwrap();
        stream.write_all(&[0xff; 100]).await.unwrap();
        settle(SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
        assert_eq!(world.metrics.limits.parse.get(), 1);
    });
}

#[test]
fn a_body_goes_through_whole() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        let body = Bytes::from(vec![b'u'; 300_000]);
        let (answer, mut upload) = client.begin(post("/whole"), false).await.unwrap();
        send(&mut upload, body.clone(), true).await.unwrap();
        assert!(read(answer.await.unwrap()).await.unwrap().is_ok());
        assert_eq!(world.ledger.only("/whole").body, body);
    });
}
