//! What is kept of a request until its line is written.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use proxy::gateway::Entry;
use proxy::mcp::{Facts, Method as McpMethod, header};
use proxy::session::End;

/// What is kept of a request until its line is written. Cheap to make: what is large is shared.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) at: SystemTime,
    /// None: it came over a socket in the file system.
    pub(super) client: Option<IpAddr>,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) status: Option<u16>,
    /// How a call of gRPC ended.
    pub(super) grpc: Option<u8>,
    pub(super) bytes: u64,
    /// Bytes that went upstream through a tunnel, if it was one.
    pub(super) tunnelled: Option<u64>,
    pub(super) took: Duration,
    pub(super) end: End,
    pub(super) attempts: usize,
    pub(super) group: Option<String>,
    /// The peer of the last attempt.
    pub(super) peer: Option<String>,
    pub(super) request_id: Option<HeaderValue>,
    pub(super) traceparent: Option<HeaderValue>,
    pub(super) mcp: Option<Mcp>,
}

/// What is kept of an MCP request.
#[derive(Clone, Debug)]
pub(super) struct Mcp {
    pub(super) method: Option<&'static str>,
    pub(super) version: Option<String>,
    /// The tool that is called.
    pub(super) tool: Option<String>,
    /// The prompt that is asked for.
    pub(super) prompt: Option<String>,
    /// Whoever knows the id may use it, so only its hash is kept.
    pub(super) session: Option<u64>,
}

impl Record {
    pub(super) fn new(entry: &Entry<'_>) -> Self {
        let (session, report) = (entry.session, entry.report);
        let headers = &session.request.headers;
        let last = report.attempts.last();
        let peer = entry.group.zip(last);
        Self {
            at: SystemTime::now(),
            client: session
                .connection
                .client
                .map(|client| client.ip().to_canonical()),
            method: session.request.method.clone(),
            uri: session.request.uri.clone(),
            version: session.request.version,
            status: report.status.map(|status| status.as_u16()),
            grpc: report.grpc_status.map(proxy::grpc::Status::code),
            bytes: report.response_bytes,
            tunnelled: report.tunnelled,
            took: report.ended.since(session.started),
            end: report.end,
            attempts: report.attempts.len(),
            group: entry.group.map(|group| group.name().to_owned()),
            peer: peer.map(|(group, attempt)| group.peer_name(attempt.peer).to_owned()),
            request_id: headers.get("x-request-id").cloned(),
            traceparent: headers.get("traceparent").cloned(),
            mcp: entry.mcp.map(|facts| Mcp::new(facts, headers)),
        }
    }
}

impl Mcp {
    fn new(facts: &Facts, headers: &HeaderMap) -> Self {
        let session = headers.get(&header::SESSION_ID);
        let name = facts.name.as_ref().map(|name| name.as_str().to_owned());
        let is = |method| facts.method == Some(method);
        Self {
            method: facts.method.map(proxy::mcp::Method::name),
            version: facts.version.map(|version| version.to_string()),
            // Resources and tasks are named by what may be private.
            tool: name.clone().filter(|_| is(McpMethod::ToolsCall)),
            prompt: name.filter(|_| is(McpMethod::PromptsGet)),
            session: session.map(|id| lb::hash64(id.as_bytes())),
        }
    }
}

/// A record for tests.
#[cfg(test)]
pub(super) fn sample() -> Record {
    Record {
        at: SystemTime::UNIX_EPOCH,
        client: Some([192, 0, 2, 1].into()),
        method: Method::POST,
        uri: "/mcp?token=secret".parse().unwrap(),
        version: Version::HTTP_11,
        status: Some(200),
        grpc: Some(14),
        bytes: 12,
        tunnelled: None,
        took: Duration::from_micros(1_500),
        end: End::Complete,
        attempts: 2,
        group: Some("search".to_owned()),
        peer: Some("us".to_owned()),
        request_id: Some(HeaderValue::from_static("a b")),
        traceparent: Some(HeaderValue::from_static(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )),
        mcp: Some(Mcp {
            method: Some("tools/call"),
            version: Some("2025-06-18".to_owned()),
            tool: Some("whoami".to_owned()),
            prompt: None,
            session: Some(0xabc),
        }),
    }
}
