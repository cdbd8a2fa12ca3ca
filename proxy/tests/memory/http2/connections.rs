//! How many connections a peer of HTTP/2 gets, and what is spoken on them.

use crate::support::h2::{H2Client, get, read};
use crate::support::h2_peer::{hello, listen};
use crate::support::{Ask, CLIENT, Client, Plan, Renewed, listener, run, settings, settle};
use proxy::memory::{MemoryNetwork, MemoryStream};
use proxy::network::Network as _;
use proxy::settings::HttpVersion;
use std::cell::Cell;
use std::io::Cursor;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn another_connection_is_made_when_the_streams_of_one_run_out() {
    run(async {
        let world = Plan::http2(1).start();
        let connections = Rc::new(Cell::new(0));
        let counted = Rc::clone(&connections);
        listen(&world, 0, move |stream| {
            counted.set(counted.get() + 1);
            async move {
                let mut builder = h2::server::Builder::new();
                builder.max_concurrent_streams(2);
                let mut connection = builder.handshake(stream).await.unwrap();
                while let Some(Ok((_, respond))) = connection.accept().await {
                    tokio::task::spawn_local(async move {
                        settle(SECOND).await;
                        hello(respond, "slow");
                    });
                }
            }
        });
        let mut client = H2Client::new(&world).await;
        // Only an answer shows how many streams the peer takes.
        assert!(client.get("/first").await.unwrap().is_ok());
        assert_eq!(connections.get(), 1);
        let began = tokio::time::Instant::now();
        let mut answers = Vec::new();
        for _ in 0..5 {
            let (answer, _) = client.begin(get("/").map(drop), true).await.unwrap();
            answers.push(answer);
        }
        for answer in answers {
            assert_eq!(read(answer.await.unwrap()).await.unwrap().text(), "slow");
        }
        // None has waited for the end of another, but for the first two of a new connection, whose
        // limit is not known before its first answer.
        assert!(
            (2..=3).contains(&connections.get()),
            "{}",
            connections.get()
        );
        let took = began.elapsed();
        assert!(took < SECOND * 3, "{took:?} of virtual time");
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_reload_may_change_the_http_that_is_spoken() {
    run(async {
        let mut first = settings(&[0]);
        first.groups[0].peers[0].url.port = 82;
        let gate = Renewed::start(&first);
        serve_either(&gate.network, SocketAddr::new(gate.peers[0].ip(), 82));
        let mut client = Client::from(&gate.network, listener(8080), CLIENT).await;
        for version in [
            HttpVersion::Http1,
            HttpVersion::Http2,
            HttpVersion::Http1,
            HttpVersion::Http2,
        ] {
            first.groups[0].http_version = version;
            gate.reload(&first).await.unwrap();
            let expected = match version {
                HttpVersion::Http2 => "h2",
                _ => "h1",
            };
            for _ in 0..3 {
                let reply = client.ask(&Ask::post("/", "say")).await.unwrap();
                assert_eq!((reply.status, &*reply.text()), (200, expected));
            }
        }
    });
}

/// A server that speaks what it is spoken to with.
fn serve_either(network: &MemoryNetwork, address: SocketAddr) {
    let network = network.seen_from(address.ip());
    let listener = network.listen(network.bind(address).unwrap()).unwrap();
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = network.accept(&listener).await.unwrap();
            tokio::task::spawn_local(either(stream));
        }
    });
}

async fn either(stream: MemoryStream) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut first = [0; 3];
    if reader.read_exact(&mut first).await.is_err() {
        return;
    }
    let reader = Cursor::new(first).chain(reader);
    if &first == b"PRI" {
        let stream = tokio::io::join(reader, writer);
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, respond))) = connection.accept().await {
            hello(respond, "h2");
        }
        return;
    }
    let mut reader = tokio::io::BufReader::new(reader);
    let mut seen = Vec::new();
    while let Ok(byte) = reader.read_u8().await {
        seen.push(byte);
        if seen.ends_with(b"say") {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nh1";
            writer.write_all(answer).await.unwrap();
            seen.clear();
        }
    }
}
