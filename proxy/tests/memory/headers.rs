//! What a proxy must refuse, remove and add.

use crate::support::{Answer, Ask, Broken, Client, Form, Plan, Reply, Script, Step, World, run};
use http::HeaderValue;
use proxy::settings::HostPolicy;

/// Sends bytes and reads one answer.
async fn raw(world: &World, bytes: &[u8]) -> Result<Reply, Broken> {
    let mut client = Client::new(world).await;
    client.send(bytes).await;
    client.wire.reply("GET").await
}

#[test]
fn what_ends_at_this_hop_is_removed_both_ways() {
    run(async {
        let world = World::new(1);
        let mut answer = Answer::new(200, "x");
        for (name, value) in HOP_BY_HOP {
            answer = answer.field(name, value);
        }
        world.peers[0].next(Script::answer(answer.field("x-end", "kept")));
        let mut ask = Ask::get("/hop").field("x-end", "kept");
        for (name, value) in HOP_BY_HOP {
            ask = ask.field(name, value);
        }
        let mut client = Client::new(&world).await;
        let reply = client.ask(&ask).await.unwrap();
        let request = world.ledger.only("/hop").head.unwrap();
        for (name, _) in HOP_BY_HOP {
            assert_eq!(request.all(name), [""; 0], "request {name}");
            // The proxy has a `Connection` of its own, if any.
            assert!(reply.head.all(name).is_empty(), "response {name}");
        }
        assert_eq!(request.get("x-end"), Some("kept"));
        assert_eq!(reply.head.get("x-end"), Some("kept"));
    });
}

const HOP_BY_HOP: [(&str, &str); 6] = [
    ("connection", "keep-alive, x-named"),
    ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"),
    ("proxy-authenticate", "Basic"),
    ("x-named", "gone"),
    ("upgrade", "h2c"),
];

#[test]
fn who_forwarded_what_is_said_and_not_believed() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        let ask = Ask::get("/forwarded")
            .field("x-forwarded-for", "6.6.6.6")
            .field("forwarded", "for=6.6.6.6")
            .field("x-real-ip", "6.6.6.6")
            .field("via", "1.0 elsewhere");
        let reply = client.ask(&ask).await.unwrap();
        let request = world.ledger.only("/forwarded").head.unwrap();
        assert_eq!(request.get("x-forwarded-for"), Some("10.0.1.1"));
        assert_eq!(request.get("x-forwarded-host"), Some("test"));
        assert_eq!(request.get("x-forwarded-proto"), Some("http"));
        assert_eq!(request.get("forwarded"), None);
        assert_eq!(request.get("x-real-ip"), None);
        assert_eq!(request.get("x-request-id").map(str::len), Some(32));
        let via = request.get("via").unwrap();
        assert!(via.starts_with("1.0 elsewhere, 1.1 backstay-"), "{via}");
        assert!(reply.head.get("via").unwrap().starts_with("1.1 backstay-"));
    });
}

#[test]
fn a_request_that_was_here_before_is_a_loop() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        client.ask(&Ask::get("/first")).await.unwrap();
        let request = world.ledger.only("/first").head.unwrap();
        let via = format!("1.1 other, {}", request.get("via").unwrap());
        let reply = client
            .ask(&Ask::get("/again").field("via", &via))
            .await
            .unwrap();
        assert_eq!(reply.status, 508);
        assert_eq!(world.ledger.entries().len(), 1);
    });
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
fn the_group_says_which_host_its_peers_see() {
    for (policy, seen) in [
        (HostPolicy::Auto, "test"),
        (HostPolicy::Preserve, "test"),
        (HostPolicy::Upstream, "10.0.0.1"),
        (
            HostPolicy::Fixed(HeaderValue::from_static("fixed.example")),
            "fixed.example",
        ),
    ] {
        run(async {
            let mut plan = Plan::new(1);
            plan.group.host = policy.clone();
            let world = plan.start();
            let mut client = Client::new(&world).await;
            client.ask(&Ask::get("/host")).await.unwrap();
            let head = world.ledger.only("/host").head.unwrap();
            assert_eq!(head.get("host"), Some(seen), "{policy:?}");
            assert_eq!(head.get("x-forwarded-host"), Some("test"), "{policy:?}");
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
fn a_client_that_asks_first_is_told_to_go_on_when_a_peer_is_ready() {
    run(async {
        let world = World::new(2);
        world.network.kill(world.peers[0].ip());
        let mut client = Client::new(&world).await;
        let ask = Ask::post("/expect", "body").field("expect", "100-continue");
        client.send(&ask.head()).await;
        let interim = client.wire.head().await.unwrap();
        assert!(interim.start.contains(" 100 "), "{interim:?}");
        client.send(b"body").await;
        let reply = client.wire.reply("POST").await.unwrap();
        assert_eq!(reply.status, 200);
        let entry = world.ledger.only("/expect");
        assert_eq!(entry.body, b"body");
        assert_eq!(entry.head.unwrap().get("expect"), None);
    });
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
fn interim_answers_are_swallowed_and_bounded() {
    run(async {
        let world = World::new(1);
        let hint = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
        world.peers[0].next(Script(vec![
            Step::Body,
            Step::Write(hint.repeat(3)),
            Step::Answer(Answer::new(200, "final")),
        ]));
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/hints")).await.unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (200, "final"));
        assert!(reply.interim.is_empty());
        world.peers[0].next(Script(vec![
            Step::Body,
            Step::Write(hint.repeat(100_000)),
            Step::Hang,
        ]));
        let reply = client.ask(&Ask::post("/flood", "x")).await.unwrap();
        assert_eq!(
            (reply.status, reply.proxy_error()),
            (502, Some("http_protocol_error"))
        );
    });
}

#[test]
fn of_two_lengths_of_an_answer_the_coding_wins() {
    run(async {
        let world = World::new(1);
        let both = Answer::new(200, "whole")
            .form(Form::Chunked)
            .field("content-length", "3");
        world.peers[0].next(Script::answer(both));
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/coding")).await.unwrap();
        if reply.status == 200 {
            assert_eq!(reply.text(), "whole");
        } else {
            assert_eq!(reply.status, 502);
        }
    });
}
