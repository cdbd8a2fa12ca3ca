use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use crate::mcp::sealed::{Kept, MAX_ID, Payload, Replay, open, seal};
use crate::mcp::{Bound, KeyError, KeyRing, Principal, Unsealable, Version};
use crate::settings::{SealKey, SessionBinding};

const NONCE: [u8; 12] = *b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b";

fn key(id: &str, byte: u8) -> SealKey {
    SealKey {
        id: id.to_owned(),
        secret: [byte; 32],
    }
}

fn ring(keys: &[SealKey]) -> KeyRing {
    KeyRing::new(keys).unwrap()
}

fn principal(name: &'static str) -> Principal {
    let header = HeaderName::from_static("x-user");
    let headers = HeaderMap::from_iter([(header.clone(), HeaderValue::from_static(name))]);
    Principal::of(&SessionBinding::Header(header), &headers).unwrap()
}

fn payload() -> Payload {
    Payload {
        peer: "eu".to_owned(),
        upstream: "0123456789abcdef".to_owned(),
        issued_at: 1_800_000_000,
        replay: Some(Replay {
            version: Version::V2025_11_25,
            capabilities: r#"{"roots":{}}"#.to_owned(),
            client_name: "client".to_owned(),
            client_version: "1.0".to_owned(),
            server: [7; 16],
        }),
    }
}

/// Checked once against another implementation of AES-256-GCM: whoever changes the format must
/// change its version too, or sessions break when replicas are updated one by one.
#[test]
fn the_format_is_pinned() {
    let keys = ring(&[key("k1", 1)]);
    let bound = seal(&keys, &payload(), "search", Some(&principal("anna")), NONCE).unwrap();
    assert_eq!(
        bound.id,
        "bs1.k1.AAECAwQFBgcICQoLuqaVJiCVT6v-aIKxMFn5kZ3yXjzCqXxhE6lc5ceGCLOn1N2jdsQVrw1QA5L2B4eEUfsrBTTMGPG33eB7vCsLwTdmmqfZm18cRs0sMwai1CiV8nBCwBzsstk"
    );
    assert_eq!(bound.replay, Kept::Whole);
    let short = Payload {
        replay: None,
        ..payload()
    };
    let keys = ring(&[key("key.2/ü", 2)]);
    let anyone = seal(&keys, &short, "search", None, NONCE).unwrap();
    assert_eq!(
        anyone.id,
        "bs1.key~2e2~2f~c3~bc.AAECAwQFBgcICQoLSAji-tEixZYriiVjjo5UyWAK9fokIq24GBML6vY54p-4FrnlDvg3Q3kz79xg"
    );
    assert_eq!(anyone.replay, Kept::Missing);
}

#[test]
fn what_was_sealed_opens() {
    let keys = ring(&[key("a", 1)]);
    for (sealed_for, opened_by, bound) in [
        (None, None, Some(Bound::Anyone)),
        // A client may authenticate later.
        (None, Some(principal("anna")), Some(Bound::Anyone)),
        (
            Some(principal("anna")),
            Some(principal("anna")),
            Some(Bound::Principal),
        ),
        (Some(principal("anna")), Some(principal("bert")), None),
        (Some(principal("anna")), None, None),
    ] {
        let id = seal(&keys, &payload(), "g", sealed_for.as_ref(), NONCE)
            .unwrap()
            .id;
        let opened = open(&keys, &id, "g", opened_by.as_ref());
        assert_eq!(opened.as_ref().ok().map(|opened| opened.bound), bound);
        if let Ok(opened) = opened {
            assert_eq!(opened.payload, payload());
        }
    }
}

#[test]
fn keys_can_be_rotated() {
    let (old, new) = (key("old", 1), key("new", 2));
    let id = seal(
        &ring(std::slice::from_ref(&old)),
        &payload(),
        "g",
        None,
        NONCE,
    )
    .unwrap()
    .id;
    let rotated = ring(&[new.clone(), old]);
    assert!(open(&rotated, &id, "g", None).is_ok());
    let next = seal(&rotated, &payload(), "g", None, NONCE).unwrap().id;
    assert!(next.starts_with("bs1.new."));
    assert_eq!(open(&ring(&[new]), &id, "g", None), Err(Unsealable));
}

#[test]
fn another_group_or_key_opens_nothing() {
    let keys = ring(&[key("a", 1)]);
    let id = seal(&keys, &payload(), "g", None, NONCE).unwrap().id;
    assert_eq!(open(&keys, &id, "h", None), Err(Unsealable));
    assert_eq!(open(&keys, &id, "", None), Err(Unsealable));
    assert_eq!(open(&ring(&[key("a", 2)]), &id, "g", None), Err(Unsealable));
    assert_eq!(open(&ring(&[key("b", 1)]), &id, "g", None), Err(Unsealable));
    let renamed = id.replacen(".a.", ".b.", 1);
    assert_eq!(
        open(&ring(&[key("b", 1)]), &renamed, "g", None),
        Err(Unsealable)
    );
}

#[test]
fn every_change_is_noticed() {
    let keys = ring(&[key("a", 1)]);
    let id = seal(&keys, &payload(), "g", None, NONCE).unwrap().id;
    for at in 0..id.len() {
        assert_eq!(
            open(&keys, &id[..at], "g", None),
            Err(Unsealable),
            "cut at {at}"
        );
        for byte in [b'A', b'b', b'-', b'.', b'=', b' ', id.as_bytes()[at] ^ 1] {
            let mut changed = id.clone().into_bytes();
            changed[at] = byte;
            let changed = String::from_utf8(changed).unwrap();
            if changed != id {
                assert_eq!(
                    open(&keys, &changed, "g", None),
                    Err(Unsealable),
                    "{changed}"
                );
            }
        }
    }
    for extra in ["A", "=", ".", "\n"] {
        assert_eq!(
            open(&keys, &format!("{id}{extra}"), "g", None),
            Err(Unsealable)
        );
    }
    let long = format!("bs1.a.{}", "A".repeat(1 << 20));
    assert_eq!(open(&keys, &long, "g", None), Err(Unsealable));
}

#[test]
fn a_long_replay_is_left_out() {
    let keys = ring(&[key("a", 1)]);
    let sealed_with = |length: usize| {
        let mut payload = payload();
        if let Some(replay) = &mut payload.replay {
            replay.capabilities = "x".repeat(length);
        }
        seal(&keys, &payload, "g", None, NONCE).unwrap()
    };
    let lengths: Vec<_> = (1300..1500)
        .map(sealed_with)
        .map(|sealed| (sealed.id.len(), sealed.replay))
        .collect();
    let (fitting, rest): (Vec<_>, Vec<_>) = lengths
        .into_iter()
        .partition(|(_, replay)| *replay == Kept::Whole);
    assert!(fitting.iter().all(|(length, _)| *length <= MAX_ID));
    assert!(fitting.iter().any(|(length, _)| *length + 2 > MAX_ID));
    assert!(!rest.is_empty());
    assert!(
        rest.iter()
            .all(|(length, replay)| *length < 200 && *replay == Kept::Dropped)
    );
    let dropped = open(&keys, &sealed_with(1500).id, "g", None).unwrap();
    assert_eq!(
        dropped.payload,
        Payload {
            replay: None,
            ..payload()
        }
    );
}

/// A client must not be given an id that nobody will open.
#[test]
fn what_is_sealed_can_be_opened() {
    let keys = ring(&[key("k1", 1)]);
    let long = |length| Payload {
        upstream: "x".repeat(length),
        replay: None,
        ..payload()
    };
    let longest = (1..20_000).rev().step_by(7).find_map(|length| {
        let sealed = seal(&keys, &long(length), "g", None, NONCE).ok()?;
        Some((length, sealed.id))
    });
    let (length, id) = longest.unwrap();
    assert!(length > 10_000, "{length}");
    assert_eq!(open(&keys, &id, "g", None).unwrap().payload, long(length));
}

#[test]
fn a_ring_needs_distinct_keys() {
    assert_eq!(KeyRing::new(&[]).err(), Some(KeyError::Empty));
    let twice = KeyRing::new(&[key("a", 1), key("b", 1), key("a", 2)]);
    assert_eq!(twice.err(), Some(KeyError::Duplicate("a".to_owned())));
}

proptest! {
    #[test]
    fn any_payload_comes_back(
        peer in ".{0,20}", upstream in "[!-~]{0,200}", issued_at in any::<u64>(),
        capabilities in ".{0,100}", client in ".{0,20}", id in "[!-~]{1,32}", nonce in any::<[u8; 12]>(),
    ) {
        let keys = ring(&[key(&id, 9)]);
        let replay = Replay {
            version: Version::V2025_06_18,
            capabilities,
            client_name: client.clone(),
            client_version: client,
            server: [1; 16],
        };
        for replay in [None, Some(replay)] {
            let payload = Payload { peer: peer.clone(), upstream: upstream.clone(), issued_at, replay };
            let sealed = seal(&keys, &payload, "g", None, nonce).unwrap();
            let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            prop_assert!(sealed.id.bytes().all(unreserved));
            prop_assert!(sealed.id.len() <= MAX_ID);
            prop_assert_eq!(open(&keys, &sealed.id, "g", None).unwrap().payload, payload);
        }
    }

    #[test]
    fn no_text_opens_by_chance(text in any::<String>(), data in "[A-Za-z0-9_-]{0,80}") {
        let keys = ring(&[key("a", 1)]);
        prop_assert_eq!(open(&keys, &text, "g", None), Err(Unsealable));
        prop_assert_eq!(open(&keys, &format!("bs1.a.{data}"), "g", None), Err(Unsealable));
    }
}
