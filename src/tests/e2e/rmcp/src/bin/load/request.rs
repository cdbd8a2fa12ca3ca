//! What is sent: plain GETs and stateless MCP calls, or calls that count.

use bytes::Bytes;
use serde_json::json;

use crate::exchange::Answer;

/// What a run sends.
#[derive(Clone, Copy)]
pub enum Kind {
    /// GETs of 1 KiB on every second connection, reads and read-only calls of 1 KiB on the others.
    Reads,
    /// Non-idempotent calls of the modern era.
    Counts,
    /// GETs of 1 KiB on every second connection, plain posts on the others.
    Posts,
    /// Non-idempotent calls in legacy sessions.
    SessionCounts,
}

impl Kind {
    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "reads" => Some(Self::Reads),
            "counts" => Some(Self::Counts),
            "posts" => Some(Self::Posts),
            "session-counts" => Some(Self::SessionCounts),
            _ => None,
        }
    }
}

/// One request, ready to send.
pub struct Call {
    /// Unique in the run; the argument of a counting call.
    pub name: String,
    /// The whole request.
    pub bytes: Bytes,
    /// Whether it was a counting call.
    pub is_counted: bool,
    expected: Expected,
}

enum Expected {
    /// This many bytes.
    Length(usize),
    /// A JSON-RPC result that contains the text.
    Result(String),
    /// Only that it was done.
    Done,
    /// Only that it was taken.
    Taken,
}

/// How far a legacy session has come.
#[derive(Clone)]
pub enum Session {
    /// The server gave the id; `notifications/initialized` is next.
    Given(String),
    /// In use.
    Open(String),
}

impl Call {
    /// The request of that connection and turn.
    pub fn new(kind: Kind, connection: u64, turn: u64, session: Option<&Session>) -> Self {
        let name = format!("c{connection}t{turn}");
        match kind {
            Kind::Reads | Kind::Posts if connection.is_multiple_of(2) => Self {
                bytes: Bytes::from_static(b"GET /blob HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
                name,
                is_counted: false,
                expected: Expected::Length(1024),
            },
            Kind::Reads if turn.is_multiple_of(2) => {
                let params = json!({"uri": "memo://kilobyte"});
                Self::modern(
                    name,
                    "resources/read",
                    "memo://kilobyte",
                    params,
                    "k".repeat(1024),
                )
            }
            Kind::Reads => {
                let text = format!("{name} {}", "e".repeat(1024));
                let params = json!({"name": "echo", "arguments": {"text": text}});
                Self::modern(name, "tools/call", "echo", params, text)
            }
            Kind::Counts => {
                let params = json!({"name": "count", "arguments": {"call": name}});
                let mut call = Self::modern(name.clone(), "tools/call", "count", params, name);
                call.is_counted = true;
                call
            }
            Kind::Posts => Self {
                bytes: format!(
                    "POST /count?{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\nonce"
                )
                .into(),
                name,
                is_counted: true,
                expected: Expected::Done,
            },
            Kind::SessionCounts => Self::legacy(name, session),
        }
    }

    /// Whether that is the answer the request is about.
    pub fn is_answered_by(&self, answer: &Answer) -> bool {
        match &self.expected {
            Expected::Length(length) => answer.status == 200 && answer.body.len() == *length,
            Expected::Result(text) => {
                let message = answer.message();
                let is_own = message["id"] == json!(self.name);
                answer.status == 200 && is_own && message["result"].to_string().contains(&**text)
            }
            Expected::Done => answer.status == 200,
            Expected::Taken => answer.status == 202,
        }
    }

    /// The session after that answer.
    pub fn session_after(&self, answer: &Answer, before: Option<Session>) -> Option<Session> {
        match before {
            None => answer.session.clone().map(Session::Given),
            Some(_) if answer.status == 404 => None,
            Some(Session::Given(id)) if answer.status == 202 => Some(Session::Open(id)),
            other => other,
        }
    }

    fn modern(
        name: String,
        method: &str,
        mcp_name: &str,
        mut params: serde_json::Value,
        expected: String,
    ) -> Self {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "load", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let headers = format!(
            "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\nMcp-Name: {mcp_name}\r\n"
        );
        Self::post(name, method, params, &headers, expected, false)
    }

    fn legacy(name: String, session: Option<&Session>) -> Self {
        let id = match session {
            Some(Session::Given(id) | Session::Open(id)) => id,
            None => {
                let client = json!({"name": "load", "version": "0"});
                let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
                return Self::post(
                    name,
                    "initialize",
                    params,
                    "",
                    "2025-11-25".to_owned(),
                    false,
                );
            }
        };
        let headers = format!("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {id}\r\n");
        if let Some(Session::Given(_)) = session {
            let body = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
            let expected = Expected::Taken;
            return Self {
                bytes: post(&headers, &body),
                name,
                is_counted: false,
                expected,
            };
        }
        let params = json!({"name": "count", "arguments": {"call": name}});
        Self::post(name.clone(), "tools/call", params, &headers, name, true)
    }

    fn post(
        name: String,
        method: &str,
        params: serde_json::Value,
        headers: &str,
        expected: String,
        is_counted: bool,
    ) -> Self {
        let body =
            json!({"jsonrpc": "2.0", "id": name, "method": method, "params": params}).to_string();
        Self {
            bytes: post(headers, &body),
            name,
            is_counted,
            expected: Expected::Result(expected),
        }
    }
}

fn post(headers: &str, body: &str) -> Bytes {
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .into()
}
