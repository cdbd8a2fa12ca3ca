use proptest::prelude::*;

use crate::mcp::token::{Target, endpoint_for, find, open, resolve, seal};
use crate::mcp::{KeyRing, Unsealable, sealed};
use crate::settings::SealKey;

const NONCE: [u8; 12] = [3; 12];

fn ring() -> KeyRing {
    KeyRing::new(&[SealKey {
        id: "k".to_owned(),
        secret: [1; 32],
    }])
    .unwrap()
}

fn target() -> Target {
    Target {
        peer: "eu".to_owned(),
        path: "/messages/?session_id=abc".to_owned(),
    }
}

#[test]
fn a_token_leads_back_to_its_peer() {
    let token = seal(&ring(), &target(), "g", None, NONCE).unwrap();
    assert_eq!(open(&ring(), &token, "g", None), Ok(target()));
    assert_eq!(open(&ring(), &token, "h", None), Err(Unsealable));
    for at in 0..token.len() {
        assert_eq!(open(&ring(), &token[..at], "g", None), Err(Unsealable));
    }
}

#[test]
fn the_format_is_pinned() {
    let token = seal(&ring(), &target(), "g", None, NONCE).unwrap();
    assert_eq!(
        token,
        "bs1.k.AwMDAwMDAwMDAwMD-WNx7-arWgzej4cAqWoLl8tW0j7uoKztxXSAJ8gpq2eqTqDjNj84bolTDHauyA"
    );
}

#[test]
fn a_token_is_no_session_id_and_the_reverse() {
    let token = seal(&ring(), &target(), "g", None, NONCE).unwrap();
    assert_eq!(sealed::open(&ring(), &token, "g", None), Err(Unsealable));
    let payload = sealed::Payload {
        peer: "eu".to_owned(),
        upstream: "u".to_owned(),
        // Read as a target, this time is the length of what follows it.
        issued_at: 10 << 56,
        replay: None,
    };
    let id = sealed::seal(&ring(), &payload, "g", None, NONCE)
        .unwrap()
        .id;
    assert_eq!(open(&ring(), &id, "g", None), Err(Unsealable));
}

#[test]
fn an_endpoint_lies_under_its_route() {
    for (prefix, endpoint) in [
        ("", "/.backstay/sse/T"),
        ("/", "/.backstay/sse/T"),
        ("/search", "/search/.backstay/sse/T"),
        ("/a/b/", "/a/b/.backstay/sse/T"),
    ] {
        assert_eq!(endpoint_for("T", prefix), endpoint);
        assert_eq!(find(endpoint, prefix), Some("T"), "{prefix}");
    }
    for path in [
        "/search",
        "/search/.backstay/sse/",
        "/search/.backstay/sse/T/x",
        "/.backstay/sse/T",
    ] {
        assert_eq!(find(path, "/search"), None, "{path}");
    }
}

#[test]
fn endpoints_are_resolved_to_paths_of_the_peer() {
    for (endpoint, expected) in [
        ("/messages/?session_id=1", Some("/messages/?session_id=1")),
        (" /m ", Some("/m")),
        (
            "http://peer:9001/messages?x=/../y",
            Some("/messages?x=/../y"),
        ),
        ("HTTPS://other.example", Some("/")),
        ("http://h?x=1", Some("/?x=1")),
        ("//h/m", Some("/m")),
        ("messages?sessionId=1", Some("/api/messages?sessionId=1")),
        ("./messages", Some("/api/messages")),
        ("../messages/..?a", Some("/?a")),
        ("../../../m", Some("/m")),
        ("a/.", Some("/api/a/")),
        ("a/b/..", Some("/api/a/")),
        ("a/./b/../c/", Some("/api/a/c/")),
        ("?sessionId=1", Some("/api/sse?sessionId=1")),
        ("/m?u=http://x", Some("/m?u=http://x")),
        ("/m#fragment", Some("/m")),
        ("m//n", Some("/api/m//n")),
        ("", None),
        ("#", None),
        ("/m n", None),
        ("/m\u{1}", None),
    ] {
        let found = resolve(endpoint, "/api/sse?key=1");
        assert_eq!(found.as_deref(), expected, "{endpoint}");
    }
    assert_eq!(resolve("m", "").as_deref(), Some("/m"));
    assert_eq!(resolve(&format!("/{}", "x".repeat(2048)), "/sse"), None);
}

proptest! {
    #[test]
    fn no_endpoint_breaks_it(endpoint in any::<String>(), base in any::<String>()) {
        let found = resolve(&endpoint, &base);
        prop_assert!(found.is_none_or(|path| path.starts_with('/')));
    }

    #[test]
    fn no_path_breaks_it(endpoint in "[a:/.?#]{0,20}") {
        if let Some(path) = resolve(&endpoint, "/a/b") {
            let (path, _) = path.split_once('?').unwrap_or((&path, ""));
            prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }
}
