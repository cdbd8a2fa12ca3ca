//! What a peer gives a client that only this peer understands.

use proxy::mcp::KeyRing;
use proxy::mcp::tied::{self, Bond};
use proxy::settings::SealKey;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::input::Input;

/// Cursors and states: marked on their way to the client, restored to the byte on their way back,
/// and refused with any other mark.
pub fn tied(data: &[u8]) {
    let (Some(keys), Some(others)) = (ring(7), ring(8)) else {
        return;
    };
    let mut input = Input::new(data);
    let forgery = input.byte();
    let place = [input.byte(), input.byte()];
    let peer = input.text();
    let text = String::from_utf8_lossy(input.rest());

    // Whatever else peers and clients say.
    let _ = (tied::task(&text), tied::listened(input.rest()));
    // A fuzzer sees what is compared, so a mark of below is no secret to it: other keys.
    let stranger = tied::unwrap(input.rest(), &others, "g");
    assert!(
        !matches!(stranger, Bond::Peer { .. }),
        "nobody guesses a mark"
    );

    let Ok(mark) = tied::mark(&keys, "g", &peer) else {
        return;
    };
    let Some(seen) = tied::wrap(&text, || Some(mark.clone())) else {
        return;
    };
    let (Some((from, given)), Some((to, held))) = (first(&text), first(&seen)) else {
        unreachable!("{text:?} became {seen:?}")
    };
    assert_eq!((from, &*format!("{mark}:{given}")), (to, held));
    let to = match from {
        "nextCursor" => "cursor",
        other => other,
    };
    let body = |value: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"{to}":"{value}"}}}}"#)
    };
    let bond =
        |text: &str, group: &str, keys: &KeyRing| tied::unwrap(body(text).as_bytes(), keys, group);
    let restored = Bond::Peer {
        peer,
        body: body(given).into_bytes(),
    };
    assert_eq!(bond(held, "g", &keys), restored);
    assert_eq!(bond(held, "h", &keys), Bond::Foreign);
    assert_eq!(bond(held, "g", &others), Bond::Foreign);
    // A mark with one character changed is a mark of nobody, or none at all.
    let at = Input::new(&place).below(mark.len());
    let mut forged = mark.into_bytes();
    if let Some(byte) = forged.get_mut(at) {
        *byte ^= (forgery & 0x7f).max(1);
    }
    let forged = format!("{}:{given}", String::from_utf8_lossy(&forged));
    let bond = bond(&forged, "g", &keys);
    assert!(!matches!(bond, Bond::Peer { .. }), "{forged}");
}

/// The cursor or the state of an answer that gets a mark, as it is written: not an empty one.
fn first(answer: &str) -> Option<(&'static str, &str)> {
    let answer: Answer<'_> = serde_json::from_str(answer).ok()?;
    let given = [
        ("nextCursor", answer.result.next_cursor),
        ("requestState", answer.result.request_state),
    ];
    given.into_iter().find_map(|(key, value)| {
        let value = value?.get().strip_prefix('"')?.strip_suffix('"')?;
        (!value.is_empty()).then_some((key, value))
    })
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Given<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given<'a> {
    #[serde(borrow)]
    next_cursor: Option<&'a RawValue>,
    #[serde(borrow)]
    request_state: Option<&'a RawValue>,
}

fn ring(secret: u8) -> Option<KeyRing> {
    let key = SealKey {
        id: "k".to_owned(),
        secret: [secret; 32],
    };
    KeyRing::new(&[key]).ok()
}
