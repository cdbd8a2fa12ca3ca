//! What a proxy must remove from heads and add to them.

use crate::support::{Answer, Ask, Client, Form, Plan, Script, Step, World, run};
use http::HeaderValue;
use proxy::settings::HostPolicy;

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
        assert_eq!(world.metrics.limits.interim_responses.get(), 1);
    });
}

#[test]
fn an_answer_with_a_length_beside_a_coding_is_refused() {
    run(async {
        let world = World::new(1);
        let both = Answer::new(200, "whole")
            .form(Form::Chunked)
            .field("content-length", "3");
        world.peers[0].next(Script::answer(both));
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::post("/coding", "x")).await.unwrap();
        assert_eq!(reply.status, 502);
    });
}
