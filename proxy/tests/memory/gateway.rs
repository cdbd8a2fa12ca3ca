//! The shipped hooks before scripted MCP peers: what is repeated, and what no side may see.

use crate::support::run;
use http::{HeaderValue, header};
use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::memory::{MemoryNetwork, example};
use proxy::network::Network as _;
use proxy::server::Server;
use proxy::settings::{FieldValue, GroupSettings, ListenerSettings, PeerSettings, Probe, Settings};
use std::cell::RefCell;
use std::rc::Rc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What the peers were asked, as text, in order.
type Asked = Rc<RefCell<Vec<(u8, String)>>>;

/// A peer that answers with `answer`, or resets when there is none.
fn peer(network: &MemoryNetwork, host: u8, asked: &Asked, answer: Option<&'static str>) {
    let network = network.seen_from(example::address(host).ip());
    let listener = network
        .listen(network.bind(example::address(host)).unwrap())
        .unwrap();
    let asked = Rc::clone(asked);
    tokio::task::spawn_local(async move {
        while let Ok((mut stream, _)) = network.accept(&listener).await {
            let request = request(&mut stream).await;
            asked.borrow_mut().push((host, request));
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                None => stream.reset(),
            }
        }
    });
}

/// Reads a head and the body its length or its last chunk ends.
async fn request(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    loop {
        text.push(char::from(stream.read_u8().await.unwrap()));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let whole = match length {
            Some(length) => body.len() == length.parse::<usize>().unwrap(),
            None => !head.contains("chunked") || body.ends_with("0\r\n\r\n"),
        };
        if whole {
            return text;
        }
    }
}

/// A gateway on host 1 before hosts 2 and 3, the first of them preferred.
fn gateway(network: &MemoryNetwork, change: impl FnOnce(&mut GroupSettings)) {
    let peers = [2, 3].map(|host| {
        let mut peer = PeerSettings::at(format!("peer-{host}"), example::address(host));
        peer.peer.priority = host.into();
        peer
    });
    let mut group = GroupSettings::new("g", peers.to_vec());
    group.health_check.probe = Some(Probe::None);
    group.policy.retry.attempts = 2;
    change(&mut group);
    let settings = Settings {
        listeners: vec![ListenerSettings::new(example::address(1))],
        groups: vec![group],
        ..Settings::default()
    };
    let gateway = Gateway::new(&settings).unwrap();
    let options = gateway.server_settings(&settings);
    let network = network.seen_from(example::address(1).ip());
    let server = Server::bind(network, gateway, ClockSource::seeded(1), &options).unwrap();
    tokio::task::spawn_local(server.run_local());
}

/// Sends `head` and `body` and gives the whole answer.
async fn ask(network: &MemoryNetwork, head: &str, body: &str) -> String {
    let mut stream = network.connect(example::address(1)).await.unwrap();
    let length = body.len();
    let request =
        format!("{head}\r\nhost: h\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn world(first: Option<&'static str>, second: Option<&'static str>) -> (MemoryNetwork, Asked) {
    let network = MemoryNetwork::new(example::address(9).ip());
    let asked = Asked::default();
    peer(&network, 2, &asked, first);
    peer(&network, 3, &asked, second);
    gateway(&network, |_| {});
    (network, asked)
}

const POST: &str = "POST /mcp HTTP/1.1\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream";
const RESULT: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 36\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
const CUT: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 36\r\n\r\n{\"jsonrpc\"";
const BUSY: &str =
    "HTTP/1.1 503 Busy\r\nmcp-session-id: raw-upstream\r\ncontent-length: 4\r\n\r\nbusy";

/// Rule 22: the head says `tools/list`, the body pays.
#[test]
fn the_body_has_the_last_word_before_a_repeat() {
    for (method, in_body, peers) in [
        ("tools/list", "tools/list", 2),
        ("tools/list", "tools/call", 1),
    ] {
        run(async {
            let (network, asked) = world(None, Some(RESULT));
            let head =
                format!("{POST}\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: {method}");
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"{in_body}","params":{{"name":"pay"}}}}"#
            );
            let answer = ask(&network, &head, &body).await;
            assert_eq!(asked.borrow().len(), peers, "{in_body}: {answer}");
        });
    }
}

/// Rules 4 and 19: an answer that was set aside is shaped like any other, also when the better one
/// broke off while it was held.
#[test]
fn a_kept_answer_leaks_no_session_and_no_bare_status() {
    for better in [None, Some(CUT)] {
        run(async {
            let (network, asked) = world(Some(BUSY), better);
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
            let answer = ask(&network, POST, body).await;
            assert_eq!(asked.borrow().len(), 2);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert!(
                answer.contains(r#""id":1"#) && !answer.contains("raw-upstream"),
                "{answer}"
            );
        });
    }
}

/// Rule 3: an id that was not opened here reaches no peer. Rule 23: what we read is not coded.
#[test]
fn a_modern_request_carries_no_session_and_asks_for_plain_text() {
    run(async {
        let (network, asked) = world(Some(RESULT), Some(RESULT));
        let head = format!(
            "{POST}\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/list\r\nmcp-session-id: raw\r\naccept-encoding: gzip"
        );
        ask(
            &network,
            &head,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        )
        .await;
        let (_, request) = asked.borrow().first().cloned().unwrap();
        assert!(!request.contains("mcp-session-id"), "{request}");
        assert!(request.contains("accept-encoding: identity"), "{request}");
    });
}

/// Rule 23, whatever the operator wants of other requests.
#[test]
fn edits_of_the_head_do_not_have_an_answer_coded() {
    run(async {
        let network = MemoryNetwork::new(example::address(9).ip());
        let asked = Asked::default();
        peer(&network, 2, &asked, Some(RESULT));
        let gzip = FieldValue::Fixed(HeaderValue::from_static("gzip"));
        gateway(&network, |group| {
            group.headers.request.set = vec![(header::ACCEPT_ENCODING, gzip)];
        });
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        ask(&network, POST, body).await;
        let (_, request) = asked.borrow().first().cloned().unwrap();
        assert!(request.contains("accept-encoding: identity"), "{request}");
        assert!(!request.contains("gzip"), "{request}");
    });
}

#[test]
fn a_get_with_a_chunked_body_arrives_whole() {
    run(async {
        let (network, asked) = world(Some(RESULT), Some(RESULT));
        let mut stream = network.connect(example::address(1)).await.unwrap();
        let bytes = "GET /q HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            asked.borrow()[0].1.contains("hello"),
            "{:?}",
            asked.borrow()
        );
    });
}

#[test]
fn a_stream_that_ends_with_trailers_loses_nothing() {
    run(async {
        let stream = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\nc\r\ndata: hello\n\r\n0\r\nx-a: b\r\n\r\n";
        let (network, _) = world(Some(stream), Some(stream));
        let answer = ask(&network, "GET /s HTTP/1.1\r\naccept: text/event-stream", "").await;
        assert!(answer.contains("data: hello"), "{answer}");
    });
}

#[test]
fn a_trusted_name_with_underscores_is_refused() {
    run(async {
        let (network, asked) = world(Some(RESULT), Some(RESULT));
        let answer = ask(&network, "GET / HTTP/1.1\r\nx_forwarded_for: 127.0.0.1", "").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(asked.borrow().is_empty());
    });
}
