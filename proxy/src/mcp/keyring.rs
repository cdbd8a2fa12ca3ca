//! The keys that seal what clients carry for us.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Principal;
use crate::settings::SealKey;

/// The keys that seal what clients carry for us: the first seals, all open (rule 1).
///
/// What is sealed looks like `bs1.KEY.DATA`: the format, the id of the key, and nonce,
/// ciphertext and tag of AES-256-GCM in Base64url. It is made of characters that need no escape
/// in a header or a URL (RFC 3986 §2.3). The same text in any other spelling does not open.
pub struct KeyRing {
    first: Key,
    others: Vec<Key>,
}

struct Key {
    /// The id as it appears in what is sealed.
    tag: String,
    key: LessSafeKey,
}

/// Why a key ring cannot be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyError {
    /// Two keys have this id.
    Duplicate(String),
    /// No key is given.
    Empty,
    /// The cryptographic library refused a key.
    Refused,
}

/// Why something does not open: for every reason the same, so that it says nothing (rule 3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unsealable;

/// Too long to be opened again, or the cryptographic library refused to seal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SealError;

/// What is sealed. One kind never opens as another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// An MCP session id.
    Session,
    /// The message address of a legacy event stream.
    Stream,
    /// The peer that a cursor or a state came from.
    Tie,
}

/// Whom a sealed text is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bound {
    /// Whoever has it.
    Anyone,
    /// The principal it was sealed for.
    Principal,
}

impl KeyRing {
    /// A ring of these keys.
    ///
    /// # Errors
    ///
    /// No keys, two of one id, or a key the library refuses.
    pub fn new(keys: &[SealKey]) -> Result<Self, KeyError> {
        for (at, key) in keys.iter().enumerate() {
            if keys.iter().take(at).any(|earlier| earlier.id == key.id) {
                return Err(KeyError::Duplicate(key.id.clone()));
            }
        }
        let (first, others) = keys.split_first().ok_or(KeyError::Empty)?;
        Ok(Self {
            first: Key::new(first)?,
            others: others.iter().map(Key::new).collect::<Result<_, _>>()?,
        })
    }

    /// Seals `plain` for a group and a principal. The nonce must be random: with random nonces a
    /// key is good for 2^32 texts (NIST SP 800-38D §8.3).
    pub(super) fn seal(
        &self,
        plain: &[u8],
        purpose: Purpose,
        group: &str,
        principal: Option<&Principal>,
        nonce: [u8; NONCE_LEN],
    ) -> Result<String, SealError> {
        let Key { tag, key } = &self.first;
        if sealed_len(tag, plain.len()) > MAX_TEXT {
            // It would never open again.
            return Err(SealError);
        }
        let mut data = Vec::with_capacity(plain.len() + 32);
        data.extend_from_slice(plain);
        let context = context(purpose, tag, group, principal);
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut data,
        )
        .map_err(|_| SealError)?;
        data.splice(0..0, nonce);
        let mut text = String::with_capacity(sealed_len(tag, plain.len()));
        text.push_str(FORMAT);
        text.push_str(tag);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(&data, &mut text);
        Ok(text)
    }

    /// How long the sealed text of so many bytes is.
    pub(super) fn sealed_len(&self, plain: usize) -> usize {
        sealed_len(&self.first.tag, plain)
    }

    /// Opens what was sealed for this group, and for this principal or anyone.
    pub(super) fn open(
        &self,
        text: &str,
        purpose: Purpose,
        group: &str,
        principal: Option<&Principal>,
    ) -> Result<(Vec<u8>, Bound), Unsealable> {
        if text.len() > MAX_TEXT {
            return Err(Unsealable);
        }
        let rest = text.strip_prefix(FORMAT).ok_or(Unsealable)?;
        let (tag, data) = rest.split_once('.').ok_or(Unsealable)?;
        let key = std::iter::once(&self.first)
            .chain(&self.others)
            .find(|key| key.tag == tag)
            .ok_or(Unsealable)?;
        // Strict Base64: a text has one spelling, so one that was revoked stays revoked.
        let data = URL_SAFE_NO_PAD.decode(data).map_err(|_| Unsealable)?;
        if principal.is_some()
            && let Some(plain) = key.open(&data, &context(purpose, tag, group, principal))
        {
            return Ok((plain, Bound::Principal));
        }
        // Anonymous to authenticated is allowed (rule 3); the other way fails here.
        key.open(&data, &context(purpose, tag, group, None))
            .map(|plain| (plain, Bound::Anyone))
            .ok_or(Unsealable)
    }
}

impl Key {
    fn new(key: &SealKey) -> Result<Self, KeyError> {
        let unbound = UnboundKey::new(&AES_256_GCM, &key.secret).map_err(|_| KeyError::Refused)?;
        Ok(Self {
            tag: tag(&key.id),
            key: LessSafeKey::new(unbound),
        })
    }

    fn open(&self, data: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let (nonce, data) = data.split_first_chunk::<NONCE_LEN>()?;
        let mut data = data.to_vec();
        let plain = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(context),
                &mut data,
            )
            .ok()?
            .len();
        data.truncate(plain);
        Some(data)
    }
}

/// What is authenticated beside the text: format, purpose, key, group, principal.
fn context(purpose: Purpose, tag: &str, group: &str, principal: Option<&Principal>) -> Vec<u8> {
    let mut out = Vec::with_capacity(tag.len() + group.len() + 48);
    out.extend_from_slice(FORMAT.as_bytes());
    out.push(match purpose {
        Purpose::Session => 1,
        Purpose::Stream => 2,
        Purpose::Tie => 3,
    });
    super::wire::put(&mut out, tag.as_bytes());
    super::wire::put(&mut out, group.as_bytes());
    match principal {
        Some(principal) => super::wire::put(&mut out, principal.as_bytes()),
        None => super::wire::put(&mut out, &[]),
    }
    out
}

/// The id of a key in characters that need no escape; others become `~` and two hex digits.
fn tag(id: &str) -> String {
    let mut tag = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            tag.push(char::from(byte));
        } else {
            tag.push('~');
            for digit in [byte >> 4, byte & 15] {
                tag.extend(char::from_digit(digit.into(), 16));
            }
        }
    }
    tag
}

fn sealed_len(tag: &str, plain: usize) -> usize {
    let data = NONCE_LEN + plain + AES_256_GCM.tag_len();
    FORMAT.len() + tag.len() + 1 + (data * 4).div_ceil(3)
}

/// Names no key, not even by accident.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").finish_non_exhaustive()
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(id) => write!(f, "two session keys have the id {id:?}"),
            Self::Empty => f.write_str("no session key"),
            Self::Refused => f.write_str("a session key was refused"),
        }
    }
}

impl std::error::Error for KeyError {}

impl fmt::Display for Unsealable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not sealed by one of our keys for this group and principal")
    }
}

impl std::error::Error for Unsealable {}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sealing failed")
    }
}

impl std::error::Error for SealError {}

/// The format, with its version.
pub(super) const FORMAT: &str = "bs1.";

/// The longest text that is tried: as long as a header section usually may be.
const MAX_TEXT: usize = 16 * 1024;
