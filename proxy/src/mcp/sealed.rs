//! The MCP session ids we give to clients.

use super::keyring::Purpose;
use super::{Bound, KeyRing, Principal, SealError, Unsealable, Version, wire};

/// What an MCP session id of ours says. Which group and principal it is for is sealed with it,
/// without being part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payload {
    /// The name of the peer that made the MCP session.
    pub peer: String,
    /// The first id this peer gave it. Not for logs: whoever has it is in the session.
    pub upstream: String,
    /// When it was sealed, in seconds since 1970.
    pub issued_at: u64,
    /// What a replay of `initialize` needs; none if it would have made the id too long.
    pub replay: Option<Replay>,
}

/// What a replay of `initialize` on another peer needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replay {
    /// The negotiated version.
    pub version: Version,
    /// The capabilities of the client, as JSON text.
    pub capabilities: String,
    /// The name of the client.
    pub client_name: String,
    /// The version of the client.
    pub client_version: String,
    /// A digest of the capabilities of the server.
    pub server: [u8; 16],
}

/// An MCP session id for a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// The id: visible ASCII.
    pub id: String,
    /// Whether what a replay needs is in it.
    pub replay: Kept,
}

/// Whether what a replay needs is in an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// It would have made the id longer than [`MAX_ID`].
    Dropped,
    /// There was none.
    Missing,
    /// It is.
    Whole,
}

/// What an MCP session id says, and to whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// What it says.
    pub payload: Payload,
    /// Whom it is for.
    pub bound: Bound,
}

/// Seals an MCP session id (rule 1). `nonce` must be random.
///
/// # Errors
///
/// It would be too long to be opened again (16 KiB), or the cryptographic library refuses.
pub fn seal(
    keys: &KeyRing,
    payload: &Payload,
    group: &str,
    principal: Option<&Principal>,
    nonce: [u8; 12],
) -> Result<Sealed, SealError> {
    let mut plain = payload.encode(payload.replay.as_ref());
    let mut replay = match payload.replay {
        Some(_) => Kept::Whole,
        None => Kept::Missing,
    };
    if replay == Kept::Whole && keys.sealed_len(plain.len()) > MAX_ID {
        replay = Kept::Dropped;
        plain = payload.encode(None);
    }
    let id = keys.seal(&plain, Purpose::Session, group, principal, nonce)?;
    Ok(Sealed { id, replay })
}

/// Opens an MCP session id of ours.
///
/// # Errors
///
/// It is not ours, was changed, or is for another group or principal; one error for all (rule 3).
pub fn open(
    keys: &KeyRing,
    id: &str,
    group: &str,
    principal: Option<&Principal>,
) -> Result<Opened, Unsealable> {
    let (plain, bound) = keys.open(id, Purpose::Session, group, principal)?;
    let payload = Payload::decode(&plain).ok_or(Unsealable)?;
    Ok(Opened { payload, bound })
}

impl Payload {
    fn encode(&self, replay: Option<&Replay>) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.issued_at.to_be_bytes());
        wire::put(&mut out, self.peer.as_bytes());
        wire::put(&mut out, self.upstream.as_bytes());
        if let Some(replay) = replay {
            out.extend_from_slice(&replay.version.number().to_be_bytes());
            out.extend_from_slice(&replay.server);
            wire::put(&mut out, replay.capabilities.as_bytes());
            wire::put(&mut out, replay.client_name.as_bytes());
            wire::put(&mut out, replay.client_version.as_bytes());
        }
        out
    }

    /// None for a version of the inside that this release does not know: the client
    /// re-initialises, as with an unknown key.
    fn decode(plain: &[u8]) -> Option<Self> {
        let (&VERSION, mut rest) = plain.split_first()? else {
            return None;
        };
        let rest = &mut rest;
        let mut payload = Self {
            issued_at: u64::from_be_bytes(wire::take_array(rest)?),
            peer: wire::take_text(rest)?,
            upstream: wire::take_text(rest)?,
            replay: None,
        };
        if !rest.is_empty() {
            payload.replay = Some(Replay {
                version: Version::from_number(u32::from_be_bytes(wire::take_array(rest)?))?,
                server: wire::take_array(rest)?,
                capabilities: wire::take_text(rest)?,
                client_name: wire::take_text(rest)?,
                client_version: wire::take_text(rest)?,
            });
        }
        rest.is_empty().then_some(payload)
    }
}

/// The longest id that carries what a replay needs (rule 1). Some clients and proxies in between
/// allow 4 KiB for a header line.
pub const MAX_ID: usize = 2048;

/// The version of the inside.
const VERSION: u8 = 1;
