//! One pool of peers and its policy.

use super::{Credential, HeaderEdits, McpLimits, TunnelLoss, UpgradeProtocol};
use crate::tls::Connector;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One pool of peers and its policy.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// Unique; 1 to 64 of `A-Z a-z 0-9 _ - .`.
    pub name: String,
    /// What its peers speak.
    pub protocol: Protocol,
    /// Which HTTP its peers are spoken to with.
    pub http_version: HttpVersion,
    /// What selection, breaker, health and retry go by.
    pub policy: lb::GroupPolicy,
    /// At least one.
    pub peers: Vec<PeerSettings>,
    /// What consistent hashing hashes.
    pub hash: Option<HashKey>,
    /// Where requests belong.
    pub region: Option<RegionSettings>,
    /// How peers are probed.
    pub health_check: HealthCheck,
    /// Which `tools/call` requests may run again.
    pub retry_tools: ToolRetry,
    /// What becomes of an MCP session whose peer is lost.
    pub on_peer_loss: PeerLoss,
    /// Its peers understand each other's cursors, states and tasks: modern requests that go on with
    /// any of these may go anywhere.
    pub shared_state: bool,
    /// How much is learned of MCP.
    pub mcp_limits: McpLimits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// A comment is sent on an event stream that was quiet this long; none: never. Some clients
    /// cut at 300 s (undici, Python SDK 1.x).
    pub sse_keepalive: Option<Duration>,
    /// TLS towards the peers whose URL is `https:`, with its files read; none: the defaults of
    /// [`super::GroupTls`].
    pub tls: Option<Arc<Connector>>,
    /// What `Host` a peer sees.
    pub host: HostPolicy,
    /// What is changed in heads.
    pub headers: HeaderEdits,
    /// What its peers know us by, unless a peer has its own.
    pub credential: Option<Credential>,
    /// The longest request body, in bytes; none: no bound.
    pub max_body: Option<u64>,
    /// The protocols that clients may switch to; empty: none.
    pub upgrades: Arc<[UpgradeProtocol]>,
    /// What becomes of a tunnel whose peer is lost.
    pub tunnel_loss: TunnelLoss,
    /// How long an idle connection to a peer is kept; below the peers' own keep-alive.
    pub pool_idle: Duration,
    /// Connections kept per peer and thread for further requests: idle ones of HTTP/1.1, and
    /// those of HTTP/2.
    pub pool_size: usize,
}

impl GroupSettings {
    /// A group with the defaults.
    pub fn new(name: impl Into<String>, peers: Vec<PeerSettings>) -> Self {
        Self {
            name: name.into(),
            protocol: Protocol::default(),
            http_version: HttpVersion::default(),
            policy: lb::GroupPolicy::default(),
            peers,
            hash: None,
            region: None,
            health_check: HealthCheck::default(),
            retry_tools: ToolRetry::default(),
            on_peer_loss: PeerLoss::default(),
            shared_state: false,
            mcp_limits: McpLimits::default(),
            timeouts: Timeouts::default(),
            sse_keepalive: Some(Duration::from_secs(25)),
            tls: None,
            host: HostPolicy::default(),
            headers: HeaderEdits::default(),
            credential: None,
            max_body: None,
            upgrades: Arc::new([UpgradeProtocol::websocket()]),
            tunnel_loss: TunnelLoss::default(),
            pool_idle: Duration::from_secs(55),
            pool_size: 256,
        }
    }
}

/// What the peers of a group speak.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    /// Told by each request.
    #[default]
    Auto,
    /// Plain HTTP, never MCP.
    Http,
    /// MCP, known beforehand.
    Mcp,
}

/// Which HTTP peers are spoken to with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HttpVersion {
    /// What the TLS handshake settles on (HTTP/2 is offered first); HTTP/1.1 without TLS.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; without TLS that is known beforehand (RFC 9113 §3.3).
    Http2,
}

/// One peer of a group.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// What selection knows of it.
    pub peer: lb::Peer,
    /// Where it is.
    pub url: PeerUrl,
    /// What it knows us by, instead of what the group says.
    pub credential: Option<Credential>,
}

impl PeerSettings {
    /// A peer of priority 1 and weight 1 at an address.
    pub fn at(name: impl Into<String>, address: std::net::SocketAddr) -> Self {
        let url = PeerUrl {
            scheme: Scheme::Http,
            host: address.ip().to_string(),
            port: address.port(),
            authority: address.to_string(),
            path: String::new(),
        };
        Self {
            peer: lb::Peer::new(name),
            url,
            credential: None,
        }
    }
}

/// Where a peer is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerUrl {
    /// Whether it speaks TLS.
    pub scheme: Scheme,
    /// A name, an address without brackets, or the absolute path of a unix socket.
    pub host: String,
    /// Its port; 0: the name is that of a service, whose SRV records say it (RFC 2782).
    pub port: u16,
    /// The `Host` header this URL implies: host and, unless it is the
    /// scheme's own, port.
    pub authority: String,
    /// The path that replaces a matched route prefix; empty when the URL has none or `/`. Never
    /// ends with `/`.
    pub path: String,
}

impl std::fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        match self.socket() {
            Some(socket) => write!(f, "unix:{}:{}", socket.display(), self.path),
            None if self.port == 0 => write!(f, "{scheme}+srv://{}{}", self.host, self.path),
            None => write!(f, "{scheme}://{}{}", self.authority, self.path),
        }
    }
}

/// Whether a peer speaks TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
}

impl PeerUrl {
    /// The path of its socket, if it has one instead of an address.
    pub fn socket(&self) -> Option<&Path> {
        self.host.starts_with('/').then(|| Path::new(&self.host))
    }

    /// The name of its service, if its SRV records say where it is.
    pub fn service(&self) -> Option<&str> {
        (self.port == 0 && self.socket().is_none()).then_some(&self.host)
    }

    /// The name that its certificate is for. That of a service is the domain, since nobody vouches
    /// for what a name server says (RFC 6125 §1.7.2, RFC 6186 §6).
    pub fn server_name(&self) -> &str {
        match self.service() {
            Some(_) => &self.authority,
            None => &self.host,
        }
    }
}

/// What `Host` a peer sees.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum HostPolicy {
    /// The authority of the peer's URL for MCP requests, what the client sent for plain HTTP.
    #[default]
    Auto,
    /// A given value.
    Fixed(http::HeaderValue),
    /// What the client sent.
    Preserve,
    /// The authority of the peer's URL.
    Upstream,
}

/// What consistent hashing hashes. A request without the key is spread by the group's cursor.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HashKey {
    /// The address of the client.
    ClientIp,
    /// The value of a cookie.
    Cookie(String),
    /// The value of a header.
    Header(http::HeaderName),
    /// The MCP tool, resource or prompt (`mcp:name`).
    McpName,
    /// An `Mcp-Param-*` header, decoded (`mcp:param:NAME`).
    McpParam(http::HeaderName),
    /// The MCP session id (`mcp:session`).
    McpSession,
    /// The value of a query parameter.
    Query(String),
}

/// Where requests belong. The proxy's own region and the fallback list are in the group's policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegionSettings {
    /// What of a request names its region.
    pub key: RegionKey,
    /// The regions of values that are no names of regions.
    pub map: BTreeMap<String, String>,
}

/// What of a request names its region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RegionKey {
    /// A header, decoded if it is in MCP's Base64 form.
    Header(http::HeaderName),
    /// The tool, prompt or resource.
    McpName,
}

/// How peers are probed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HealthCheck {
    /// What a probe is; none: the group's protocol decides (`tcp`, and `mcp` once a peer has
    /// answered as MCP or when the protocol is `mcp`).
    pub probe: Option<Probe>,
    /// Time between two probes, before 10 % of jitter.
    pub interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
    /// Time between two probes while the verdict is about to change, or after a failed request.
    pub fast_interval: Duration,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            probe: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            fast_interval: Duration::from_secs(1),
        }
    }
}

/// What a health probe is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Probe {
    /// `grpc.health.v1.Health/Check` over HTTP/2, of a service; an empty one is the server as a
    /// whole.
    Grpc(String),
    /// An HTTP request.
    Http(HttpProbe),
    /// What the peer's era has for it: `server/discover`, or `ping` on one long-lived session.
    Mcp,
    /// No probe: only traffic tells.
    None,
    /// A connection.
    Tcp,
}

/// An HTTP health probe.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpProbe {
    /// The path asked for with GET; begins with `/`.
    pub path: String,
    /// The lowest and the highest status that passes.
    pub statuses: (u16, u16),
}

impl Default for HttpProbe {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            statuses: (200, 399),
        }
    }
}

/// Which `tools/call` requests may run again after they may have reached a peer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum ToolRetry {
    /// All.
    Always,
    /// Those whose tool every peer says to be read-only or idempotent, to whoever calls it.
    #[default]
    Annotated,
    /// None.
    Never,
    /// Those of the named tools.
    Only(Vec<String>),
}

impl ToolRetry {
    /// Whether the operator lets a tool run again; what annotations say is the group's to know.
    pub fn allows(&self, tool: Option<&str>) -> bool {
        match self {
            Self::Always => true,
            Self::Annotated | Self::Never => false,
            Self::Only(names) => names.iter().any(|name| Some(name.as_str()) == tool),
        }
    }
}

/// What becomes of an MCP session whose peer is lost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PeerLoss {
    /// It ends: its client is told that it is not found, and begins another.
    Fail,
    /// It is made anew on another peer, and its client does not notice.
    #[default]
    Migrate,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// To a connection.
    pub connect: Duration,
    /// From the end of the request to the response head; none: no bound. Does not apply to MCP
    /// `tools/call` unless `first_byte_for_tools`.
    pub first_byte: Option<Duration>,
    /// The operator set `first_byte`, so it applies to `tools/call` too.
    pub first_byte_for_tools: bool,
    /// Between two bytes of a response body; event streams and tunnels are exempt.
    pub idle: Option<Duration>,
    /// From the request head to the end of the response; event streams and tunnels are exempt.
    pub total: Option<Duration>,
    /// Silence of a tunnel, both ways.
    pub tunnel_idle: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            first_byte: Some(Duration::from_secs(60)),
            first_byte_for_tools: false,
            idle: Some(Duration::from_secs(300)),
            total: Some(Duration::from_secs(300)),
            // WebSocket servers and libraries ping within a minute, so an hour of silence is a
            // client that vanished without a word; and a protocol that is quiet by nature keeps
            // its tunnel as long as it says something once an hour.
            tunnel_idle: Some(Duration::from_secs(3600)),
        }
    }
}
