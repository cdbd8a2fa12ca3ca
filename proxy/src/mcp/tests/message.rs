use proptest::prelude::*;

use crate::mcp::{Asked, Kind, MAX_BATCH, Message, Method, Repeat, Request, Tie};
use crate::settings::ToolRetry;

fn request(body: &str) -> Request<'_> {
    match Message::peek(body.as_bytes()) {
        Message::Request(request) => request,
        other => panic!("{body}: {other:?}"),
    }
}

fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
}

#[test]
fn a_request_says_what_matters() {
    let body = r#" {"params":{"arguments":{"id":9,"method":"x"},"name":"a\u0062",
        "_meta":{"progressToken": "p\n", "io.modelcontextprotocol/protocolVersion":"2026-07-28"}},
        "method":"tools\/call", "id" : "\u0041b" ,"jsonrpc":"2.0"} "#;
    let request = request(body);
    assert_eq!(request.id.json(), r#""\u0041b""#);
    assert_eq!(request.method, Method::ToolsCall);
    assert_eq!(request.verb, "tools/call");
    assert_eq!(request.name.as_deref(), Some("ab"));
    assert_eq!(request.progress_token, Some(r#""p\n""#));
    assert_eq!(request.version.as_deref(), Some("2026-07-28"));
    assert_eq!(request.tie, None);
}

#[test]
fn the_name_is_where_the_method_has_it() {
    for (method, params, name) in [
        ("tools/call", r#"{"name":"n","uri":"u"}"#, Some("n")),
        ("prompts/get", r#"{"name":"n","uri":"u"}"#, Some("n")),
        ("resources/read", r#"{"name":"n","uri":"u"}"#, Some("u")),
        ("resources/subscribe", r#"{"uri":"u"}"#, Some("u")),
        ("tasks/get", r#"{"taskId":"t"}"#, Some("t")),
        ("tools/list", r#"{"name":"n"}"#, None),
        ("tools/call", r#"{"name":7}"#, None),
        ("tools/call", r#"{"name":"\ud800"}"#, None),
        ("tools/call", r#"["name", "x"]"#, None),
        ("tools/call", "null", None),
        ("tools/call", "-1.5", None),
        ("tools/call", r#""name""#, None),
        ("tools/call", "true", None),
        ("tools/call", r#"{"_meta":7,"name":"n"}"#, Some("n")),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        assert_eq!(request(&body).name.as_deref(), name, "{body}");
    }
}

#[test]
fn bodies_are_told_apart() {
    for (body, expected) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "request"),
        (r#"{"jsonrpc":"2.0","id":"","method":"x/y"}"#, "request"),
        (r#"{"jsonrpc":"2.0","method":"ping"}"#, "notification"),
        (r#"{"jsonrpc":"2.0","id":1,"result":null}"#, "response"),
        (r#"{"jsonrpc":"2.0","id":1,"error":{}}"#, "response"),
        (r#"{"jsonrpc":"2.0","id":null,"error":{}}"#, "response"),
        (r#"{"jsonrpc":"2.0","error":{}}"#, "response"),
        (r#"[{"jsonrpc":"2.0","method":"x"}]"#, "batch"),
        ("[1]", "batch"),
        ("[]", "invalid"),
        ("", "invalid"),
        (" ", "invalid"),
        ("1", "invalid"),
        ("{}", "invalid"),
        (r#"{"jsonrpc":"2.0"}"#, "invalid"),
        (r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#, "invalid"),
        (r#"{"id":1,"method":"x"}"#, "invalid"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, "invalid"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#, "invalid"),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "invalid"),
        (r#"{"jsonrpc":"2.0","id":null,"result":1}"#, "invalid"),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":1,"error":1}"#,
            "invalid",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x"} x"#, "invalid"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x""#, "invalid"),
        // Two readers would pick different ones.
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#, "invalid"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"x","method":"y"}"#,
            "invalid",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":1,"name":2}}"#,
            "invalid",
        ),
    ] {
        let found = match Message::peek(body.as_bytes()) {
            Message::Batch(_) => "batch",
            Message::Invalid => "invalid",
            Message::Notification { .. } => "notification",
            Message::Request(_) => "request",
            Message::Response { .. } => "response",
        };
        assert_eq!(found, expected, "{body}");
    }
}

#[test]
fn deep_and_wide_bodies_cost_little() {
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"n","arguments":{}{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(request(&deep).name.as_deref(), Some("n"));
    let batch = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    let full = batch(MAX_BATCH);
    let Message::Batch(parts) = Message::peek(full.as_bytes()) else {
        panic!("a batch of {MAX_BATCH} is read");
    };
    assert_eq!(parts.len(), MAX_BATCH);
    let wide = batch(MAX_BATCH + 1);
    assert_eq!(Message::peek(wide.as_bytes()), Message::Invalid);
    let nested = format!("[{}{}]", "[".repeat(1000), "]".repeat(1000));
    let found = Message::peek(nested.as_bytes());
    assert_eq!(found, Message::Batch(vec![Message::Invalid]));
}

#[test]
fn a_call_runs_again_as_its_tool_allows() {
    let only = ToolRetry::Only(vec!["read".to_owned()]);
    for (params, tools, expected) in [
        (r#"{"name":"read"}"#, &ToolRetry::Never, Repeat::Never),
        (r#"{"name":"read"}"#, &ToolRetry::Annotated, Repeat::Never),
        (r#"{"name":"read"}"#, &ToolRetry::Always, Repeat::Always),
        (r#"{"name":"read"}"#, &only, Repeat::Always),
        (r#"{"name":"write"}"#, &only, Repeat::Never),
        ("{}", &only, Repeat::Never),
        (
            r#"{"name":"read","task":{}}"#,
            &ToolRetry::Always,
            Repeat::Never,
        ),
        (
            r#"{"name":"read","requestState":"s"}"#,
            &only,
            Repeat::Never,
        ),
        (
            r#"{"name":"read","inputResponses":{}}"#,
            &only,
            Repeat::Never,
        ),
    ] {
        let body = call(params);
        let found = Message::peek(body.as_bytes()).repeat(|name| tools.allows(name));
        assert_eq!(found, expected, "{params} {tools:?}");
    }
}

#[test]
fn a_batch_runs_again_only_if_all_of_it_may() {
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"c"}}"#;
    let read = call(r#"{"name":"read"}"#);
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let gone = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    for (body, tools, expected) in [
        (format!("[{list},{list}]"), ToolRetry::Never, Repeat::Always),
        (format!("[{list},{read}]"), ToolRetry::Never, Repeat::Never),
        (
            format!("[{list},{read}]"),
            ToolRetry::Always,
            Repeat::Always,
        ),
        (format!("[{list},{note}]"), ToolRetry::Never, Repeat::Always),
        (format!("[{list},{gone}]"), ToolRetry::Always, Repeat::Never),
        (format!("[{list},1]"), ToolRetry::Always, Repeat::Never),
        (note.to_owned(), ToolRetry::Never, Repeat::Always),
        (gone.to_owned(), ToolRetry::Always, Repeat::Never),
        ("x".to_owned(), ToolRetry::Always, Repeat::Never),
    ] {
        let found = Message::peek(body.as_bytes()).repeat(|name| tools.allows(name));
        assert_eq!(found, expected, "{body}");
    }
    assert_eq!(request(list).tie, Some(Tie::Cursor));
}

#[test]
fn an_answer_is_for_those_who_wait() {
    let of = |body: &str| Asked::of(Kind::Message, Some(&Message::peek(body.as_bytes())));
    let ping = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let ids = |asked: &Asked| -> Vec<String> {
        asked.ids().iter().map(|id| id.json().to_owned()).collect()
    };
    let one = of(&ping(r#""\u0031""#));
    assert!(matches!(one, Asked::Request(_)));
    assert_eq!(ids(&one), [r#""\u0031""#]);
    let batch = of(&format!("[{},{progress},{}]", ping("1"), ping("2")));
    assert!(matches!(batch, Asked::Batch(_)));
    assert_eq!(ids(&batch), ["1", "2"]);
    for (body, expected) in [
        (response.to_owned(), Asked::Moot),
        (progress.to_owned(), Asked::Moot),
        (initialized.to_owned(), Asked::Notification),
        (format!("[{response},{progress}]"), Asked::Moot),
        (format!("[{response},{initialized}]"), Asked::Notification),
        ("[1]".to_owned(), Asked::Unread),
        ("?".to_owned(), Asked::Unread),
    ] {
        assert_eq!(of(&body), expected, "{body}");
    }
    assert_eq!(Asked::of(Kind::Message, None), Asked::Unread);
    assert_eq!(Asked::of(Kind::Stream, None), Asked::Stream);
    assert_eq!(Asked::of(Kind::End, None), Asked::End);
    assert_eq!(Asked::of(Kind::Other, None), Asked::Other);
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in any::<Vec<u8>>()) {
        Message::peek(&bytes).repeat(|_| true);
    }

    #[test]
    fn no_json_breaks_it(text in r#"[\[{]?\{"jsonrpc":"2.0",("(id|method|params)":[0-9"a{}:,\[\]]{0,12},?){0,4}\}?"#) {
        Message::peek(text.as_bytes()).repeat(|_| true);
    }

    #[test]
    fn ids_are_kept_byte_for_byte(number in any::<i64>(), text in any::<String>()) {
        for id in [number.to_string(), serde_json::to_string(&text).unwrap()] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let found = request(&body).id;
            prop_assert_eq!(found.json(), id);
        }
    }
}
