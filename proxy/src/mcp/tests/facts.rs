use http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod};

use crate::mcp::{
    Detected, Era, Facts, Kind, Message, Method, Mismatch, Name, Repeat, Version, detect,
};
use crate::settings::{Protocol, ToolRetry};

const BOTH: (&str, &str) = ("accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");
const MODERN: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
const LEGACY: (&str, &str) = ("mcp-protocol-version", "2025-11-25");
const SESSION: (&str, &str) = ("mcp-session-id", "s");

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

fn post(pairs: &[(&str, &str)]) -> Result<Detected, Mismatch> {
    detect(Protocol::Auto, &HttpMethod::POST, &headers(pairs))
}

fn facts(protocol: Protocol, method: &HttpMethod, pairs: &[(&str, &str)]) -> Facts {
    match detect(protocol, method, &headers(pairs)) {
        Ok(Detected::Mcp(facts)) => facts,
        other => panic!("{pairs:?}: {other:?}"),
    }
}

#[test]
fn plain_http_is_left_alone() {
    for pairs in [
        &[][..],
        &[JSON],
        &[BOTH],
        &[JSON, ("accept", "application/json")],
        &[JSON, ("accept", "*/*")],
        &[JSON, ("accept", "text/event-stream")],
        &[BOTH, ("content-type", "text/plain")],
        &[("mcp-method", "tools/call"), ("mcp-name", "x")],
    ] {
        assert_eq!(post(pairs), Ok(Detected::NotMcp), "{pairs:?}");
    }
    for method in [
        HttpMethod::GET,
        HttpMethod::PUT,
        HttpMethod::OPTIONS,
        HttpMethod::HEAD,
    ] {
        let found = detect(Protocol::Auto, &method, &headers(&[BOTH, JSON]));
        assert_eq!(found, Ok(Detected::NotMcp), "{method}");
    }
    let all = [BOTH, JSON, MODERN, SESSION, SESSION];
    let found = detect(Protocol::Http, &HttpMethod::POST, &headers(&all));
    assert_eq!(found, Ok(Detected::NotMcp));
}

#[test]
fn a_post_that_takes_both_answers_is_asked_for_its_body() {
    for pairs in [
        &[BOTH, JSON][..],
        &[BOTH, ("content-type", "Application/JSON; charset=utf-8")],
        &[
            JSON,
            ("accept", "text/event-stream;q=0.9 , application/json;q=1"),
        ],
        &[
            JSON,
            ("accept", "application/json"),
            ("accept", "text/event-stream"),
        ],
    ] {
        assert_eq!(post(pairs), Ok(Detected::NeedsBody), "{pairs:?}");
    }
}

#[test]
fn headers_tell_the_era() {
    for (pairs, era, version, session) in [
        (
            &[LEGACY][..],
            Era::Legacy,
            Some(Version::V2025_11_25),
            false,
        ),
        (
            &[LEGACY, SESSION],
            Era::Legacy,
            Some(Version::V2025_11_25),
            true,
        ),
        (&[SESSION], Era::Legacy, None, true),
        (&[("mcp-protocol-version", "x")], Era::Legacy, None, false),
        (&[MODERN], Era::Modern, Some(Version::V2026_07_28), false),
        // MCP 2026-07-28: the header means nothing any more.
        (
            &[MODERN, SESSION],
            Era::Modern,
            Some(Version::V2026_07_28),
            false,
        ),
    ] {
        let found = facts(Protocol::Auto, &HttpMethod::POST, pairs);
        assert_eq!(
            (found.era, found.version, found.session),
            (era, version, session),
            "{pairs:?}"
        );
    }
    let found = facts(Protocol::Mcp, &HttpMethod::POST, &[]);
    assert_eq!((found.era, found.version), (Era::Legacy, None));
}

#[test]
fn mirrored_headers_count_in_the_modern_era_only() {
    let mirrored = [
        ("mcp-method", "tools/call"),
        ("mcp-name", "=?base64?w6k=?="),
    ];
    let modern = [&mirrored[..], &[MODERN]].concat();
    let found = facts(Protocol::Auto, &HttpMethod::POST, &modern);
    assert_eq!(found.method, Some(Method::ToolsCall));
    assert_eq!(found.name, Some(Name::from("é")));
    let legacy = [&mirrored[..], &[LEGACY]].concat();
    let found = facts(Protocol::Auto, &HttpMethod::POST, &legacy);
    assert_eq!((found.method, found.name), (None, None));
}

#[test]
fn arguments_are_read_in_the_modern_era_only() {
    let name = HeaderName::from_static("mcp-param-region");
    for (pairs, expected) in [
        (
            &[MODERN, ("mcp-param-region", "us-west1")][..],
            Some("us-west1"),
        ),
        (
            &[MODERN, ("mcp-param-region", "=?base64?w6k=?=")],
            Some("é"),
        ),
        (&[MODERN, ("mcp-param-region", "=?base64?w6k?=")], None),
        (&[MODERN], None),
        (&[LEGACY, ("mcp-param-region", "us-west1")], None),
    ] {
        let found = facts(Protocol::Auto, &HttpMethod::POST, pairs);
        let region = found.param(&headers(pairs), &name);
        assert_eq!(region, expected.map(Name::from), "{pairs:?}");
    }
}

#[test]
fn what_comes_twice_or_broken_is_refused() {
    let region = ("mcp-param-region", "x");
    for (pairs, expected) in [
        (&[MODERN, MODERN][..], Some(Mismatch::Duplicate)),
        (&[MODERN, LEGACY], Some(Mismatch::Duplicate)),
        (&[SESSION, SESSION], Some(Mismatch::Duplicate)),
        (
            &[MODERN, ("mcp-method", "ping"), ("mcp-method", "ping")],
            Some(Mismatch::Duplicate),
        ),
        (
            &[MODERN, ("mcp-name", "a"), ("mcp-name", "b")],
            Some(Mismatch::Duplicate),
        ),
        (&[MODERN, region, region], Some(Mismatch::Duplicate)),
        (
            &[MODERN, ("mcp-name", "=?base64?!?=")],
            Some(Mismatch::Malformed),
        ),
        (&[MODERN, ("x", "1"), ("x", "2")], None),
        (&[LEGACY, region, region], None),
        (&[LEGACY, ("mcp-name", "=?base64?!?=")], None),
    ] {
        assert_eq!(post(pairs).err(), expected, "{pairs:?}");
    }
}

#[test]
fn the_http_method_tells_what_is_done() {
    for (method, kind, repeat) in [
        (HttpMethod::POST, Kind::Message, Repeat::Never),
        (HttpMethod::GET, Kind::Stream, Repeat::Always),
        (HttpMethod::DELETE, Kind::End, Repeat::Always),
        (HttpMethod::HEAD, Kind::Other, Repeat::Never),
        (HttpMethod::OPTIONS, Kind::Other, Repeat::Never),
    ] {
        let found = facts(Protocol::Mcp, &method, &[SESSION]);
        assert_eq!(found.kind, kind, "{method}");
        assert_eq!(found.repeat(|_| true), repeat, "{method}");
    }
}

#[test]
fn the_head_of_a_modern_call_says_whether_it_may_run_again() {
    let only = ToolRetry::Only(vec!["read".to_owned()]);
    for (method, name, expected) in [
        ("tools/list", "", Repeat::Always),
        ("tools/call", "read", Repeat::Always),
        ("tools/call", "write", Repeat::Never),
        ("tasks/update", "t", Repeat::Never),
        ("unknown", "read", Repeat::Never),
    ] {
        let pairs = [MODERN, ("mcp-method", method), ("mcp-name", name)];
        let found = facts(Protocol::Auto, &HttpMethod::POST, &pairs);
        assert_eq!(
            found.repeat(|tool| only.allows(tool)),
            expected,
            "{method} {name}"
        );
    }
}

#[test]
fn the_body_adds_what_the_head_did_not_say() {
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n"}}"#;
    let found = Facts::from_body(&Message::peek(body)).unwrap();
    assert_eq!((found.era, found.kind), (Era::Legacy, Kind::Message));
    assert_eq!(found.method, Some(Method::ToolsCall));
    assert_eq!(found.name, Some(Name::from("n")));

    let pairs = [MODERN, ("mcp-method", "tools/list"), ("mcp-name", "m")];
    let mut modern = facts(Protocol::Auto, &HttpMethod::POST, &pairs);
    modern.learn(&Message::peek(body));
    assert_eq!(modern.method, Some(Method::ToolsList));
    assert_eq!(modern.name, Some(Name::from("m")));

    let note = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let found = Facts::from_body(&Message::peek(note)).unwrap();
    assert_eq!(found.method, Some(Method::NotificationInitialized));
    assert_eq!(Facts::from_body(&Message::peek(b"{\"a\":1}")), None);
}

/// Rule 23: what is learned from the body says as much of a repeat as the body itself.
#[test]
fn a_call_that_is_tied_by_its_body_may_not_run_again() {
    for (params, expected) in [
        (r#"{"name":"n"}"#, Repeat::Always),
        (r#"{"name":"n","task":{}}"#, Repeat::Never),
        (r#"{"name":"n","requestState":"s"}"#, Repeat::Never),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let message = Message::peek(body.as_bytes());
        let found = Facts::from_body(&message).unwrap();
        assert_eq!(found.repeat(|_| true), expected, "{params}");
        assert_eq!(message.repeat(|_| true), expected, "{params}");
    }
}
