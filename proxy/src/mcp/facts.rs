//! What the head of a request says about MCP.

use http::{HeaderMap, HeaderName, header as http_header};

use super::lines::{Carries, Lines};
use super::message::Tie;
use super::{Era, Message, Method, Mismatch, Name, Repeat, Version, header};
use crate::settings::Protocol;

/// Whether a request is MCP, as far as its head says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Detected {
    /// It is.
    Mcp(Facts),
    /// It is if its body is JSON-RPC: ask [`Facts::from_body`].
    NeedsBody,
    /// It is plain HTTP.
    NotMcp,
}

/// What is known of an MCP request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facts {
    /// The era it speaks.
    pub era: Era,
    /// The revision it names, if it names one.
    pub version: Option<Version>,
    /// What it does to the transport.
    pub kind: Kind,
    /// The JSON-RPC method. From the head in the modern era, else from the body.
    pub method: Option<Method>,
    /// The tool, prompt, resource or task. From the head in the modern era, else from the body.
    pub name: Option<Name>,
    /// Whether it belongs to an MCP session. Never in the modern era, which ignores the header.
    pub session: bool,
    /// What else its head carries.
    pub carries: Carries,
    /// What ties it to an earlier answer. From the body, so unknown while only the head is.
    pub tie: Option<Tie>,
}

/// What an MCP request does to the transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// DELETE: ends an MCP session.
    End,
    /// POST: carries messages.
    Message,
    /// Anything else. It creates nothing upstream that outlives it (rule 29).
    Other,
    /// GET: opens an event stream.
    Stream,
}

/// Reads the head of a request for a group of this protocol. Allocates nothing, unless a name
/// comes in its Base64 form.
///
/// # Errors
///
/// A request that is MCP, but whose MCP headers contradict each other or cannot be decoded: 400.
pub fn detect(
    protocol: Protocol,
    method: &http::Method,
    headers: &HeaderMap,
) -> Result<Detected, Mismatch> {
    if protocol == Protocol::Http {
        return Ok(Detected::NotMcp);
    }
    let lines = Lines::of(headers);
    let carries = lines.carries();
    if protocol == Protocol::Auto && lines.version.is_none() && !carries.session_id {
        return Ok(if may_carry_json_rpc(method, headers) {
            Detected::NeedsBody
        } else {
            Detected::NotMcp
        });
    }
    let version = lines
        .version
        .and_then(|value| Version::parse(value.as_bytes()));
    let era = Era::of(version);
    // The map counts values and names: as a rule both are equal and nothing comes twice.
    if headers.len() != headers.keys_len() {
        refuse_duplicates(era, headers)?;
    }
    let mut facts = Facts {
        era,
        version,
        kind: Kind::of(method),
        method: None,
        name: None,
        session: carries.session_id && era == Era::Legacy,
        carries,
        tie: None,
    };
    // MCP 2026-07-28: the mirrored headers mean something only from that version on.
    if era == Era::Modern {
        facts.method = lines.method.map(|value| Method::parse(value.as_bytes()));
        facts.name = lines.name.map(Name::decode).transpose()?;
    }
    Ok(Detected::Mcp(facts))
}

impl Facts {
    /// The facts of a POST whose head left the question open; none if the body is not JSON-RPC.
    pub fn from_body(message: &Message<'_>) -> Option<Self> {
        if *message == Message::Invalid {
            return None;
        }
        // No version header: 2025-03-26 or earlier, or `initialize`.
        let mut facts = Self::legacy(Kind::Message);
        facts.learn(message);
        Some(facts)
    }

    /// The facts of a legacy request of which nothing else is known: one to a legacy event
    /// stream, say, which is known by its token.
    pub fn legacy(kind: Kind) -> Self {
        Self {
            era: Era::Legacy,
            version: None,
            kind,
            method: None,
            name: None,
            session: false,
            carries: Carries::default(),
            tie: None,
        }
    }

    /// Adds what the body says and the head did not.
    pub fn learn(&mut self, message: &Message<'_>) {
        match message {
            Message::Notification { method, .. } => {
                self.method.get_or_insert(*method);
            }
            Message::Request(request) => {
                self.method.get_or_insert(request.method);
                self.tie = request.tie;
                if self.name.is_none() {
                    self.name = request.name.as_deref().map(Name::from);
                }
            }
            Message::Batch(_) | Message::Invalid | Message::Response { .. } => {}
        }
    }

    /// The value of a mirrored tool argument (`Mcp-Param-*`), decoded; none in the legacy era,
    /// and none if it cannot be decoded, which is the peer's to refuse.
    pub fn param(&self, headers: &HeaderMap, name: &HeaderName) -> Option<Name> {
        if self.era == Era::Legacy {
            return None;
        }
        Name::decode(headers.get(name)?).ok()
    }

    /// Whether the request may be sent again after it may have reached a peer, as far as the head
    /// says: the body has the last word ([`Message::repeat`]), since it may contradict the head
    /// or ask for a task (rules 22, 23).
    pub fn repeat(&self, tools: impl Fn(Option<&str>) -> bool) -> Repeat {
        match (self.kind, self.method) {
            // A second DELETE finds nothing, a second GET opens the same stream.
            (Kind::End | Kind::Stream, _) => Repeat::Always,
            (Kind::Other, _) | (Kind::Message, None) => Repeat::Never,
            (Kind::Message, Some(method)) => {
                let name = self.name.as_ref().map(Name::as_str);
                Repeat::of_request(method, self.tie, name, tools)
            }
        }
    }
}

impl Kind {
    /// What a request of this HTTP method does.
    pub fn of(method: &http::Method) -> Self {
        match *method {
            http::Method::DELETE => Self::End,
            http::Method::GET => Self::Stream,
            http::Method::POST => Self::Message,
            _ => Self::Other,
        }
    }
}

/// A POST of JSON that accepts both answers of Streamable HTTP (MCP 2025-03-26 "Sending Messages
/// to the Server": the client must list both).
fn may_carry_json_rpc(method: &http::Method, headers: &HeaderMap) -> bool {
    *method == http::Method::POST
        && headers
            .get(http_header::CONTENT_TYPE)
            .is_some_and(|value| media_type(value.as_bytes()).eq_ignore_ascii_case(JSON))
        && accepts(headers, JSON)
        && accepts(headers, EVENT_STREAM)
}

fn accepts(headers: &HeaderMap, wanted: &[u8]) -> bool {
    headers
        .get_all(http_header::ACCEPT)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|part| media_type(part).eq_ignore_ascii_case(wanted))
}

/// A media type without its parameters.
fn media_type(value: &[u8]) -> &[u8] {
    value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

/// Refuses MCP headers that came twice: two readers may pick different ones.
fn refuse_duplicates(era: Era, headers: &HeaderMap) -> Result<(), Mismatch> {
    let single = |name: &HeaderName| {
        *name == header::PROTOCOL_VERSION
            || *name == header::SESSION_ID
            || era == Era::Modern
                && (*name == header::METHOD
                    || *name == header::NAME
                    || name.as_str().starts_with(header::PARAM_PREFIX))
    };
    let twice = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
    if headers.keys().any(|name| single(name) && twice(name)) {
        return Err(Mismatch::Duplicate);
    }
    Ok(())
}

const JSON: &[u8] = b"application/json";
const EVENT_STREAM: &[u8] = b"text/event-stream";
