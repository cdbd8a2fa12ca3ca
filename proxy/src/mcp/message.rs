//! What a JSON-RPC body says, read without building it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::Envelope;
use super::{Id, Method, Repeat};

/// What a JSON-RPC body says. Borrows from the body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message<'a> {
    /// Several messages in one body (2025-03-26 only); none of them is itself a batch.
    Batch(Vec<Self>),
    /// Not JSON-RPC, or JSON-RPC that two readers could understand differently (a key twice).
    Invalid,
    /// A message without an answer.
    Notification {
        /// The method, if known.
        method: Method,
        /// The method as sent.
        verb: Cow<'a, str>,
    },
    /// A message that has an answer.
    Request(Request<'a>),
    /// An answer to a request of the other side.
    Response {
        /// The request it answers; none for an error about a request that could not be read.
        id: Option<Id<'a>>,
    },
}

/// A message that has an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// Its id.
    pub id: Id<'a>,
    /// The method, if known.
    pub method: Method,
    /// The method as sent.
    pub verb: Cow<'a, str>,
    /// The tool, prompt, resource or task: what `Mcp-Name` mirrors.
    pub name: Option<Cow<'a, str>>,
    /// The token of its progress notifications, as JSON text.
    pub progress_token: Option<&'a str>,
    /// `_meta["io.modelcontextprotocol/protocolVersion"]`, which `MCP-Protocol-Version` mirrors.
    pub version: Option<Cow<'a, str>>,
    /// What ties it to the peer that answered before.
    pub tie: Option<Tie>,
}

/// What ties a request to the peer that gave an earlier answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tie {
    /// It goes on with a call that asked for input: `requestState` or `inputResponses`.
    Continuation,
    /// It asks for the next page: `cursor`.
    Cursor,
    /// It is to run as a task: `task`.
    Task,
}

impl<'a> Message<'a> {
    /// Reads a whole body. Time is linear in its length; memory is bounded by [`MAX_BATCH`].
    pub fn peek(body: &'a [u8]) -> Self {
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        match first {
            Some(b'{') => Self::single(serde_json::from_slice(body)),
            Some(b'[') => Self::batch(body),
            _ => Self::Invalid,
        }
    }

    fn batch(body: &'a [u8]) -> Self {
        let Ok(Parts(parts)) = serde_json::from_slice::<Parts<'_>>(body) else {
            return Self::Invalid;
        };
        // JSON-RPC 2.0 §6: an empty array is an invalid request.
        if parts.is_empty() {
            return Self::Invalid;
        }
        let messages = parts
            .into_iter()
            .map(|part| Self::single(serde_json::from_str(part.get())))
            .collect();
        Self::Batch(messages)
    }

    fn single(envelope: serde_json::Result<Envelope<'a>>) -> Self {
        let Ok(envelope) = envelope else {
            return Self::Invalid;
        };
        if envelope.jsonrpc.map(RawValue::get) != Some("\"2.0\"") {
            return Self::Invalid;
        }
        let Some(verb) = envelope.method else {
            return Self::response(&envelope);
        };
        let Some(verb) = text(verb) else {
            return Self::Invalid;
        };
        let method = Method::parse(verb.as_bytes());
        let Some(id) = envelope.id else {
            return Self::Notification { method, verb };
        };
        // MCP: the id of a request is a string or a number and never null.
        let Some(id) = Id::from_json(id.get()) else {
            return Self::Invalid;
        };
        let params = envelope.params.0;
        Self::Request(Request {
            id,
            method,
            verb,
            name: params.name_for(method).and_then(text),
            progress_token: params.meta.0.progress_token.map(RawValue::get),
            version: params.meta.0.version.and_then(text),
            tie: params.tie(),
        })
    }

    fn response(envelope: &Envelope<'a>) -> Self {
        match (envelope.id, envelope.result, envelope.error) {
            (Some(id), Some(_), None) => {
                Id::from_json(id.get()).map_or(Self::Invalid, |id| Self::Response { id: Some(id) })
            }
            (id, None, Some(_)) => Self::Response {
                id: id.and_then(|id| Id::from_json(id.get())),
            },
            _ => Self::Invalid,
        }
    }

    /// What its requests name: tools, prompts, resources, tasks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let parts = match self {
            Self::Batch(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        parts.iter().filter_map(|part| match part {
            Self::Request(request) => request.name.as_deref(),
            _ => None,
        })
    }

    /// Whether the body may be sent again after it may have reached a peer:
    /// [`Repeat::Always`] or [`Repeat::Never`]. A batch is never split, so it is safe only if
    /// every part of it is (rule 19). `tools` says of the tool of a name, or of a call without one,
    /// whether it may run twice.
    pub fn repeat(&self, tools: impl Fn(Option<&str>) -> bool + Copy) -> Repeat {
        match self {
            Self::Request(request) => request.repeat(tools),
            Self::Batch(parts)
                if parts
                    .iter()
                    .all(|part| part.repeat(tools) == Repeat::Always) =>
            {
                Repeat::Always
            }
            Self::Notification { method, .. } => method.repeat_safe(),
            Self::Batch(_) | Self::Invalid | Self::Response { .. } => Repeat::Never,
        }
    }
}

impl Request<'_> {
    /// Whether the request may be sent again after it may have reached a peer:
    /// [`Repeat::Always`] or [`Repeat::Never`].
    pub fn repeat(&self, tools: impl Fn(Option<&str>) -> bool) -> Repeat {
        Repeat::of_request(self.method, self.tie, self.name.as_deref(), tools)
    }
}

impl Repeat {
    /// What is known of one request: [`Repeat::Always`] or [`Repeat::Never`].
    pub(super) fn of_request(
        method: Method,
        tie: Option<Tie>,
        name: Option<&str>,
        tools: impl Fn(Option<&str>) -> bool,
    ) -> Self {
        match (method.repeat_safe(), tie) {
            // Rule 23: a task would exist twice. And only the minter knows a continuation.
            (_, Some(Tie::Task | Tie::Continuation)) => Self::Never,
            (Self::Tool, _) if tools(name) => Self::Always,
            (Self::Tool, _) => Self::Never,
            (repeat, _) => repeat,
        }
    }
}

/// The text of a JSON string, borrowed if it has no escapes; none for anything else.
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str(raw.get())
        .ok()
        .map(|Borrowed(text)| text)
}

/// The parts of a batch, unread.
struct Parts<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> serde::de::Visitor<'de> for PartsVisitor {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at most {MAX_BATCH} messages")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Parts<'de>, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = seq.next_element()? {
            if parts.len() == MAX_BATCH {
                return Err(serde::de::Error::invalid_length(MAX_BATCH + 1, &self));
            }
            parts.push(part);
        }
        Ok(Parts(parts))
    }
}

/// The most messages read from one body: a megabyte of `[1,1,…` must not become a hundred.
pub const MAX_BATCH: usize = 256;
