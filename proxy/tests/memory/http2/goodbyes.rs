//! Peers that take nothing at present, or little.

use crate::support::h2::{H2Client, get, post, read};
use crate::support::h2_peer::{H2Peer, hello, listen};
use crate::support::{PROXY, Plan, run, settle};
use bytes::Bytes;
use proxy::memory::{MemoryStream, Passage};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[test]
fn a_peer_that_hands_back_what_comes_on_a_new_connection_is_left() {
    run(async {
        let world = Plan::http2(2).start();
        let connections = Rc::new(Cell::new(0));
        let counted = Rc::clone(&connections);
        listen(&world, 0, move |stream| {
            counted.set(counted.get() + 1);
            leaving(stream)
        });
        H2Peer::start(&world, 1, |_, respond| async { hello(respond, "done") });
        let mut client = H2Client::new(&world).await;
        assert_eq!(client.get("/get").await.unwrap().text(), "done");
        assert_eq!(connections.get(), 2, "one may have been too old");
        let post = post("/post").map(|()| Bytes::from_static(b"say"));
        assert_eq!(client.ask(post).await.unwrap().text(), "done");
        assert_eq!(world.view()[0].failures, 0);
        assert_eq!(client.ask(get("/get")).await.unwrap().text(), "done");
    });
}

/// Says, once it was asked something, that it has not looked at anything (RFC 9113 §6.8).
async fn leaving(mut stream: MemoryStream) {
    let mut preface = [0; 24];
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let goodbye = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if stream.read_exact(&mut preface).await.is_err() || stream.write_all(&settings).await.is_err()
    {
        return;
    }
    loop {
        let mut header = [0; 9];
        if stream.read_exact(&mut header).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; length as usize];
        if stream.read_exact(&mut payload).await.is_err() {
            return;
        }
        // A head.
        if header[3] == 1 {
            drop(stream.write_all(&goodbye).await);
        }
    }
}

#[test]
fn a_peer_is_asked_no_more_than_it_takes_from_the_first_moment_on() {
    run(async {
        let world = Plan::http2(1).start();
        let way = Passage {
            latency: Duration::from_millis(50),
            ..Passage::default()
        };
        let peer = world.peers[0].ip();
        world.network.set_passage(PROXY, peer, way);
        world.network.set_passage(peer, PROXY, way);
        listen(&world, 0, |stream| async {
            let mut builder = h2::server::Builder::new();
            builder.max_concurrent_streams(1);
            let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
            while let Some(Ok((_, respond))) = connection.accept().await {
                tokio::task::spawn_local(async {
                    settle(Duration::from_secs(1)).await;
                    hello(respond, "done");
                });
            }
        });
        let mut client = H2Client::new(&world).await;
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(client.begin(post("/"), true).await.unwrap().0);
        }
        for answer in answers {
            assert_eq!(read(answer.await.unwrap()).await.unwrap().text(), "done");
        }
        let attempts = &world.group.peers[0].metrics.attempts;
        assert_eq!((attempts.answered.get(), attempts.stale.get()), (3, 0));
    });
}

#[test]
fn a_peer_that_stands_still_is_found_out_before_it_is_asked() {
    run(async {
        let world = Plan::http2(2).start();
        H2Peer::start(&world, 0, |_, respond| async { hello(respond, "frozen") });
        H2Peer::start(&world, 1, |_, respond| async { hello(respond, "done") });
        world.network.freeze(world.peers[0].ip());
        let mut client = H2Client::new(&world).await;
        let post = post("/post").map(|()| Bytes::from_static(b"say"));
        assert_eq!(client.ask(post).await.unwrap().text(), "done");
        assert_eq!(world.group.peers[0].metrics.attempts.connect.get(), 1);
    });
}
