//! Bounds on what clients and peers may cost.

use crate::network::SILENCE;
use std::time::Duration;

/// Bounds on what clients and peers may cost. Each has a metric that counts when it bites.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Client connections in all; 0: no cap.
    pub connections: usize,
    /// Client connections from one address; 0: no cap.
    pub connections_per_address: usize,
    /// Time to the end of a TLS handshake.
    pub tls_handshake: Duration,
    /// Time to the whole head of a request, from its first byte; also to the first byte of a
    /// new connection.
    pub head_timeout: Duration,
    /// Silence in the middle of a request body.
    pub body_idle: Duration,
    /// Bytes per second a request body must reach once it has lasted ten seconds; 0: any.
    pub body_min_rate: u32,
    /// A response that makes no progress because the client does not read.
    pub write_stall: Duration,
    /// What a client still sends after the last answer of a connection is dropped for so long, so
    /// that it can read that answer.
    pub linger: Duration,
    /// Silence between two requests of a connection.
    pub keep_alive: Duration,
    /// How long nothing may be heard of the other end of a connection of TCP, a client's or a
    /// peer's, whatever it was sent or asked, before the system gives it up.
    pub silence: Duration,
    /// Requests on one connection before it is closed; 0: no cap.
    pub requests_per_connection: u32,
    /// Bytes of a request head.
    pub head_size: usize,
    /// Bytes of a request's target.
    pub target_size: usize,
    /// Header fields of a request or a response.
    pub headers: usize,
    /// Bytes of a response head; interim (1xx) responses before it may be as much again.
    pub upstream_head_size: usize,
    /// Interim (1xx) responses of a peer before the final one.
    pub interim_responses: u32,
    /// Bytes of chunk extensions in a peer's response body.
    pub chunk_extensions: usize,
    /// Bytes of trailers after a peer's response body.
    pub trailers: usize,
    /// Bytes of one request body kept for another attempt; above it the body streams, once.
    pub replay_body: usize,
    /// Bytes of request bodies kept for another attempt, in all.
    pub replay_total: usize,
    /// Bytes of a request body that is read to learn its JSON-RPC method.
    pub mcp_body: usize,
    /// Bounds of HTTP/2 connections.
    pub http2: Http2Limits,
    /// MCP sessions of which more is known than their ids say: those that moved, ended, or set a
    /// log level or a subscription.
    pub mcp_sessions: usize,
    /// Clients of authorization servers of which it is known which peer they are at.
    pub oauth_clients: usize,
    /// What is kept of each legacy event stream (HTTP+SSE).
    pub legacy_stream: LegacyStreamLimits,
    /// Tasks of the modern era per group of which it is known which peer has them.
    pub mcp_tasks: usize,
    /// How long requests may run on after a shutdown began.
    pub drain_requests: Duration,
    /// How long streams may run on after a shutdown began.
    pub drain_streams: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 0,
            tls_handshake: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            body_min_rate: 240,
            write_stall: Duration::from_secs(30),
            linger: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
            silence: SILENCE,
            requests_per_connection: 10_000,
            head_size: 32 * 1024,
            target_size: 8 * 1024,
            headers: 100,
            upstream_head_size: 64 * 1024,
            interim_responses: 10,
            chunk_extensions: 16 * 1024,
            trailers: 16 * 1024,
            replay_body: 256 * 1024,
            replay_total: 64 * 1024 * 1024,
            mcp_body: 4 * 1024 * 1024,
            http2: Http2Limits::default(),
            mcp_sessions: 100_000,
            oauth_clients: 10_000,
            legacy_stream: LegacyStreamLimits::default(),
            mcp_tasks: 16_384,
            drain_requests: Duration::from_secs(30),
            drain_streams: Duration::from_secs(300),
        }
    }
}

/// What is kept of a legacy event stream (HTTP+SSE), so that it outlives its peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LegacyStreamLimits {
    /// Requests without an answer; more are refused.
    pub requests: usize,
    /// Bytes of requests that may be asked again; those that do not fit are not.
    pub bodies: usize,
}

impl Default for LegacyStreamLimits {
    fn default() -> Self {
        Self {
            requests: 256,
            bodies: 256 * 1024,
        }
    }
}

/// Bounds of HTTP/2 connections of clients; `ping`, `streams` and `stream_window` hold for those to
/// peers too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Http2Limits {
    /// A connection without a request.
    pub idle: Duration,
    /// Silence after which a PING asks whether the client is still there; as long again for its
    /// answer.
    pub ping: Duration,
    /// Requests at once on one connection.
    pub streams: u32,
    /// Bytes of one request body that may wait here to be sent on.
    pub stream_window: u32,
    /// Bytes of all request bodies of a connection that may wait here.
    pub connection_window: u32,
    /// Bytes of a request head, with 32 more for each field (RFC 9113 §6.5.2).
    pub header_list: u32,
    /// Streams that a client may open and reset before we have looked at them.
    pub pending_resets: usize,
    /// Streams that we may have to reset, because of what a client sends on them.
    pub local_resets: usize,
    /// Frames in a minute that carry neither a request nor a body: PING, SETTINGS, PRIORITY,
    /// `RST_STREAM` and unknown ones. `WINDOW_UPDATE` is free, since reading costs one.
    pub control_frames: u32,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            ping: Duration::from_secs(20),
            streams: 100,
            stream_window: 64 * 1024,
            connection_window: 1024 * 1024,
            header_list: 16 * 1024,
            pending_resets: 20,
            local_resets: 128,
            control_frames: 10_000,
        }
    }
}
