//! What messages say.

use proxy::mcp::discovery::{self, Discovery};
use proxy::mcp::generation::{self, Belongs};
use proxy::mcp::initialize::{ClientHello, ServerHello};
use proxy::mcp::listing::Listing;
use proxy::mcp::standing::Standing;
use proxy::mcp::{Facts, Message, Method, replay};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A JSON-RPC body, of a client or a peer.
pub fn json_rpc(data: &[u8]) {
    let message = Message::peek(data);
    if message != Message::Invalid {
        assert!(
            serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok(),
            "what is a message is JSON"
        );
        assert!(
            Facts::from_body(&message).is_some(),
            "what is a message has facts"
        );
    }
    a_session_begins_again(data);
    an_answer_finds_its_request(data);
    // What peers say of themselves, and clients of what they want.
    let _ = (Discovery::peek(data), Listing::peek(data));
    let _ = (discovery::error_code(data), discovery::offered(data));
    for method in [
        Method::LoggingSetLevel,
        Method::ResourcesSubscribe,
        Method::ResourcesUnsubscribe,
    ] {
        let mut standing = Standing::default();
        standing.note(method, data, 1);
        assert!(standing.subscriptions.len() <= 1);
    }
}

/// A replay says what the client said.
fn a_session_begins_again(data: &[u8]) {
    if let Some(server) = ServerHello::peek(data) {
        let _ = (server.announces(), server.digest());
    }
    let Some(client) = ClientHello::peek(data) else {
        return;
    };
    let server = br#"{"id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
    let Some(replay) = ServerHello::peek(server).and_then(|server| client.replay(&server)) else {
        unreachable!("the server is known")
    };
    let again = replay::initialize(&replay, "r");
    assert_eq!(ClientHello::peek(&again), Some(client));
}

/// The id of a server's request comes back as it went.
fn an_answer_finds_its_request(data: &[u8]) {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let _ = generation::answer(data, 2);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some(seen) = generation::request(text, 2) else {
        return;
    };
    let (Ok(sent), Ok(seen)) = (
        serde_json::from_str::<Named<'_>>(text),
        serde_json::from_str::<Named<'_>>(&seen),
    ) else {
        unreachable!("a request has an id")
    };
    let reply = |id: &RawValue| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
    let answer = generation::answer(reply(seen.id).as_bytes(), 2);
    assert_eq!(answer, Some(Belongs::Now(reply(sent.id).into_bytes())));
    let late = generation::answer(reply(seen.id).as_bytes(), 3);
    assert_eq!(late, Some(Belongs::Gone));
}
