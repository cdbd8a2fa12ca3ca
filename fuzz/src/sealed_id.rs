//! What clients carry for us, and forgeries of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proxy::mcp::sealed::{self, Kept, Payload, Replay};
use proxy::mcp::{Bound, KeyRing, Principal, Version, token};
use proxy::settings::{SealKey, SessionBinding};

use crate::input::Input;

/// Session ids and tokens that clients send back: what was sealed opens where it was sealed for
/// and as it was, and nothing else does.
pub fn sealed_id(data: &[u8]) {
    let ours = ring(&[("k", 7)]);
    // A fuzzer sees what is compared, so what is sealed below is no secret to it: other keys.
    nobody_guesses(&ring(&[("k", 6)]), &String::from_utf8_lossy(data));

    let mut input = Input::new(data);
    let forgery = input.byte();
    let place = [input.byte(), input.byte()];
    let options = input.byte();
    let nonce = [input.byte(); 12];
    let payload = Payload {
        peer: input.text(),
        upstream: input.text(),
        issued_at: u64::from(place[0]) << 32,
        replay: (options & 1 == 1).then(|| Replay {
            version: Version::V2025_11_25,
            server: [place[1]; 16],
            client_name: input.text(),
            client_version: input.text(),
            // The fuzzer's bytes are few: so the id grows too long for what a replay needs.
            capabilities: input.text().repeat(usize::from(place[0]) + 1),
        }),
    };
    let owner = (options & 2 == 2).then(|| principal("a"));
    let Ok(id) = sealed::seal(&ours, &payload, "g", owner.as_ref(), nonce) else {
        return;
    };
    assert!(http::HeaderValue::from_str(&id.id).is_ok(), "{}", id.id);
    assert!(
        id.replay != Kept::Whole || id.id.len() <= sealed::MAX_ID,
        "{} bytes",
        id.id.len()
    );
    assert!(token::open(&ours, &id.id, "g", owner.as_ref()).is_err());

    let mut claim = Claim {
        text: id.id.clone(),
        keys: ring(&[("k", 7)]),
        group: "g",
        principal: owner,
    };
    let genuine = claim.forge(forgery, place, &mut input);
    let opened = sealed::open(
        &claim.keys,
        &claim.text,
        claim.group,
        claim.principal.as_ref(),
    );
    // A very long id is not even tried.
    let genuine = genuine && claim.text == id.id && id.id.len() <= 16 * 1024;
    assert_eq!(opened.is_ok(), genuine, "forgery {forgery}: {}", claim.text);
    if let Ok(opened) = opened {
        let replay = payload.replay.clone().filter(|_| id.replay == Kept::Whole);
        assert_eq!(opened.payload, Payload { replay, ..payload });
        let bound = if owner.is_some() {
            Bound::Principal
        } else {
            Bound::Anyone
        };
        assert_eq!(opened.bound, bound);
    }
}

/// Bytes that were never sealed.
fn nobody_guesses(keys: &KeyRing, text: &str) {
    assert!(
        sealed::open(keys, text, "g", None).is_err(),
        "nobody guesses an id"
    );
    assert!(
        token::open(keys, text, "g", None).is_err(),
        "nobody guesses a token"
    );
}

/// An id as somebody brings it.
struct Claim {
    text: String,
    keys: KeyRing,
    group: &'static str,
    principal: Option<Principal>,
}

impl Claim {
    /// Changes it in one way; whether it may still open, if its text stays what it was.
    fn forge(&mut self, forgery: u8, [high, low]: [u8; 2], input: &mut Input<'_>) -> bool {
        let mut place = Input::new(&[high, low, 0, 0][..]).below(self.text.len());
        while !self.text.is_char_boundary(place) {
            place -= 1;
        }
        match forgery % 12 {
            // The sealed bytes, and not their spelling.
            1 => {
                let Some((head, data)) = self.text.rsplit_once('.') else {
                    return true;
                };
                let mut bytes = URL_SAFE_NO_PAD.decode(data).unwrap_or_default();
                let at = place.checked_rem(bytes.len()).unwrap_or_default();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= input.byte();
                }
                self.text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes));
            }
            2 => self.text.truncate(place),
            3 => self.text.insert_str(place, &input.text()),
            4 => {
                let other = input.text();
                let end = (place + other.len()).min(self.text.len());
                self.text.replace_range(place..end, &other);
            }
            5 => self.text = self.text.replace('-', "+").replace('_', "/"),
            6 => self.text.push('='),
            7 => self.group = "h",
            8 => {
                self.keys = ring(&[("k", 8)]);
                return false;
            }
            9 => {
                self.keys = ring(&[("l", 7), ("k", 9)]);
                return false;
            }
            // A key that no longer seals still opens.
            10 => self.keys = ring(&[("l", 8), ("k", 7)]),
            11 => {
                let bound = self.principal.is_some();
                self.principal = (high & 1 == 1).then(|| principal("b"));
                return !bound;
            }
            _ => {}
        }
        self.group == "g"
    }
}

fn ring(keys: &[(&str, u8)]) -> KeyRing {
    let keys = keys.iter().map(|(id, secret)| SealKey {
        id: (*id).to_owned(),
        secret: [*secret; 32],
    });
    let keys: Vec<SealKey> = keys.collect();
    match KeyRing::new(&keys) {
        Ok(ring) => ring,
        Err(error) => unreachable!("{error}"),
    }
}

fn principal(name: &'static str) -> Principal {
    let header = http::HeaderName::from_static("x-user");
    let mut headers = http::HeaderMap::new();
    headers.insert(header.clone(), http::HeaderValue::from_static(name));
    match Principal::of(&SessionBinding::Header(header), &headers) {
        Some(principal) => principal,
        None => unreachable!("a header binds"),
    }
}
