//! The checked configuration: what `config` builds from a file, or a program by hand.
//!
//! Every value here is already sound; nothing later parses or repairs it.

mod cidr;
mod cors;
mod credential;
mod dns;
mod fields;
mod group;
mod limits;
mod listener;
mod mcp_limits;
mod route;
mod session;
mod template;
mod tls;
mod trusted;
mod tunnel;

pub use cidr::Cidr;
pub use cors::{CorsSettings, Origins};
pub use credential::Credential;
pub use dns::{DnsResolver, DnsSettings};
pub use fields::{FieldEdits, FieldValue, HeaderEdits};
pub use group::{
    GroupSettings, HashKey, HealthCheck, HostPolicy, HttpProbe, HttpVersion, PeerLoss,
    PeerSettings, PeerUrl, Probe, Protocol, RegionKey, RegionSettings, Scheme, Timeouts, ToolRetry,
};
pub use limits::{Http2Limits, LegacyStreamLimits, Limits};
pub use listener::ListenerSettings;
pub use mcp_limits::McpLimits;
pub use route::{FixedResponse, Redirect, RouteAnswer, RouteMatch, RouteSettings};
pub use session::{SealKey, SessionBinding, SessionSettings};
pub use template::{Part, Template, TemplateError, Variable};
pub use tls::{ClientAuth, GroupTls, ListenerTls, TlsVersion};
pub use trusted::TrustedProxy;
pub use tunnel::{NoUpgrade, TunnelLoss, UpgradeProtocol};

use std::path::PathBuf;

/// The checked configuration of the data plane.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Worker threads, each with a runtime of its own; 0: one per core.
    pub threads: usize,
    /// Where clients connect.
    pub listeners: Vec<ListenerSettings>,
    /// The pools of peers.
    pub groups: Vec<GroupSettings>,
    /// Which request goes to which group; empty: the one group takes all.
    pub routes: Vec<RouteSettings>,
    /// Clients that are proxies of ours: what they say of who forwarded what is kept and added to;
    /// what others say is replaced. Empty: nobody is believed.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Cross-origin answers for browsers; none: the peers answer.
    pub cors: Option<CorsSettings>,
    /// Scheme and authority that clients know us by, as in `https://mcp.example`; none: those that
    /// their requests name.
    pub public_url: Option<String>,
    /// How names of peers are looked up.
    pub dns: DnsSettings,
    /// Bounds on what clients and peers may cost.
    pub limits: Limits,
    /// How MCP session ids are sealed and bound.
    pub session: SessionSettings,
}

impl Settings {
    /// Every file that these settings were made of besides their own, for those who watch them.
    pub fn files(&self) -> Vec<PathBuf> {
        let listeners = self.listeners.iter().filter_map(|one| one.tls.as_ref());
        let groups = self.groups.iter().filter_map(|group| group.tls.as_ref());
        let listeners = listeners.flat_map(|tls| tls.files());
        listeners
            .chain(groups.flat_map(|tls| tls.files()))
            .collect()
    }
}
