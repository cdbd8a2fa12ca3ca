//! The `mcp` probe: leaves nothing behind on the peer.
//!
//! A modern peer answers `server/discover`. A legacy one gets one long-lived probe session and a
//! `ping` on it: a session per probe would fill its table (mcp.md 4, pitfall 1). What says that a
//! peer lives, though it refuses the probe: 401 and 403, and any JSON-RPC answer.

use super::{Failed, exchange::exchange};
use crate::group::Peer;
use crate::hooks::Hooks;
use crate::network::Network;
use crate::thread::Thread;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};

/// What is known of the peer's era, and the probe's session on it.
#[derive(Debug, Default)]
pub(super) struct ProbeSession {
    era: Option<Era>,
    id: Option<HeaderValue>,
}

#[derive(Clone, Copy, Debug)]
enum Era {
    Legacy,
    Modern,
}

/// One probe.
pub(super) async fn probe<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    session: &mut ProbeSession,
) -> Result<(), Failed> {
    match session.era {
        Some(Era::Legacy) => ping(thread, peer, session).await,
        Some(Era::Modern) | None => discover(thread, peer, session).await,
    }
}

/// `server/discover`: stateless, and mandatory for modern servers.
async fn discover<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    session: &mut ProbeSession,
) -> Result<(), Failed> {
    let request = post(peer, DISCOVER)?;
    let (mut parts, body) = request.into_parts();
    parts.headers.insert(
        "mcp-protocol-version",
        HeaderValue::from_static("2026-07-28"),
    );
    parts
        .headers
        .insert("mcp-method", HeaderValue::from_static("server/discover"));
    let response = exchange(thread, peer, Request::from_parts(parts, body)).await?;
    match verdict(&response) {
        Verdict::Result => {
            session.era = Some(Era::Modern);
            Ok(())
        }
        Verdict::Alive => Ok(()),
        // A legacy server refuses it in its own way: then it is asked in the legacy way.
        Verdict::Refused => ping(thread, peer, session).await,
        Verdict::Dead(status) => Err(Failed(format!("status {status}"))),
    }
}

/// `ping` on the one probe session, which is made first if there is none.
async fn ping<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    session: &mut ProbeSession,
) -> Result<(), Failed> {
    if session.era.is_none() {
        let response = exchange(thread, peer, post(peer, INITIALIZE)?).await?;
        match verdict(&response) {
            Verdict::Result => {}
            Verdict::Alive | Verdict::Refused => return Ok(()),
            Verdict::Dead(status) => return Err(Failed(format!("status {status}"))),
        }
        session.era = Some(Era::Legacy);
        session.id = response.headers().get("mcp-session-id").cloned();
        exchange(thread, peer, on_session(post(peer, INITIALIZED)?, session)).await?;
    }
    let response = exchange(thread, peer, on_session(post(peer, PING)?, session)).await?;
    match verdict(&response) {
        Verdict::Result | Verdict::Alive => Ok(()),
        Verdict::Refused => {
            // 404: the peer has restarted. It lives; the next probe makes a new session.
            *session = ProbeSession::default();
            Ok(())
        }
        Verdict::Dead(status) => Err(Failed(format!("status {status}"))),
    }
}

fn on_session(mut request: Request<Bytes>, session: &ProbeSession) -> Request<Bytes> {
    let headers = request.headers_mut();
    headers.insert(
        "mcp-protocol-version",
        HeaderValue::from_static("2025-06-18"),
    );
    if let Some(id) = &session.id {
        headers.insert("mcp-session-id", id.clone());
    }
    request
}

fn post(peer: &Peer, body: &'static str) -> Result<Request<Bytes>, Failed> {
    let path = if peer.url.path.is_empty() {
        "/"
    } else {
        &peer.url.path
    };
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::USER_AGENT, "backstay-probe")
        .body(Bytes::from_static(body.as_bytes()))
        .map_err(|error| Failed(error.to_string()))
}

enum Verdict {
    /// A JSON-RPC result, or an accepted notification.
    Result,
    /// It lives, but does not talk to us.
    Alive,
    /// It does not understand, or knows no such session.
    Refused,
    /// It fails.
    Dead(StatusCode),
}

fn verdict(response: &Response<Bytes>) -> Verdict {
    let status = response.status();
    let body = response.body();
    let has = |what: &[u8]| body.windows(what.len()).any(|window| window == what);
    match status.as_u16() {
        202 => Verdict::Result,
        200 if has(b"\"result\"") => Verdict::Result,
        200 if has(b"\"jsonrpc\"") => Verdict::Refused,
        // Load is not death; nor is wanting a credential.
        401 | 403 | 429 => Verdict::Alive,
        503 if response.headers().contains_key(header::RETRY_AFTER) => Verdict::Alive,
        400..=499 => Verdict::Refused,
        // A 200 of another kind is a captive page, or not an MCP server.
        _ => Verdict::Dead(status),
    }
}

const DISCOVER: &str = r#"{"jsonrpc":"2.0","id":"backstay-probe","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"backstay-probe","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"backstay-probe","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"backstay-probe","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":"backstay-probe","method":"ping"}"#;
