//! `limits`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::{Size, Span};

/// Bounds on what clients and peers may cost. Each has a metric that counts when it bites.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Client connections in all; 0 for no cap. Default: 20000.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(crate) connections: Option<usize>,
    /// Client connections from one address; 0 for no cap. Default: 0.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(crate) connections_per_address: Option<usize>,
    /// Time to the end of a TLS handshake. Default: `10s`.
    pub(crate) tls_handshake: Option<Span>,
    /// Time for the head of a request, and to the first byte of a new connection. Default: `10s`.
    pub(crate) head_timeout: Option<Span>,
    /// Silence in the middle of a request body. Default: `30s`.
    pub(crate) body_idle: Option<Span>,
    /// What a request body must bring each second once it has lasted ten seconds; `0B` for
    /// anything. Default: `240B`.
    pub(crate) body_min_rate: Option<Size>,
    /// A response that makes no progress because the client does not read. Default: `30s`.
    pub(crate) write_stall: Option<Span>,
    /// How long what a client still sends after the last answer of a connection is dropped, so that
    /// it can read that answer. Default: `5s`.
    pub(crate) linger: Option<Span>,
    /// Silence between two requests of a connection. Default: `75s`.
    pub(crate) keep_alive: Option<Span>,
    /// How long nothing may be heard of the other end of a TCP connection, a client's or a peer's,
    /// whatever it was sent or asked, before the system gives it up (keep-alive and user timeout);
    /// 6 s or more. Holds for new connections. Default: `60s`.
    pub(crate) silence: Option<Span>,
    /// Requests on one connection before it is closed; 0 for no cap. Default: 10000.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub(crate) requests_per_connection: Option<u32>,
    /// A request head. Default: `32KiB`.
    pub(crate) head_size: Option<Size>,
    /// The target of a request: path and query. Default: `8KiB`.
    pub(crate) target_size: Option<Size>,
    /// Header fields of a request or a response. Default: 100.
    #[schemars(range(min = 8, max = 10_000))]
    pub(crate) headers: Option<usize>,
    /// A response head. Default: `64KiB`.
    pub(crate) upstream_head_size: Option<Size>,
    /// Interim (1xx) responses of a peer before the final one. Default: 10.
    #[schemars(range(min = 1, max = 1_000))]
    pub(crate) interim_responses: Option<u32>,
    /// Chunk extensions in a response body. Default: `16KiB`.
    pub(crate) chunk_extensions: Option<Size>,
    /// Trailers after a response body. Default: `16KiB`.
    pub(crate) trailers: Option<Size>,
    /// A request body kept for another attempt; a larger one streams, and is sent once. Default:
    /// `256KiB`.
    pub(crate) replay_body: Option<Size>,
    /// Request bodies kept for another attempt, in all. Default: `64MiB`.
    pub(crate) replay_total: Option<Size>,
    /// A request body that is read to learn its JSON-RPC method. Default: `4MiB`.
    pub(crate) mcp_body: Option<Size>,
    /// MCP sessions of which more is known than their ids say: those that moved, ended, or set a log
    /// level or a subscription. Default: 100000.
    #[schemars(range(min = 16, max = 100_000_000))]
    pub(crate) mcp_sessions: Option<usize>,
    /// Clients of authorization servers behind us of which it is known which peer they are at.
    /// Default: 10000.
    #[schemars(range(min = 16, max = 100_000_000))]
    pub(crate) oauth_clients: Option<usize>,
    /// Requests without an answer on one stream of HTTP+SSE (2024-11-05); more are refused. Default:
    /// 256.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) legacy_requests: Option<usize>,
    /// What is kept of those that may be asked again elsewhere, per stream; what does not fit is
    /// not asked again. Default: `256KiB`.
    pub(crate) legacy_bodies: Option<Size>,
    /// MCP tasks of 2026-07-28, per group, of which it is known which peer has them. Default:
    /// 16384.
    #[schemars(range(min = 16, max = 100_000_000))]
    pub(crate) mcp_tasks: Option<usize>,
    /// How long requests may run on after a shutdown began. Default: `30s`.
    pub(crate) drain_requests: Option<Span>,
    /// How long streams may run on after a shutdown began. Default: `5m`.
    pub(crate) drain_streams: Option<Span>,
    /// HTTP/2 connections of clients; `ping`, `streams` and `stream_window` hold for those to
    /// peers too.
    pub(crate) http2: Option<Http2>,
}

/// Bounds of HTTP/2 connections of clients; `ping`, `streams` and `stream_window` hold for those to
/// peers too.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http2 {
    /// A connection without a request. Default: `60s`.
    pub(crate) idle: Option<Span>,
    /// Silence after which a client is asked whether it is still there; as long again for its
    /// answer. `0s`: never. Default: `20s`.
    pub(crate) ping: Option<Span>,
    /// Requests at once on one connection. Default: 100.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) streams: Option<u32>,
    /// What of one request body may wait here to be sent on. Default: `64KiB`.
    pub(crate) stream_window: Option<Size>,
    /// What of all request bodies of a connection may wait here. Default: `1MiB`.
    pub(crate) connection_window: Option<Size>,
    /// A request head, with 32 bytes more for each field. Default: `16KiB`.
    pub(crate) header_list: Option<Size>,
    /// Streams opened and reset before they were looked at. Default: 20.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) pending_resets: Option<usize>,
    /// Streams that had to be reset because of what the client sent. Default: 128.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) local_resets: Option<usize>,
    /// PING, SETTINGS, PRIORITY, resets and unknown frames in a minute; 0 for no cap. Default:
    /// 10000.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub(crate) control_frames: Option<u32>,
}
