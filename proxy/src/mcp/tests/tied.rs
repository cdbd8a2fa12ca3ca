use proptest::prelude::*;

use crate::mcp::KeyRing;
use crate::mcp::tied::{Bond, listened, mark, task, unwrap, wrap};
use crate::settings::SealKey;

fn keys(byte: u8) -> KeyRing {
    let key = SealKey {
        id: "k".to_owned(),
        secret: [byte; 32],
    };
    KeyRing::new(&[key]).unwrap()
}

fn wrapped(answer: &str) -> Option<String> {
    wrap(answer, || mark(&keys(1), "g", "peer").ok())
}

/// The body a client makes of an answer, with its cursor or state.
fn next(answer: &str, from: &str, to: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    let value = &answer["result"][from];
    serde_json::json!({"jsonrpc": "2.0", "id": 2, "method": "m", "params": {to: value}}).to_string()
}

/// Whoever changes a mark breaks the lists of clients when replicas are updated one by one.
#[test]
fn the_mark_of_a_peer_is_pinned() {
    let mark = mark(&keys(1), "g", "peer").unwrap();
    assert_eq!(mark, "bs1.k.t4q5-itPwLhLlAbKU6grFXi8W7lsxwwJ11Fk51NScl0");
}

#[test]
fn rule_26_only_cursors_and_states_of_results_get_a_mark() {
    for answer in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"nextCursor":""}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"nextCursor":null}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"nextCursor":7,"requestState":{"a":1}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"nextCursor":"x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"text":"\"nextCursor\":\"x\""}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"nextCursor":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"nextCursor":"x","nextCursor":"y"}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"result":{"nextCursor":"x"}}]"#,
        r#"{"result":{"nextCursor":"x""#,
        r#"{"jsonrpc":"2.0","method":"n","params":{"nextCursor":"x"}}"#,
    ] {
        assert_eq!(wrapped(answer), None, "{answer}");
    }
    let answer = r#"{ "result" : {"nextCursor" : "x\u0041\"", "a": "x\u0041\"" }, "id":1 }"#;
    let mark = mark(&keys(1), "g", "peer").unwrap();
    let expected = format!(
        r#"{{ "result" : {{"nextCursor" : "{mark}:x\u0041\"", "a": "x\u0041\"" }}, "id":1 }}"#
    );
    assert_eq!(wrapped(answer), Some(expected), "nothing else changes");
}

#[test]
fn rule_26_a_mark_of_another_key_or_group_opens_nothing() {
    let answer = r#"{"result":{"nextCursor":"x"}}"#;
    let body = next(&wrapped(answer).unwrap(), "nextCursor", "cursor");
    let bond = |keys: &KeyRing, group| unwrap(body.as_bytes(), keys, group);
    assert!(matches!(bond(&keys(1), "g"), Bond::Peer { peer, .. } if peer == "peer"));
    assert_eq!(bond(&keys(2), "g"), Bond::Foreign);
    assert_eq!(bond(&keys(1), "h"), Bond::Foreign);
    // A session id or a stream token of ours is no mark.
    let id = keys(1).seal(
        b"peer",
        crate::mcp::keyring::Purpose::Session,
        "g",
        None,
        [0; 12],
    );
    let body = format!(r#"{{"params":{{"cursor":"{}:x"}}}}"#, id.unwrap());
    assert_eq!(unwrap(body.as_bytes(), &keys(1), "g"), Bond::Foreign);
}

/// A proxy behind a proxy marks what is marked already, and takes off one mark only.
#[test]
fn rule_26_marks_nest() {
    let answer = r#"{"result":{"requestState":"x"}}"#;
    let inner = wrapped(answer).unwrap();
    let outer = wrap(&inner, || mark(&keys(2), "h", "proxy").ok()).unwrap();
    let body = next(&outer, "requestState", "requestState");
    let Bond::Peer { peer, body } = unwrap(body.as_bytes(), &keys(2), "h") else {
        panic!("{body}")
    };
    assert_eq!(peer, "proxy");
    assert_eq!(
        String::from_utf8(body).unwrap(),
        next(&inner, "requestState", "requestState")
    );
}

#[test]
fn tasks_are_found_in_results_and_notifications() {
    for (message, expected) in [
        (
            r#"{"result":{"resultType":"task","taskId":"t\u0041"}}"#,
            Some("tA"),
        ),
        (r#"{"result":{"task":{"taskId":"t"}}}"#, Some("t")),
        (
            r#"{"method":"notifications/tasks","params":{"taskId":"t"}}"#,
            Some("t"),
        ),
        (r#"{"result":{"content":[{"taskId":"t"}]}}"#, None),
        (r#"{"result":{"taskId":7}}"#, None),
        (r#"{"result":{"taskId":"t""#, None),
        ("taskId", None),
    ] {
        assert_eq!(task(message).as_deref(), expected, "{message}");
    }
}

#[test]
fn the_tasks_of_a_listener_are_in_its_filter() {
    for (body, expected) in [
        (r#"{"params":{"notifications":{"taskIds":["a","b"]}}}"#, 2),
        (r#"{"params":{"notifications":{"taskIds":"a"}}}"#, 0),
        (r#"{"params":{"taskIds":["a"]}}"#, 0),
        (r#"{"params":{"notifications":{}}}"#, 0),
        ("", 0),
    ] {
        assert_eq!(listened(body.as_bytes()).len(), expected, "{body}");
    }
}

proptest! {
    #[test]
    fn rule_26_what_a_peer_gave_comes_back_as_it_was(value in ".{1,60}") {
        for (from, to) in [("nextCursor", "cursor"), ("requestState", "requestState")] {
            let answer = serde_json::json!({"jsonrpc": "2.0", "id": 1, "result": {from: value}});
            let seen = wrapped(&answer.to_string()).unwrap();
            let body = next(&seen, from, to);
            let Bond::Peer { peer, body } = unwrap(body.as_bytes(), &keys(1), "g") else {
                panic!("{body}")
            };
            prop_assert_eq!(peer, "peer");
            prop_assert_eq!(
                String::from_utf8(body).unwrap(),
                next(&answer.to_string(), from, to)
            );
        }
    }

    #[test]
    fn nothing_breaks_it(text in r#"(\{|\}|"|:|,|params|cursor|result|nextCursor|bs1\.|taskId|k\.|.){0,40}"#) {
        let _ = unwrap(text.as_bytes(), &keys(1), "g");
        let _ = wrapped(&text);
        let _ = task(&text);
        let _ = listened(text.as_bytes());
    }
}
