//! What a proxy must refuse, from clients and from peers.

use crate::support::{Ask, Broken, Client, Plan, Reply, Script, Step, World, run, settle};
use std::time::Duration;

/// Sends bytes and reads one answer.
async fn raw(world: &World, bytes: &[u8]) -> Result<Reply, Broken> {
    let mut client = Client::new(world).await;
    client.send(bytes).await;
    client.wire.reply("GET").await
}

#[test]
fn a_request_has_exactly_one_sound_host() {
    for (head, status) in [
        ("GET /h HTTP/1.1\r\nhost: a.example\r\n\r\n", 200),
        ("GET /h HTTP/1.1\r\nhost: a.example:8080\r\n\r\n", 200),
        ("GET /h HTTP/1.1\r\nhost: [::1]:80\r\n\r\n", 200),
        (
            "GET http://a.example/h HTTP/1.1\r\nhost: A.example\r\n\r\n",
            200,
        ),
        ("GET /h HTTP/1.1\r\n\r\n", 400),
        ("GET /h HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        ("GET /h HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        ("GET /h HTTP/1.1\r\nhost:\r\n\r\n", 400),
        ("GET /h HTTP/1.1\r\nhost: user@a\r\n\r\n", 400),
        ("GET /h HTTP/1.1\r\nhost: a/b\r\n\r\n", 400),
        ("GET /h HTTP/1.1\r\nhost: a,b\r\n\r\n", 400),
        ("GET /h HTTP/1.1\r\nhost: a:b\r\n\r\n", 400),
        (
            "GET http://a.example/h HTTP/1.1\r\nhost: b.example\r\n\r\n",
            400,
        ),
        (
            "GET http://u:p@a.example/h HTTP/1.1\r\nhost: a.example\r\n\r\n",
            400,
        ),
        (
            "GET ftp://a.example/h HTTP/1.1\r\nhost: a.example\r\n\r\n",
            400,
        ),
    ] {
        run(async {
            let world = World::new(1);
            let reply = raw(&world, head.as_bytes()).await.unwrap();
            assert_eq!(reply.status, status, "{head:?}");
            let received = usize::from(status == 200);
            assert_eq!(world.ledger.entries().len(), received, "{head:?}");
            if status == 200 {
                assert!(world.ledger.only("/h").complete);
            }
        });
    }
}

#[test]
fn a_length_in_doubt_is_refused() {
    let post =
        |fields: &str, body: &str| format!("POST /len HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}");
    for (request, statuses) in [
        (
            post("content-length: 3\r\ncontent-length: 4\r\n", "abcd"),
            vec![400],
        ),
        (post("content-length: +3\r\n", "abc"), vec![400]),
        (post("content-length: 3, 3\r\n", "abc"), vec![400]),
        (post("content-length: \r\n", ""), vec![400]),
        (
            post("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            vec![400, 501],
        ),
        (
            post("transfer-encoding: gzip\r\n", "0\r\n\r\n"),
            vec![400, 501],
        ),
        (
            post("transfer-encoding: identity\r\n", "0\r\n\r\n"),
            vec![400, 501],
        ),
        (
            post(
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            vec![400, 501],
        ),
        (post("content_length: 3\r\n", ""), vec![400]),
        (post("transfer_encoding: chunked\r\n", ""), vec![400]),
        (
            "POST /len HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
            vec![400],
        ),
    ] {
        run(async {
            let world = World::new(1);
            let reply = raw(&world, request.as_bytes()).await.unwrap();
            assert!(
                statuses.contains(&reply.status),
                "{request:?}: {}",
                reply.status
            );
            assert!(reply.closes(), "{request:?}");
            assert!(world.ledger.entries().is_empty(), "{request:?}");
        });
    }
}

#[test]
fn of_two_lengths_a_peer_sees_one_and_the_connection_ends() {
    run(async {
        let world = World::new(1);
        let request = b"POST /both HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\
            transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
        let mut client = Client::new(&world).await;
        client.send(request).await;
        let reply = client.wire.reply("POST").await.unwrap();
        if reply.status == 200 {
            let entry = world.ledger.only("/both");
            assert_eq!(entry.body, b"hello");
            let head = entry.head.unwrap();
            assert_eq!(
                head.all("content-length").len() + head.all("transfer-encoding").len(),
                1
            );
            // RFC 9112 §6.3: what follows on the connection is not to be trusted.
            assert!(reply.closes(), "{:?}", reply.head);
        } else {
            assert_eq!(reply.status, 400);
        }
        assert!(world.ledger.peers_of("/smuggled").is_empty());
    });
}

#[test]
fn connection_names_no_field_that_others_rely_on() {
    for name in [
        "host",
        "content-length",
        "authorization",
        "x-forwarded-for",
        "mcp-session-id",
        "cookie",
    ] {
        run(async {
            let world = World::new(1);
            let mut client = Client::new(&world).await;
            let ask = Ask::post("/named", "x").field("connection", &format!("close, {name}"));
            assert_eq!(client.ask(&ask).await.unwrap().status, 400, "{name}");
            assert!(world.ledger.entries().is_empty());
        });
    }
}

#[test]
fn heads_are_bounded() {
    let fields = |count: usize| "x-many: v\r\n".repeat(count);
    let head =
        |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    for (request, statuses) in [
        (head("/", &fields(50)), vec![200]),
        (head("/", &fields(150)), vec![431]),
        (
            head("/", &format!("x-large: {}\r\n", "v".repeat(33 * 1024))),
            vec![431],
        ),
        (
            head("/", &format!("x-large: {}\r\n", "v".repeat(20 * 1024))),
            vec![200],
        ),
        (head(&format!("/{}", "p".repeat(7 * 1024)), ""), vec![200]),
        (head(&format!("/{}", "p".repeat(9 * 1024)), ""), vec![414]),
    ] {
        run(async {
            let world = World::new(1);
            let reply = raw(&world, request.as_bytes()).await.unwrap();
            let start = &request[..40.min(request.len())];
            assert!(
                statuses.contains(&reply.status),
                "{start}: {}",
                reply.status
            );
            let received = usize::from(reply.status == 200);
            assert_eq!(world.ledger.entries().len(), received);
        });
    }
}

#[test]
fn methods_and_expectations_that_are_not_served() {
    let plain =
        |method: &str, fields: &str| format!("{method} /m HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    for (request, status) in [
        (
            "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n".to_owned(),
            405,
        ),
        (plain("TRACE", ""), 405),
        (plain("GET", "expect: miracles\r\n"), 417),
        (plain("OPTIONS", ""), 200),
        ("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 200),
        (plain("PURGE", ""), 200),
    ] {
        run(async {
            let world = World::new(1);
            let reply = raw(&world, request.as_bytes()).await.unwrap();
            assert_eq!(reply.status, status, "{request:?}");
        });
    }
}

#[test]
fn a_malformed_body_is_the_client_s_fault() {
    for body in ["zz\r\nhello\r\n", "5\r\nhelloXX\r\n0\r\n\r\n"] {
        run(async {
            let world = World::new(1);
            let request = format!(
                "POST /bad HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}"
            );
            let reply = raw(&world, request.as_bytes()).await.unwrap();
            assert_eq!(reply.status, 400, "{body:?}");
            assert_eq!(world.view()[0].failures, 0);
        });
    }
}

#[test]
fn answers_that_are_not_sound_are_502() {
    let raw_answer = |text: &str| {
        Script(vec![
            Step::Body,
            Step::Write(text.as_bytes().to_vec()),
            Step::Close,
        ])
    };
    for text in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
    ] {
        run(async {
            let world = World::new(1);
            world.peers[0].next(raw_answer(text));
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::post("/unsound", "x")).await.unwrap();
            assert_eq!(
                (reply.status, reply.proxy_error()),
                (502, Some("http_protocol_error")),
                "{text:?}"
            );
        });
    }
}

#[test]
fn a_client_that_goes_on_sending_is_not_reset_before_it_has_read_its_answer() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        let upload = Ask::post("/x", vec![b'u'; 1 << 20]).field("expect", "a miracle");
        client.wire.write(&upload.bytes()).await.unwrap();
        assert_eq!(client.wire.reply("POST").await.unwrap().status, 417);
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_client_that_never_stops_sending_is_let_go() {
    for linger in [5, 20] {
        run(async {
            let mut plan = Plan::new(1);
            assert_eq!(plan.limits.linger, Duration::from_secs(5));
            plan.limits.linger = Duration::from_secs(linger);
            let world = plan.start();
            let mut client = Client::new(&world).await;
            let head =
                "POST /x HTTP/1.1\r\nhost: a\r\nexpect: x\r\ncontent-length: 99999999999\r\n\r\n";
            client.send(head.as_bytes()).await;
            let began = tokio::time::Instant::now();
            while client.wire.write(b"more").await.is_ok() {
                settle(Duration::from_millis(100)).await;
            }
            let took = began.elapsed();
            let expected = Duration::from_secs(linger)..Duration::from_secs(linger + 1);
            assert!(expected.contains(&took), "{took:?} of virtual time");
            settle(Duration::from_secs(1)).await;
            assert_eq!(world.metrics.connections_active.get(), 0);
            assert_eq!(world.metrics.limits.linger.get(), 1);
        });
    }
}
