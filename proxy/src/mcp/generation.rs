//! Which upstream session behind an MCP session something belongs to (rule 11).
//!
//! Peers count their requests and events from the start again, so after a move the same id would
//! mean two things. From the second generation on both carry the number of theirs; the first stays
//! as it is, byte for byte.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Id, Message};

/// Where an answer of the client, or a place in a stream, belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Belongs<T> {
    /// To the upstream session of now, under this name.
    Now(T),
    /// To one that is gone.
    Gone,
}

/// The id of a server's request, as the client sees it.
pub fn tag_id(id: &str, generation: u32) -> String {
    serde_json::Value::from(format!("{MARK}{generation}:{id}")).to_string()
}

/// The id of an event, as the client sees it.
pub fn tag_event(id: &str, generation: u32) -> String {
    format!("{MARK}{generation}:{id}")
}

/// Where a resume belongs, by its `Last-Event-ID`.
pub fn event(id: &str, generation: u32) -> Belongs<&str> {
    match split(id) {
        None if generation == 1 => Belongs::Now(id),
        Some((of, id)) if of == generation && of > 1 => Belongs::Now(id),
        _ => Belongs::Gone,
    }
}

/// Where a client's answer to a server's request belongs, with the body that its peer understands.
/// None if it is no such answer.
pub fn answer(body: &[u8], generation: u32) -> Option<Belongs<Vec<u8>>> {
    let Message::Response { id: Some(id) } = Message::peek(body) else {
        return None;
    };
    let text = std::str::from_utf8(body).ok()?;
    let name: Option<String> = serde_json::from_str(id.json()).ok();
    let tagged = name.as_deref().and_then(split);
    Some(match tagged {
        None if generation == 1 => Belongs::Now(body.to_vec()),
        Some((of, raw)) if of == generation && of > 1 && Id::from_json(raw).is_some() => {
            Belongs::Now(replace(text, id_of(text)?, raw)?.into_bytes())
        }
        _ => Belongs::Gone,
    })
}

/// The message of an event with the id of a server's request tagged; none if it is no request, and
/// goes as it is.
pub fn request(message: &str, generation: u32) -> Option<String> {
    // A list would be read as the members in their order.
    if !message.trim_ascii_start().starts_with('{') {
        return None;
    }
    let envelope: Envelope<'_> = serde_json::from_str(message).ok()?;
    envelope.method?;
    let id = envelope.id?.get();
    Id::from_json(id)?;
    replace(message, id, &tag_id(id, generation))
}

/// `text` with the part that is `part`, not only equal to it, replaced.
pub(super) fn replace(text: &str, part: &str, by: &str) -> Option<String> {
    let at = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let before = text.get(..at)?;
    let after = text.get(at.checked_add(part.len())?..)?;
    let mut whole = String::with_capacity(text.len() + by.len());
    write!(whole, "{before}{by}{after}").ok()?;
    Some(whole)
}

fn id_of(text: &str) -> Option<&str> {
    let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
    Some(envelope.id?.get())
}

fn split(id: &str) -> Option<(u32, &str)> {
    let (generation, id) = id.strip_prefix(MARK)?.split_once(':')?;
    Some((generation.parse().ok()?, id))
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<&'a RawValue>,
}

const MARK: &str = "backstay-";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_comes_back_as_it_went() {
        for id in ["0", "\"a\\\"b\"", "-1.5", "\"backstay-2:0\""] {
            let sent =
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping","params":{{"id":{id}}}}}"#);
            let seen = request(&sent, 3).unwrap();
            assert!(
                seen.ends_with(&format!(r#""params":{{"id":{id}}}}}"#)),
                "{seen}"
            );
            let tagged = id_of(&seen).unwrap().to_owned();
            let reply = format!(r#"{{"jsonrpc":"2.0","id":{tagged},"result":{{}}}}"#);
            let back = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
            assert_eq!(
                answer(reply.as_bytes(), 3),
                Some(Belongs::Now(back.into_bytes()))
            );
            assert_eq!(answer(reply.as_bytes(), 4), Some(Belongs::Gone));
            assert_eq!(answer(reply.as_bytes(), 1), Some(Belongs::Gone));
        }
    }

    #[test]
    fn the_first_generation_stays_as_it_is() {
        let reply = br#"{"jsonrpc":"2.0","id":7,"result":{}}"#;
        assert_eq!(answer(reply, 1), Some(Belongs::Now(reply.to_vec())));
        assert_eq!(answer(reply, 2), Some(Belongs::Gone));
        assert_eq!(event("7", 1), Belongs::Now("7"));
        assert_eq!(event("7", 2), Belongs::Gone);
    }

    #[test]
    fn only_answers_are_answers_and_only_requests_requests() {
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            "[]",
            "",
        ] {
            assert_eq!(answer(body.as_bytes(), 2), None, "{body}");
        }
        for message in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"method":"x"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/message"}"#,
            r#"["4","ping"]"#,
            "{",
        ] {
            assert_eq!(request(message, 2), None, "{message}");
        }
    }

    #[test]
    fn event_ids_come_back_as_they_went() {
        let seen = tag_event("a:b", 2);
        assert_eq!(event(&seen, 2), Belongs::Now("a:b"));
        assert_eq!(event(&seen, 3), Belongs::Gone);
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(body in ".{0,64}", generation in 0_u32..4) {
            let _ = answer(body.as_bytes(), generation);
            let _ = request(&body, generation);
            let _ = event(&body, generation);
        }
    }
}
