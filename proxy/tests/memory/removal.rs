//! Peers that a reload takes out: what is on them ends in peace, and in time.

use crate::support::{
    Answer, Ask, CLIENT, Client, Form, Renewed, Script, Step, listener, run, settings, settle,
};
use lb::Admin;
use proxy::settings::Probe;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

async fn client(gate: &Renewed) -> Client {
    Client::from(&gate.network, listener(8080), CLIENT).await
}

/// Events once a second, for an hour.
fn stream() -> Script {
    let mut answer = Answer::new(200, "").form(Form::Chunked);
    answer.pieces = (0..3600)
        .map(|n| format!("data: {n}\n\n").into_bytes())
        .collect();
    answer.pace = SECOND;
    Script::answer(answer.field("content-type", "text/event-stream"))
}

fn admin(gate: &Renewed) -> Vec<Admin> {
    let state = |gone: &proxy::group::Departed| {
        let view = gone.group.lb.view(gate.clock.now());
        view.peers[usize::from(gone.peer.0)].admin
    };
    gate.gateway.departed().iter().map(state).collect()
}

#[test]
fn an_idle_peer_is_gone_at_once_with_its_connections() {
    run(async {
        let gate = Renewed::start(&settings(&[0, 1]));
        let mut asking = client(&gate).await;
        asking.ask(&Ask::get("/")).await.unwrap();
        assert_eq!(gate.network.connections(gate.peers[0].ip()), 1);
        let reloaded = gate.reload(&settings(&[1])).await.unwrap();
        assert_eq!(reloaded.removed, [("g".to_owned(), "a".to_owned())]);
        settle(Duration::from_millis(250)).await;
        assert_eq!(gate.network.connections(gate.peers[0].ip()), 0);
        assert!(gate.gateway.departed().is_empty());
        assert_eq!(asking.ask(&Ask::get("/")).await.unwrap().peer(), Some("1"));
    });
}

#[test]
fn a_connection_that_serves_is_not_kept_afterwards() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let answer = Step::Answer(Answer::new(200, "late"));
        gate.peers[0].next(Script(vec![Step::Body, Step::Wait(5 * SECOND), answer]));
        let mut waiting = client(&gate).await;
        waiting.send(&Ask::get("/").bytes()).await;
        settle(SECOND).await;
        gate.reload(&settings(&[1])).await.unwrap();
        settle(SECOND).await;
        assert_eq!(admin(&gate), [Admin::Draining]);
        assert_eq!(waiting.wire.reply("GET").await.unwrap().text(), "late");
        settle(SECOND).await;
        assert_eq!(gate.network.connections(gate.peers[0].ip()), 0);
        assert!(admin(&gate).is_empty());
    });
}

#[test]
fn requests_move_on_and_streams_end_in_order_when_their_time_is_over() {
    run(async {
        let mut first = settings(&[0, 1]);
        first.groups[0].timeouts.first_byte = None;
        first.groups[0].timeouts.total = None;
        let gate = Renewed::start(&first);
        gate.peers[0].next(stream());
        let mut streaming = client(&gate).await;
        streaming.send(&Ask::get("/stream").bytes()).await;
        let head = streaming.wire.reply_head("GET").await.unwrap();
        gate.peers[0].next(Script::then(Step::Hang));
        let mut waiting = client(&gate).await;
        waiting.send(&Ask::get("/wait").bytes()).await;
        gate.peers[0].next(Script::then(Step::Hang));
        let mut unsafe_ = client(&gate).await;
        unsafe_.send(&Ask::post("/once", "x").bytes()).await;
        settle(SECOND).await;
        let began = Instant::now();
        gate.reload(&settings(&[1])).await.unwrap();

        let reply = waiting.wire.reply("GET").await.unwrap();
        assert_eq!(reply.peer(), Some("1"), "it may run twice");
        assert_eq!(began.elapsed().as_secs(), 30);
        let reply = unsafe_.wire.reply("POST").await.unwrap();
        assert_eq!(reply.status, 502, "it may not");
        assert_eq!(began.elapsed().as_secs(), 30);
        assert_eq!(admin(&gate), [Admin::Draining]);
        let mut events = 0;
        let ended = streaming.wire.body(head.framing, |_| events += 1).await;
        assert_eq!(ended, Ok(Vec::new()));
        assert_eq!(began.elapsed().as_secs(), 300);
        assert!(events >= 300);
        // The connection of the client is none the worse.
        let reply = streaming.ask(&Ask::get("/next")).await.unwrap();
        assert_eq!(reply.peer(), Some("1"));
        assert!(admin(&gate).is_empty());
        let failures = &gate.group().metrics.failures;
        assert_eq!(failures.cut.get(), 0, "nobody cut it");
    });
}

#[test]
fn a_peer_that_comes_back_keeps_its_streams() {
    run(async {
        let gate = Renewed::start(&settings(&[0, 1]));
        gate.peers[0].next(stream());
        let mut streaming = client(&gate).await;
        streaming.send(&Ask::get("/stream").bytes()).await;
        settle(SECOND).await;
        let number = gate.network.connections(gate.peers[0].ip());
        gate.reload(&settings(&[1])).await.unwrap();
        settle(60 * SECOND).await;
        assert_eq!(admin(&gate), [Admin::Draining]);
        gate.reload(&settings(&[0, 1])).await.unwrap();
        settle(SECOND).await;
        assert!(gate.gateway.departed().is_empty());
        settle(600 * SECOND).await;
        assert_eq!(gate.network.connections(gate.peers[0].ip()), number);
        let mut asking = client(&gate).await;
        assert_eq!(asking.ask(&Ask::get("/")).await.unwrap().peer(), Some("0"));
        let mut events = 0;
        let head = streaming.wire.reply_head("GET").await.unwrap();
        let body = streaming.wire.body(head.framing, |_| events += 1).await;
        assert_eq!(body, Ok(Vec::new()));
        assert!(events >= 3600, "all of it: {events}");
    });
}

/// A legacy initialize and its answer with a session.
fn initialize() -> (Ask, Script) {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
    let result = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#;
    let answer = Answer::new(200, result)
        .field("content-type", "application/json")
        .field("mcp-session-id", "theirs");
    (post(body), Script::answer(answer))
}

fn post(body: &str) -> Ask {
    Ask::post("/mcp", body)
        .field("content-type", "application/json")
        .field("accept", "application/json, text/event-stream")
}

#[test]
fn rule_7_sessions_stay_with_a_peer_that_leaves_until_its_time_is_over() {
    run(async {
        let gate = Renewed::start(&settings(&[0, 1]));
        let (ask, script) = initialize();
        gate.peers[0].next(script);
        let mut asking = client(&gate).await;
        let reply = asking.ask(&ask).await.unwrap();
        let id = reply.head.get("mcp-session-id").unwrap().to_owned();
        let list = post(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#)
            .field("mcp-protocol-version", "2025-06-18")
            .field("mcp-session-id", &id);
        let result = r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}"#;
        let answer = Answer::new(200, result).field("content-type", "application/json");
        gate.peers[0].always(Script::answer(answer));

        gate.reload(&settings(&[1])).await.unwrap();
        for _ in 0..4 {
            settle(70 * SECOND).await;
            let mut asking = client(&gate).await;
            let reply = asking.ask(&list).await.unwrap();
            assert_eq!((reply.status, reply.peer()), (200, Some("0")));
        }
        assert_eq!(admin(&gate), [Admin::Draining]);
        let mut asking = client(&gate).await;
        let reply = asking.ask(&Ask::get("/new")).await.unwrap();
        assert_eq!(reply.peer(), Some("1"), "what is new goes elsewhere");
        settle(30 * SECOND).await;
        let mut asking = client(&gate).await;
        assert_eq!(asking.ask(&list).await.unwrap().status, 404);
        assert!(admin(&gate).is_empty());
    });
}

#[test]
fn a_session_id_of_the_process_s_own_key_is_good_after_a_reload() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let (ask, script) = initialize();
        gate.peers[0].next(script);
        let mut asking = client(&gate).await;
        let reply = asking.ask(&ask).await.unwrap();
        let id = reply.head.get("mcp-session-id").unwrap().to_owned();
        gate.reload(&settings(&[0, 1])).await.unwrap();
        let ping = post(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#)
            .field("mcp-protocol-version", "2025-06-18")
            .field("mcp-session-id", &id);
        let reply = asking.ask(&ping).await.unwrap();
        assert_eq!((reply.status, reply.peer()), (200, Some("0")));
    });
}

#[test]
fn a_probe_session_outlives_reloads() {
    run(async {
        let mut probed = settings(&[0]);
        probed.groups[0].health_check.probe = Some(Probe::Mcp);
        let gate = Renewed::start(&probed);
        gate.peers[0].next(Script::status(400)).next(initialize().1);
        gate.peers[0].always(Script::answer(result()));
        settle(12 * SECOND).await;
        for _ in 0..5 {
            gate.reload(&probed).await.unwrap();
            settle(6 * SECOND).await;
        }
        let entries = gate.ledger.entries();
        let bodies = entries.iter().map(|entry| &entry.body);
        let bodies: Vec<_> = bodies.map(|body| String::from_utf8_lossy(body)).collect();
        let asked = |method: &str| bodies.iter().filter(|body| body.contains(method)).count();
        assert_eq!(asked("server/discover"), 1, "{bodies:?}");
        assert_eq!(asked("\"initialize\""), 1, "{bodies:?}");
        assert!(asked("\"ping\"") > 5, "{bodies:?}");
    });
}

/// What an MCP server says to almost everything.
fn result() -> Answer {
    let result = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;
    Answer::new(200, result).field("content-type", "application/json")
}

#[test]
fn a_request_outlasts_its_peer_leaving_coming_back_and_leaving_again() {
    run(async {
        let gate = Renewed::start(&settings(&[0, 1]));
        let answer = Step::Answer(Answer::new(200, "late"));
        gate.peers[0].next(Script(vec![Step::Body, Step::Wait(5 * SECOND), answer]));
        let mut waiting = client(&gate).await;
        waiting.send(&Ask::get("/").bytes()).await;
        for peers in [&[1][..], &[0, 1], &[1]] {
            settle(SECOND).await;
            gate.reload(&settings(peers)).await.unwrap();
        }
        settle(SECOND).await;
        assert_eq!(admin(&gate), [Admin::Draining]);
        let reply = waiting.wire.reply("GET").await.unwrap();
        assert_eq!((reply.status, reply.peer()), (200, Some("0")));
        settle(SECOND).await;
        assert!(admin(&gate).is_empty());
    });
}
