//! HTTP/2 towards peers: one connection for many requests, and what becomes of each.

use crate::support::h2::{H2Client, block, get, piece, post, read, send};
use crate::support::h2_peer::{H2Peer, drain, hello, listen};
use crate::support::{Ask, Client, Plan, run, settle};
use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderValue, Response};
use proxy::memory::MemoryStream;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn requests_that_come_at_once_share_one_connection() {
    run(async {
        let world = Plan::http2(1).start();
        let peer = H2Peer::start(&world, 0, |_, respond| async {
            settle(SECOND).await;
            hello(respond, "slow");
        });
        let mut client = H2Client::new(&world).await;
        let mut answers = Vec::new();
        for n in 0..100 {
            let request = get(&format!("/{n}")).map(drop);
            answers.push(client.begin(request, true).await.unwrap().0);
        }
        settle(SECOND / 2).await;
        assert_eq!(peer.seen.borrow().len(), 100, "before any was answered");
        for answer in answers {
            assert_eq!(read(answer.await.unwrap()).await.unwrap().text(), "slow");
        }
        assert_eq!(peer.connections.get(), 1);
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_request_of_http1_is_said_in_http2() {
    run(async {
        let world = Plan::http2(1).start();
        let peer = H2Peer::start(&world, 0, |_, respond| async { hello(respond, "hi") });
        let mut client = Client::new(&world).await;
        let ask = Ask::get("/path?query")
            .field("host", "example.com")
            .field("connection", "keep-alive, x-mine")
            .field("x-mine", "1");
        let reply = client.ask(&ask).await.unwrap();
        assert_eq!((reply.status, &*reply.text()), (200, "hi"));
        let seen = peer.seen.borrow();
        assert_eq!(seen[0].uri(), "http://example.com/path?query");
        let fields = seen[0].headers();
        for name in ["host", "connection", "x-mine", "content-length"] {
            assert!(!fields.contains_key(name), "{name}");
        }
        assert_eq!(fields["te"], "trailers");
        assert!(fields["via"].to_str().unwrap().starts_with("1.1 "));
    });
}

#[test]
fn a_refused_stream_goes_elsewhere_whatever_its_method() {
    run(async {
        let world = Plan::http2(2).start();
        let refusing = H2Peer::start(&world, 0, |_, mut respond| async move {
            respond.send_reset(Reason::REFUSED_STREAM);
        });
        let other = H2Peer::start(&world, 1, |mut request, respond| async move {
            assert_eq!(drain(request.body_mut()).await.unwrap().0, 3);
            hello(respond, "done");
        });
        let mut client = H2Client::new(&world).await;
        let ask = post("/once").map(|()| Bytes::from_static(b"say"));
        assert_eq!(client.ask(ask).await.unwrap().text(), "done");
        assert_eq!(refusing.paths(), ["/once"]);
        assert_eq!(other.paths(), ["/once"]);
    });
}

#[test]
fn what_a_goaway_leaves_out_runs_on_a_new_connection_and_the_rest_is_answered() {
    run(async {
        let world = Plan::http2(1).start();
        let connections = Rc::new(Cell::new(0));
        let counted = Rc::clone(&connections);
        listen(&world, 0, move |mut stream| {
            counted.set(counted.get() + 1);
            let first = counted.get() == 1;
            async move {
                if first {
                    leave_one_out(&mut stream).await;
                    return;
                }
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    assert_eq!(request.uri().path(), "/second");
                    hello(respond, "done");
                }
            }
        });
        let mut client = H2Client::new(&world).await;
        let (first, _) = client.begin(post("/first"), true).await.unwrap();
        let (second, _) = client.begin(post("/second"), true).await.unwrap();
        let second = read(second.await.unwrap()).await.unwrap();
        assert_eq!((second.status, second.text()), (200, "done"));
        assert_eq!(read(first.await.unwrap()).await.unwrap().status, 201);
        assert_eq!(connections.get(), 2);
    });
}

/// Says after two requests that only the first is looked at, and answers it later.
async fn leave_one_out(stream: &mut MemoryStream) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    write(stream, 4, 0, 0, b"").await;
    let mut heads = 0;
    while heads < 2 {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await.unwrap();
        let length = usize::from(header[1]) << 8 | usize::from(header[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        heads += i32::from(header[3] == 1);
    }
    write(stream, 7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]).await;
    settle(SECOND).await;
    write(stream, 1, 4 | 1, 1, &block(&[(":status", "201")])).await;
    settle(SECOND).await;
}

/// A frame by hand.
async fn write(
    stream: &mut (impl tokio::io::AsyncWrite + Unpin),
    kind: u8,
    flags: u8,
    id: u8,
    payload: &[u8],
) {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, id];
    frame.extend(payload);
    // The proxy may have closed.
    drop(stream.write_all(&frame).await);
}

#[test]
fn a_reset_in_the_middle_of_a_body_is_a_cut() {
    run(async {
        let world = Plan::http2(1).start();
        H2Peer::start(&world, 0, |_, mut respond| async move {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            body.send_data(Bytes::from_static(b"half"), false).unwrap();
            settle(SECOND).await;
            body.send_reset(Reason::INTERNAL_ERROR);
        });
        let mut client = H2Client::new(&world).await;
        let (answer, _) = client.begin(get("/").map(drop), true).await.unwrap();
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(piece(&mut body).await.unwrap().unwrap(), "half");
        assert!(piece(&mut body).await.is_err(), "not the end");
        let body = &world.group.peers[0].metrics.attempts.body;
        assert_eq!(body.get(), 1);
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_client_that_leaves_resets_its_stream_and_no_other() {
    run(async {
        let world = Plan::http2(1).start();
        let reset = Rc::new(Cell::new(None));
        let told = Rc::clone(&reset);
        let peer = H2Peer::start(&world, 0, move |request, mut respond| {
            let told = Rc::clone(&told);
            async move {
                if request.uri().path() == "/leaves" {
                    let reason = poll_fn(|cx| respond.poll_reset(cx)).await;
                    told.set(reason.ok());
                } else {
                    settle(SECOND * 2).await;
                    hello(respond, "stays");
                }
            }
        });
        let mut client = H2Client::new(&world).await;
        let (stays, _) = client.begin(get("/stays").map(drop), true).await.unwrap();
        let (leaves, _) = client.begin(get("/leaves").map(drop), true).await.unwrap();
        settle(SECOND).await;
        drop(leaves);
        settle(SECOND / 2).await;
        assert_eq!(reset.get(), Some(Reason::CANCEL));
        assert_eq!(read(stays.await.unwrap()).await.unwrap().text(), "stays");
        assert!(client.get("/next").await.unwrap().is_ok());
        assert_eq!(peer.connections.get(), 1);
        assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn no_repeatable_request_fails_when_a_peer_dies_under_load() {
    run(async {
        let world = Plan::http2(2).start();
        let dying = H2Peer::start(&world, 0, |_, respond| async {
            settle(SECOND).await;
            hello(respond, "slow");
        });
        H2Peer::start(&world, 1, |_, respond| async { hello(respond, "other") });
        let mut client = H2Client::new(&world).await;
        let mut answers = Vec::new();
        for n in 0..50 {
            let request = get(&format!("/{n}")).map(drop);
            answers.push(client.begin(request, true).await.unwrap().0);
        }
        settle(SECOND / 2).await;
        assert_eq!(dying.seen.borrow().len(), 50);
        world.network.kill(world.peers[0].ip());
        for answer in answers {
            let reply = read(answer.await.unwrap()).await.unwrap();
            assert_eq!((reply.status, reply.text()), (200, "other"));
        }
    });
}

#[test]
fn a_peer_that_answers_no_ping_is_given_up() {
    run(async {
        let mut plan = Plan::http2(1);
        plan.group.timeouts.first_byte = None;
        plan.group.timeouts.total = None;
        let world = plan.start();
        let peer = H2Peer::start(&world, 0, |request, respond| async move {
            if request.uri().path() == "/silent" {
                std::future::pending::<()>().await;
            }
            hello(respond, "back");
        });
        let mut client = H2Client::new(&world).await;
        let (silent, _) = client.begin(post("/silent"), true).await.unwrap();
        settle(SECOND * 300).await;
        assert_eq!(world.metrics.requests_active.get(), 1, "it answers PINGs");
        world.network.freeze(world.peers[0].ip());
        assert_eq!(read(silent.await.unwrap()).await.unwrap().status, 502);
        world.network.thaw(world.peers[0].ip());
        assert_eq!(client.get("/next").await.unwrap().text(), "back");
        assert_eq!(peer.connections.get(), 2);
    });
}

#[test]
fn trailers_pass_both_ways() {
    run(async {
        let world = Plan::http2(1).start();
        let seen = Rc::new(RefCell::new(None));
        let told = Rc::clone(&seen);
        H2Peer::start(&world, 0, move |mut request, mut respond| {
            let told = Rc::clone(&told);
            async move {
                let (_, trailers) = drain(request.body_mut()).await.unwrap();
                *told.borrow_mut() = trailers;
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                body.send_data(Bytes::from_static(b"data"), false).unwrap();
                body.send_trailers(status("0")).unwrap();
            }
        });
        let mut client = H2Client::new(&world).await;
        let mut request = post("/grpc");
        let trailers = HeaderValue::from_static("trailers");
        request.headers_mut().insert("te", trailers);
        let (answer, mut upload) = client.begin(request, false).await.unwrap();
        upload.send_data(Bytes::from_static(b"ask"), false).unwrap();
        upload.send_trailers(status("7")).unwrap();
        let reply = read(answer.await.unwrap()).await.unwrap();
        assert_eq!(reply.text(), "data");
        assert_eq!(reply.trailers, Some(status("0")));
        assert_eq!(*seen.borrow(), Some(status("7")));
    });
}

fn status(code: &'static str) -> HeaderMap {
    let code = HeaderValue::from_static(code);
    [(http::HeaderName::from_static("grpc-status"), code)]
        .into_iter()
        .collect()
}

#[test]
fn both_directions_run_at_once() {
    run(async {
        let world = Plan::http2(1).start();
        H2Peer::start(&world, 0, |mut request, mut respond| async move {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            while let Some(said) = piece(request.body_mut()).await.unwrap() {
                body.send_data(said, false).unwrap();
            }
            body.send_data(Bytes::new(), true).unwrap();
        });
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(post("/echo"), false).await.unwrap();
        let mut incoming = answer.await.unwrap().into_body();
        for n in 0..20 {
            let said = Bytes::from(format!("word {n}"));
            send(&mut upload, said.clone(), false).await.unwrap();
            assert_eq!(piece(&mut incoming).await.unwrap().unwrap(), said);
        }
        upload.send_data(Bytes::new(), true).unwrap();
        assert_eq!(piece(&mut incoming).await.unwrap(), None);
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn an_early_answer_comes_through_an_upload_that_has_no_room() {
    run(async {
        let world = Plan::http2(1).start();
        H2Peer::start(&world, 0, |request, mut respond| async move {
            let early = Response::builder().status(413).body(()).unwrap();
            let mut body = respond.send_response(early, false).unwrap();
            settle(SECOND).await;
            body.send_data(Bytes::from_static(b"too much"), true)
                .unwrap();
            drop(request);
        });
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(post("/big"), false).await.unwrap();
        tokio::task::spawn_local(async move {
            let body = Bytes::from(vec![b'x'; 10 << 20]);
            drop(send(&mut upload, body, true).await);
        });
        let reply = read(answer.await.unwrap()).await.unwrap();
        assert_eq!((reply.status, reply.text()), (413, "too much"));
        assert!(world.view()[0].failures == 0, "no fault of the peer");
    });
}

#[test]
fn a_client_that_reads_only_after_its_upload_gets_its_answer() {
    for http1 in [false, true] {
        run(async move {
            let world = Plan::http2(1).start();
            H2Peer::start(&world, 0, |mut request, mut respond| async move {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                let first = Bytes::from(vec![b'e'; 150_000]);
                body.send_data(first, false).unwrap();
                let (length, _) = drain(request.body_mut()).await.unwrap();
                assert_eq!(length, 10 << 20);
                body.send_data(Bytes::from_static(b"late"), true).unwrap();
            });
            let upload = vec![b'u'; 10 << 20];
            let body = if http1 {
                let mut client = Client::new(&world).await;
                client.send(&Ask::post("/late", upload).bytes()).await;
                client.wire.reply("POST").await.unwrap().body
            } else {
                let mut client = H2Client::new(&world).await;
                let (answer, mut sending) = client.begin(post("/late"), false).await.unwrap();
                send(&mut sending, upload.into(), true).await.unwrap();
                read(answer.await.unwrap()).await.unwrap().body
            };
            assert_eq!(body.len(), 150_004);
        });
    }
}
