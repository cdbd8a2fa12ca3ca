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
    /// Time for the head of a request, and to the first byte of a new connection. Default: `10s`.
    pub(crate) head_timeout: Option<Span>,
    /// Silence in the middle of a request body. Default: `30s`.
    pub(crate) body_idle: Option<Span>,
    /// What a request body must bring each second once it has lasted ten seconds; `0B` for
    /// anything. Default: `240B`.
    pub(crate) body_min_rate: Option<Size>,
    /// A response that makes no progress because the client does not read. Default: `30s`.
    pub(crate) write_stall: Option<Span>,
    /// Silence between two requests of a connection. Default: `75s`.
    pub(crate) keep_alive: Option<Span>,
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
    /// A request body kept for another attempt; a larger one streams, and is sent once. Default:
    /// `256KiB`.
    pub(crate) replay_body: Option<Size>,
    /// Request bodies kept for another attempt, in all. Default: `64MiB`.
    pub(crate) replay_total: Option<Size>,
    /// A request body that is read to learn its JSON-RPC method. Default: `4MiB`.
    pub(crate) mcp_body: Option<Size>,
    /// How long requests may run on after a shutdown began. Default: `30s`.
    pub(crate) drain_requests: Option<Span>,
    /// How long streams may run on after a shutdown began. Default: `5m`.
    pub(crate) drain_streams: Option<Span>,
    /// Time for a TLS handshake. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) tls_handshake: Option<serde_json::Value>,
    /// Bytes of chunk extensions in a body. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) chunk_extensions: Option<serde_json::Value>,
    /// Bytes of trailers. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) trailers: Option<serde_json::Value>,
    /// Bounds of HTTP/2: idle, header list, streams, windows, resets, pings. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) http2: Option<serde_json::Value>,
}
