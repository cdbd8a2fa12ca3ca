//! What a peer gives a client that only this peer understands (rule 26).
//!
//! A cursor (`nextCursor`, then `cursor`) and the state of a call that asks for input
//! (`requestState`, both ways) are opaque to clients, so a mark of ours may stand before them:
//! `MARK:VALUE`. The mark is the sealed name of the peer; the value stays as it is. The id of a
//! task is not ours to change, because it is mirrored in headers and filters: it is only read.

use aws_lc_rs::digest::{SHA256, digest};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::Lenient;
use super::generation::replace;
use super::keyring::{FORMAT, Purpose};
use super::{KeyRing, SealError};

/// Where a request belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Bond {
    /// It has a mark of our form that none of our keys opens for this group.
    Foreign,
    /// It goes on with what any peer, or nobody, gave.
    Free,
    /// It goes on with what this peer gave, and the peer wants it so.
    Peer {
        /// The name of the peer.
        peer: String,
        /// The body without our mark.
        body: Vec<u8>,
    },
}

/// The mark of a peer, the same on every replica and after every restart: a list that was begun
/// behind one replica goes on behind another, and whoever compares cursors finds them equal.
///
/// # Errors
///
/// It would be too long to be opened again (16 KiB), or the cryptographic library refuses.
pub fn mark(keys: &KeyRing, group: &str, peer: &str) -> Result<String, SealError> {
    // A nonce may come again with what it came with before: it is a digest of all that is sealed
    // under it, beside the key.
    let whole = digest(&SHA256, format!("{group}\0{peer}").as_bytes());
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().zip(whole.as_ref()) {
        *to = *from;
    }
    keys.seal(peer.as_bytes(), Purpose::Tie, group, None, nonce)
}

/// An answer, or the data of an event, with the mark before what ties the next request to its
/// peer. None if there is nothing of the kind: it goes as it is.
pub fn wrap(answer: &str, mark: impl FnOnce() -> Option<String>) -> Option<String> {
    let bytes = answer.as_bytes();
    // A fast look first: most answers have neither.
    let cursor = memmem::find(bytes, b"\"nextCursor\"");
    let state = memmem::find(bytes, b"\"requestState\"");
    if cursor.is_none() && state.is_none() {
        return None;
    }
    let envelope: Envelope<'_> = serde_json::from_str(answer).ok()?;
    let Given {
        next_cursor,
        request_state,
        ..
    } = envelope.result.0;
    // No answer has both.
    let mut given = [next_cursor, request_state].into_iter().flatten();
    let (given, value) = given.find_map(|given| Some((given, content(given)?)))?;
    let mark = mark()?;
    replace(answer, given.get(), &format!("\"{mark}{END}{value}\""))
}

/// Where a request belongs, by what it brings along.
pub fn unwrap(body: &[u8], keys: &KeyRing, group: &str) -> Bond {
    // Nothing of a mark is ever escaped, so it stands in the body as it is.
    if memmem::find(body, QUOTED).is_none() {
        return Bond::Free;
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return Bond::Free;
    };
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
        return Bond::Free;
    };
    let Given {
        cursor,
        request_state,
        ..
    } = envelope.params.0;
    let mut brought = [cursor, request_state].into_iter().flatten();
    let bond = brought.find_map(|brought| {
        let value = content(brought).filter(|value| value.starts_with(FORMAT))?;
        let opened = value.split_once(END).and_then(|(mark, value)| {
            let (peer, _) = keys.open(mark, Purpose::Tie, group, None).ok()?;
            let body = replace(text, brought.get(), &format!("\"{value}\""))?;
            Some(Bond::Peer {
                peer: String::from_utf8(peer).ok()?,
                body: body.into_bytes(),
            })
        });
        Some(opened.unwrap_or(Bond::Foreign))
    });
    bond.unwrap_or(Bond::Free)
}

/// The task that an answer has made or tells of, or that a notification is about.
pub fn task(message: &str) -> Option<String> {
    memmem::find(message.as_bytes(), b"\"taskId\"")?;
    let Envelope { params, result } = serde_json::from_str(message).ok()?;
    let flat = result.0.task_id.or(params.0.task_id);
    // MCP 2025-11-25 has it inside `task`, the extension beside it.
    let id = flat.or(result.0.task.0.task_id)?;
    serde_json::from_str(id.get()).ok()
}

/// The tasks a request to listen names.
pub fn listened(body: &[u8]) -> Vec<String> {
    if memmem::find(body, b"\"taskIds\"").is_none() {
        return Vec::new();
    }
    let listen: Option<Listen> = serde_json::from_slice(body).ok();
    listen.map_or_else(Vec::new, |listen| listen.params.notifications.task_ids)
}

/// What is inside the quotes of a string; none for anything else. An empty one stays empty, since
/// some clients take it for the end of a list.
fn content(raw: &RawValue) -> Option<&str> {
    let inside = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    (!inside.is_empty()).then_some(inside)
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    params: Lenient<Given<'a>>,
    #[serde(borrow, default)]
    result: Lenient<Given<'a>>,
}

/// The keys of `params` and `result` that tie.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given<'a> {
    #[serde(borrow, default)]
    cursor: Option<&'a RawValue>,
    #[serde(borrow, default)]
    next_cursor: Option<&'a RawValue>,
    #[serde(borrow, default)]
    request_state: Option<&'a RawValue>,
    #[serde(borrow, default)]
    task_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    task: Lenient<Task<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task<'a> {
    #[serde(borrow, default)]
    task_id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Listen {
    params: ListenParams,
}

#[derive(Deserialize)]
struct ListenParams {
    notifications: Filter,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    task_ids: Vec<String>,
}

/// Between a mark and what it stands before; no mark has it.
const END: char = ':';
/// How a string begins that has a mark.
const QUOTED: &[u8] = b"\"bs1.";
