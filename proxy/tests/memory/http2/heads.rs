//! Heads between HTTP/2 and HTTP/1.1, in both directions.

use crate::support::h2::{Frames, GET, H2Client, get};
use crate::support::{Answer, Ask, Client, Form, Script, World, run};
use bytes::Bytes;
use http::Request;

#[test]
fn a_head_reaches_a_peer_in_the_words_of_http1() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        let request = Request::get("http://example.com:8080/in?a=b")
            .header("cookie", "a=1")
            .header("te", "trailers")
            .header("cookie", "b=2")
            .header("accept", "x/y")
            .header("cookie", "c=3; d=4")
            .body(Bytes::new())
            .unwrap();
        assert!(client.ask(request).await.unwrap().is_ok());
        let head = world.ledger.only("/in?a=b").head.unwrap();
        assert_eq!(head.start, "GET /in?a=b HTTP/1.1");
        assert_eq!(head.get("host"), Some("example.com:8080"));
        assert_eq!(head.get("x-forwarded-host"), Some("example.com:8080"));
        assert_eq!(head.get("cookie"), Some("a=1; b=2; c=3; d=4"));
        assert_eq!(head.get("te"), None);
        assert!(head.get("via").unwrap().starts_with("2.0 backstay-"));
        assert_eq!(head.get("accept"), Some("x/y"));
    });
}

#[test]
fn a_host_may_be_there_if_it_agrees() {
    for (host, expected) in [
        ("test", 200),
        ("TEST", 200),
        ("other", 400),
        ("test:81", 400),
    ] {
        run(async {
            let world = World::new(1);
            let mut client = H2Client::new(&world).await;
            let mut request = get("/host");
            request
                .headers_mut()
                .insert("host", http::HeaderValue::from_static(host));
            let reply = client.ask(request).await.unwrap();
            assert_eq!(reply.status, expected, "{host}");
            assert_eq!(reply.field("connection"), None);
            assert!(client.get("/next").await.unwrap().is_ok(), "it goes on");
        });
    }
}

#[test]
fn an_authority_that_is_no_host_is_refused() {
    for (authority, status) in [
        ("user@test", b"400"),
        ("user:word@test", b"400"),
        ("", b"400"),
    ] {
        run(async {
            let world = World::new(1);
            let mut client = Frames::new(&world).await;
            let mut fields = GET;
            fields[2].1 = authority;
            client.head(1, &fields).await;
            let (kind, stream, payload) = client.next().await.unwrap();
            // A head, or a reset by h2 itself.
            assert_eq!(stream, 1);
            if kind == 1 {
                let found = payload.windows(3).any(|window| window == status);
                assert!(found || payload.contains(&0x8c), "{authority}: {payload:?}");
            } else {
                assert_eq!(kind, 3, "{authority}");
            }
            assert!(world.ledger.entries().is_empty(), "{authority}");
        });
    }
}

#[test]
fn fields_of_a_connection_reset_the_stream() {
    for (name, value) in [
        ("connection", "close"),
        ("connection", "x-a"),
        ("keep-alive", "5"),
        ("proxy-connection", "close"),
        ("te", "gzip"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("X-Upper", "1"),
        (":status", "200"),
        ("a b", "1"),
        ("x-a", "b\r\nx-c: d"),
    ] {
        run(async {
            let world = World::new(1);
            let mut client = Frames::new(&world).await;
            let mut fields = GET.to_vec();
            fields.push((name, value));
            client.head(1, &fields).await;
            let (kind, _, payload) = client.next().await.unwrap();
            // RST_STREAM, or GOAWAY for what no HPACK decoder should take.
            let protocol_error = match kind {
                3 => payload,
                7 => payload[4..8].to_vec(),
                other => panic!("{name}: {value}: a frame of type {other}"),
            };
            assert_eq!(protocol_error, [0, 0, 0, 1], "{name}: {value}");
            assert!(world.ledger.entries().is_empty(), "{name}: {value}");
        });
    }
}

#[test]
fn a_tunnel_is_refused() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        let request = Request::connect("test:443").body(Bytes::new()).unwrap();
        let (answer, _) = client.begin(request.map(drop), false).await.unwrap();
        assert_eq!(answer.await.unwrap().status(), 405);
        assert!(client.get("/next").await.unwrap().is_ok());
    });
}

#[test]
fn an_answer_loses_what_belongs_to_a_connection() {
    run(async {
        let world = World::new(1);
        let answer = Answer::new(200, "")
            .pieces(&[b"out"], Form::Chunked, std::time::Duration::ZERO)
            .field("connection", "keep-alive, x-hop")
            .field("keep-alive", "timeout=5")
            .field("x-hop", "1")
            .field("upgrade", "h2c")
            .field("x-end", "2");
        world.peers[0].next(Script::answer(answer));
        let mut client = H2Client::new(&world).await;
        let reply = client.get("/out").await.unwrap();
        for name in [
            "connection",
            "keep-alive",
            "x-hop",
            "upgrade",
            "transfer-encoding",
        ] {
            assert_eq!(reply.field(name), None, "{name}");
        }
        assert_eq!(reply.field("x-end"), Some("2"));
        assert!(reply.field("via").unwrap().starts_with("1.1 backstay-"));
        assert_eq!(reply.text(), "out");
    });
}

#[test]
fn a_connection_that_a_peer_closes_is_not_the_client_s() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script::answer(Answer::new(200, "last").form(Form::Close)));
        let mut client = H2Client::new(&world).await;
        assert_eq!(client.get("/last").await.unwrap().text(), "last");
        assert!(client.get("/next").await.unwrap().is_ok());
    });
}

#[test]
fn answers_without_a_body_have_none() {
    for (method, status, length) in [
        ("HEAD", 200, Some("5")),
        ("HEAD", 502, Some("")),
        ("GET", 204, None),
        ("GET", 304, None),
    ] {
        run(async {
            let world = World::new(1);
            if status == 502 {
                world.network.kill(world.peers[0].ip());
            }
            let answer = Answer::new(status, "hello");
            let form = if status == 200 {
                Form::Length
            } else {
                Form::Bare
            };
            let mut answer = answer.form(form);
            if status != 200 {
                answer.pieces.clear();
            }
            world.peers[0].next(Script::answer(answer));
            let mut client = H2Client::new(&world).await;
            let mut request = get("/none");
            *request.method_mut() = method.parse().unwrap();
            let reply = client.ask(request).await.unwrap();
            assert_eq!((reply.status, reply.text()), (status, ""), "{method}");
            match length {
                // Whatever it would be for a GET.
                Some("") => assert!(reply.field("content-length").is_some()),
                expected => assert_eq!(reply.field("content-length"), expected),
            }
        });
    }
}

#[test]
fn via_says_what_was_received() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        client.ask(&Ask::get("/one")).await.unwrap();
        let head = world.ledger.only("/one").head.unwrap();
        assert!(head.get("via").unwrap().starts_with("1.1 "));
    });
}
