//! What the prober asks a peer.

use super::Held;
use crate::mcp::header as mcp_header;
use crate::prober::Failed;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};

/// `server/discover`: stateless, and mandatory for modern servers.
pub(super) fn discover(path: &str) -> Result<Request<Bytes>, Failed> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":"backstay-probe","method":"server/discover","params":{{{META}}}}}"#
    );
    Ok(modern(post(path, body)?, "server/discover"))
}

fn modern(mut request: Request<Bytes>, method: &'static str) -> Request<Bytes> {
    let headers = request.headers_mut();
    let version = HeaderValue::from_static("2026-07-28");
    headers.insert(&mcp_header::PROTOCOL_VERSION, version);
    let method = HeaderValue::from_static(method);
    headers.insert(&mcp_header::METHOD, method);
    request
}

/// The first request of a probe session.
pub(super) fn initialize(path: &str) -> Result<Request<Bytes>, Failed> {
    post(path, INITIALIZE)
}

/// The second message of a probe session.
pub(super) fn initialized(path: &str, held: &Held) -> Result<Request<Bytes>, Failed> {
    on_session(post(path, INITIALIZED), held)
}

/// A page of the tools, where each method is asked for in the way of its era.
pub(super) fn tools(
    path: &str,
    held: Option<&Held>,
    cursor: Option<&str>,
) -> Result<Request<Bytes>, Failed> {
    let cursor = cursor.map(|cursor| serde_json::Value::from(cursor).to_string());
    let cursor = cursor.map(|cursor| format!(r#""cursor":{cursor}"#));
    let cursor = cursor.as_deref().unwrap_or_default();
    let Some(held) = held else {
        let comma = if cursor.is_empty() { "" } else { "," };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":"backstay-probe","method":"tools/list","params":{{{cursor}{comma}{META}}}}}"#
        );
        return Ok(modern(post(path, body)?, "tools/list"));
    };
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":"backstay-probe","method":"tools/list","params":{{{cursor}}}}}"#
    );
    on_session(post(path, body), held)
}

/// Whether the probe session is still there.
pub(super) fn ping(path: &str, held: &Held) -> Result<Request<Bytes>, Failed> {
    on_session(post(path, PING), held)
}

/// The end of a probe session.
pub(super) fn delete(path: &str, held: &Held) -> Result<Request<Bytes>, Failed> {
    let request = build(path, Method::DELETE, Bytes::new());
    on_session(request, held)
}

fn on_session(
    request: Result<Request<Bytes>, Failed>,
    held: &Held,
) -> Result<Request<Bytes>, Failed> {
    let mut request = request?;
    let headers: &mut HeaderMap = request.headers_mut();
    headers.insert(&mcp_header::PROTOCOL_VERSION, held.version.clone());
    if let Some(id) = &held.id {
        headers.insert(&mcp_header::SESSION_ID, id.clone());
    }
    Ok(request)
}

fn post(path: &str, body: impl Into<Bytes>) -> Result<Request<Bytes>, Failed> {
    let mut request = build(path, Method::POST, body.into())?;
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(request)
}

fn build(path: &str, method: Method, body: Bytes) -> Result<Request<Bytes>, Failed> {
    // No Origin: servers refuse those they do not know (MCP 2025-11-25 "Security Warning").
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::USER_AGENT, "backstay-probe")
        .body(body)
        .map_err(|error| Failed(error.to_string()))
}

/// What every modern request says (MCP 2026-07-28 "Request Metadata").
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"backstay-probe","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
/// The newest legacy revision; a server that knows only older ones answers with its own (MCP
/// 2025-11-25 "Version Negotiation").
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"backstay-probe","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"backstay-probe","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":"backstay-probe","method":"ping"}"#;
