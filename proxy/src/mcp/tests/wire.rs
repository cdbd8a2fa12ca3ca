use proptest::prelude::*;

use crate::mcp::wire::{put, take, take_text};

#[test]
fn a_length_takes_as_little_as_it_can() {
    for (length, prefix) in [
        (0, &[0][..]),
        (127, &[127]),
        (128, &[0x80, 1]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 1]),
    ] {
        let mut out = Vec::new();
        put(&mut out, &vec![0; length]);
        assert_eq!(&out[..prefix.len()], prefix, "{length}");
        assert_eq!(out.len(), prefix.len() + length);
    }
}

#[test]
fn long_texts_come_back() {
    for length in [16_384, 300_000] {
        let mut out = Vec::new();
        put(&mut out, &vec![7; length]);
        assert_eq!(take(&mut &out[..]), Some(&vec![7; length][..]));
    }
    // A sixth byte of length is no length.
    assert_eq!(take(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0][..]), None);
}

proptest! {
    #[test]
    fn what_was_put_is_taken(parts in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let mut out = Vec::new();
        for part in &parts {
            put(&mut out, part);
        }
        let mut rest = &out[..];
        for part in &parts {
            prop_assert_eq!(take(&mut rest), Some(&part[..]));
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn no_bytes_break_it(bytes in any::<Vec<u8>>()) {
        let mut rest = &bytes[..];
        while take(&mut rest).is_some() {}
        take_text(&mut &bytes[..]);
    }
}
