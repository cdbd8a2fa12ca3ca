//! What listeners were promised.

use proxy::mcp::events::{self, Cut, Events};
use proxy::mcp::listening::{Acknowledged, Tools};
use serde_json::Value;

/// Acknowledgements of listeners, one a line: what covers what is an order, and what is told in
/// place of a peer is made of whole messages about the same subscription.
pub fn listening(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let promises: Vec<Acknowledged> = text
        .lines()
        .take(4)
        .filter_map(Acknowledged::peek)
        .collect();
    for one in &promises {
        assert!(one.covers(one), "{one:?}");
        let same = messages(&one.announcements(Tools::Same, 256));
        let all = messages(&one.announcements(Tools::Differ, 256));
        assert!(same.iter().all(|message| all.contains(message)), "{one:?}");
        let tag = |message: &Value, outside: &str| {
            message[outside]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone()
        };
        let [ending] = &messages(&one.ending())[..] else {
            unreachable!("{one:?} ends otherwise")
        };
        assert_eq!(tag(ending, "result"), ending["id"], "{one:?}");
        assert!(ending["id"].is_string() || ending["id"].is_number());
        for message in all {
            assert_eq!(tag(&message, "params"), ending["id"], "{one:?}");
            assert!(message["method"].is_string() && message.get("id").is_none());
        }
        for two in promises.iter().filter(|two| one.covers(two)) {
            for three in promises.iter().filter(|three| two.covers(three)) {
                assert!(one.covers(three), "{one:?} {two:?} {three:?}");
            }
        }
    }
}

/// The messages of a piece of an event stream that holds nothing else.
fn messages(stream: &str) -> Vec<Value> {
    let mut events = Events::default();
    events.push(stream.as_bytes());
    let mut messages = Vec::new();
    while let Some(cut) = events.cut() {
        let Cut::Event(event) = cut else {
            unreachable!("{stream:?} has parts")
        };
        let message = events::message(&event).and_then(|text| serde_json::from_str(&text).ok());
        let Some(message) = message else {
            unreachable!("{stream:?} has no message")
        };
        messages.push(message);
    }
    assert!(events.finish().is_empty(), "{stream:?} has no end");
    messages
}
