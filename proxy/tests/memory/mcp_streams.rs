//! Event streams of MCP peers, as the shipped hooks relay them.

use crate::support::{Answer, Ask, End, Form, Gate, Script, Step, group, run};
use proxy::settings::{ListenerSettings, Settings};
use std::net::SocketAddr;
use std::time::Duration;

/// A gate at a loopback address, before one peer.
fn loopback() -> Gate {
    Gate::start(Settings {
        listeners: vec![ListenerSettings::new(SocketAddr::from((
            [127, 0, 0, 1],
            8080,
        )))],
        groups: vec![group("g", &[0])],
        ..Settings::default()
    })
}

fn events(pieces: &[&[u8]]) -> Answer {
    let answer = Answer::new(200, "").pieces(pieces, Form::Chunked, Duration::from_millis(1));
    answer.field("content-type", "text/event-stream")
}

/// Rule 27: that a GET opens a legacy stream shows only in its answer.
#[test]
fn a_legacy_stream_is_kept_from_a_foreign_page() {
    for (host, origin, sees) in [
        ("localhost:8080", "http://localhost:3000", true),
        ("rebound.example", "http://rebound.example", false),
        ("localhost:8080", "http://rebound.example", false),
    ] {
        run(async {
            let gate = loopback();
            let endpoint: [&[u8]; 3] = [
                b": hi\n\nevent: endp",
                b"oint\ndata: /messages?session_id=1\n\n",
                b"event: message\ndata: {}\n\n",
            ];
            gate.peers[0].always(Script::answer(events(&endpoint)));
            let ask = Ask::get("/sse").field("accept", "text/event-stream");
            let reply = gate
                .ask(&ask.field("host", host).field("origin", origin))
                .await;
            let text = reply.text();
            assert_eq!(
                text.contains("event: endpoint"),
                sees,
                "{host} {origin}: {text}"
            );
            assert_eq!(
                text.contains("event: message"),
                sees,
                "{host} {origin}: {text}"
            );
            assert!(!text.contains("session_id"), "{text}");
        });
    }
}

/// Rule 27: plain HTTP is not affected.
#[test]
fn a_plain_stream_passes_whoever_asks() {
    run(async {
        let gate = loopback();
        let pieces: [&[u8]; 2] = [b"data: 1\n\n", b"event: endpoint\ndata: /x\n\n"];
        gate.peers[0].always(Script::answer(events(&pieces)));
        let ask = Ask::get("/s").field("accept", "text/event-stream");
        let reply = gate.ask(&ask.field("host", "rebound.example")).await;
        assert_eq!(reply.text(), "data: 1\n\nevent: endpoint\ndata: /x\n\n");
    });
}

const POST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

fn call() -> Ask {
    let ask = Ask::post("/mcp", POST).field("content-type", "application/json");
    ask.field("accept", "application/json, text/event-stream")
}

/// What is compressed cannot be read in passing, and nothing of ours can be put into it.
#[test]
fn a_coded_answer_is_not_looked_into() {
    for (coding, last_words) in [(None, true), (Some("gzip"), false)] {
        run(async {
            let gate = Gate::of(group("g", &[0]));
            let pieces: [&[u8]; 2] = [b"data: \x1f\x8b\n\n", b"never sent"];
            let mut answer = events(&pieces).cut(1, End::Close);
            if let Some(coding) = coding {
                answer = answer.field("content-encoding", coding);
            }
            gate.peers[0].next(Script::answer(answer));
            let mut client = gate.client().await;
            client.send(&call().bytes()).await;
            let reply = client.wire.reply_head("POST").await.unwrap();
            let mut body = Vec::new();
            let end = client
                .wire
                .body(reply.framing, |piece| body.extend_from_slice(piece))
                .await;
            assert_eq!(end.is_ok(), last_words, "{coding:?}");
            let text = String::from_utf8_lossy(&body);
            assert_eq!(text.contains("\"error\""), last_words, "{coding:?}: {text}");
        });
    }
}

/// The same for the first event of what may be a legacy stream, and for an `InitializeResult`,
/// which is otherwise held back until it is whole.
#[test]
fn a_coded_answer_is_not_held_back() {
    run(async {
        let gate = Gate::of(group("g", &[0]));
        let endpoint: [&[u8]; 1] = [b"event: endpoint\ndata: /messages\n\n"];
        let answer = events(&endpoint).field("content-encoding", "gzip");
        gate.peers[0].next(Script::answer(answer));
        let ask = Ask::get("/sse").field("accept", "text/event-stream");
        let reply = gate.ask(&ask).await;
        assert_eq!(reply.text(), "event: endpoint\ndata: /messages\n\n");

        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: raw\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\n";
        let silent = Script(vec![Step::Body, Step::Write(head.into()), Step::Hang]);
        gate.peers[0].next(silent);
        let mut client = gate.client().await;
        let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
        client.send(&call().body(initialize).bytes()).await;
        let head = tokio::time::timeout(Duration::from_secs(1), client.wire.reply_head("POST"));
        let reply = head.await.expect("held back").unwrap();
        let id = reply.head.get("mcp-session-id").unwrap();
        assert_ne!(id, "raw");
    });
}

/// Rule 22: what cannot be repeated because head and body disagree is told so.
#[test]
fn a_head_that_belies_its_body_is_told_when_the_peer_is_lost() {
    for (method, status, code) in [("tools/call", 400, "-32020"), ("tools/list", 503, "-31002")] {
        run(async {
            let gate = Gate::of(group("g", &[0]));
            gate.peers[0].always(Script::then(Step::Reset));
            let ask = call()
                .field("mcp-protocol-version", "2026-07-28")
                .field("mcp-method", method);
            let reply = gate.ask(&ask).await;
            assert_eq!(reply.status, status, "{method}: {}", reply.text());
            let attempts = gate.ledger.entries().len();
            assert_eq!(attempts == 1, status == 400, "{method}: {attempts}");
            assert!(reply.text().contains(code), "{method}: {}", reply.text());
            let delivery = r#""delivery":"unknown""#;
            assert!(
                reply.text().contains(delivery),
                "{method}: {}",
                reply.text()
            );
        });
    }
}

/// Half an answer has not begun for its client: what may run twice is asked for again.
#[test]
fn an_answer_of_the_modern_era_that_is_cut_is_asked_for_again() {
    for (method, status, attempts) in [("tools/list", 200, 2), ("tools/call", 503, 1)] {
        run(async {
            let gate = Gate::of(group("g", &[0, 1]));
            let whole = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
            let (begun, rest) = whole.as_bytes().split_at(9);
            let json = |answer: Answer| answer.field("content-type", "application/json");
            let pieces = Answer::new(200, "").pieces(&[begun, rest], Form::Chunked, Duration::ZERO);
            for peer in &gate.peers {
                peer.always(Script::answer(json(Answer::new(200, whole))));
            }
            gate.peers[0].next(Script::answer(json(pieces.cut(1, End::Reset))));
            let body = POST.replace("tools/list", method);
            let ask = call()
                .body(&*body)
                .field("mcp-protocol-version", "2026-07-28")
                .field("mcp-method", method);
            let seen = gate.ask(&ask).await;
            assert_eq!(seen.status, status, "{method}: {}", seen.text());
            assert_eq!(gate.ledger.entries().len(), attempts, "{method}");
        });
    }
}

/// Rule 13: what a dead peer leaves of an event never reaches the client, who would take it for a
/// broken message or for a broken stream.
#[test]
fn half_an_event_is_left_out() {
    for cut in [
        &b"event: message\nda"[..],
        b"event: message\r\ndata: {\"jsonrpc\"",
        b"id: 1\n",
    ] {
        run(async {
            let gate = Gate::of(group("g", &[0]));
            let pieces: [&[u8]; 3] = [b": hi\n\n", cut, b"never sent"];
            let answer = events(&pieces).cut(2, End::Reset);
            gate.peers[0].always(Script::answer(answer));
            let ask = call().body(&*POST.replace("tools/list", "tools/call"));
            let text = gate.ask(&ask).await.text();
            let events: Vec<_> = text.split_terminator("\n\n").collect();
            assert_eq!(events.len(), 2, "{text}");
            assert!(events[1].contains(r#""delivery":"unknown""#), "{text}");
            assert!(!text.contains("incomplete"), "{text}");
        });
    }
}
