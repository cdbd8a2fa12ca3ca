//! Both codecs over the same bytes, cut in every way.

use super::corpus::{ALIKE, STRICTER};
use super::{get, hyper_client, replay};
use crate::upstream::h1::replay::Replayed;
use http::Method;
use proptest::prelude::*;

/// Of what is not whole only this much is promised: that it is not.
fn comparable(replayed: Replayed) -> Replayed {
    if replayed.whole {
        return Replayed {
            reusable: false,
            ..replayed
        };
    }
    Replayed {
        status: replayed.status,
        ..Replayed::default()
    }
}

fn assert_alike(method: &Method, pieces: &[&[u8]]) {
    let ours = comparable(replay(method.clone(), pieces));
    let theirs = comparable(hyper_client::replay(method.clone(), pieces));
    let shown: Vec<_> = pieces
        .iter()
        .map(|piece| piece.escape_ascii().to_string())
        .collect();
    assert_eq!(ours, theirs, "{method} {shown:?}");
}

#[test]
fn the_corpus_means_the_same_at_every_cut() {
    for (method, text) in ALIKE {
        let bytes = text.as_bytes();
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_alike(method, &[head, tail]);
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_alike(method, &single);
    }
}

#[test]
fn what_is_refused_beyond_hyper_is_refused_at_every_cut() {
    for (text, reason) in STRICTER {
        let bytes = text.as_bytes();
        let theirs = hyper_client::replay(Method::GET, &[bytes]);
        assert!(theirs.status.is_some(), "hyper takes it: {reason}");
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let ours = replay(Method::GET, &[head, tail]);
            assert!(!ours.whole, "{reason}: {text:?} at {cut}");
        }
    }
}

#[test]
fn nothing_that_came_with_the_end_is_lost() {
    let ours = get(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
    assert_eq!(ours.status, Some(200));
    assert_eq!(ours.body, b"hello");
    assert!(!ours.whole);
}

#[test]
fn a_connection_is_kept_only_after_a_response_that_ends_by_itself() {
    for (text, reusable) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!", false),
        ("HTTP/1.1 204 No Content\r\n\r\n", true),
        ("HTTP/1.1 204 No Content\r\n\r\n0\r\n\r\n", false),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP",
            false,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", false),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: x\r\nconnection: CLOSE\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
    ] {
        let ours = get(text.as_bytes());
        assert!(ours.whole, "{text:?}");
        assert_eq!(ours.reusable, reusable, "{text:?}");
    }
}

fn mutated() -> impl Strategy<Value = (Method, Vec<u8>, Vec<usize>)> {
    let row = prop::sample::select(ALIKE);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), edit()), 0..3);
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (row, edits, cuts).prop_map(|((method, text), edits, cuts)| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, edit) in edits {
            let at = at.index(bytes.len() + 1);
            match edit {
                Edit::Insert(byte) => bytes.insert(at, byte),
                Edit::Remove if at < bytes.len() => drop(bytes.remove(at)),
                Edit::Remove => {}
            }
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        (method, bytes, cuts)
    })
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    Insert(u8),
    Remove,
}

fn edit() -> impl Strategy<Value = Edit> {
    let byte = prop::sample::select(b"\r\n \t:;,0159afxz\0\x7f\xff".as_slice());
    prop_oneof![byte.prop_map(Edit::Insert), Just(Edit::Remove)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn we_are_never_laxer_than_hyper((method, bytes, cuts) in mutated()) {
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        let ours = comparable(replay(method.clone(), &pieces));
        let whole = comparable(replay(method.clone(), &[&bytes]));
        prop_assert_eq!(&ours, &whole, "the cuts do not matter");
        if ours.whole {
            let theirs = comparable(hyper_client::replay(method, &pieces));
            prop_assert_eq!(ours, theirs);
        }
    }
}
