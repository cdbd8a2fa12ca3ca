//! Where clients connect.

use crate::tls::Terminator;
use std::net::SocketAddr;
use std::sync::Arc;

/// One listening address.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// The address; port 0 takes a free one, and the log says which.
    pub listen: SocketAddr,
    /// Names, lower case and without a port (`*.example.com` for any label), under which MCP
    /// clients may reach a loopback listener besides the loopback names and the hosts of the routes.
    pub hosts: Vec<String>,
    /// Serve clients that close their sending half after the request. Off, because with it a
    /// client that left is not noticed (http-safety: hyper's half-close).
    pub half_close: bool,
    /// TLS, with its files read; none: clients speak cleartext.
    pub tls: Option<Arc<Terminator>>,
}

impl ListenerSettings {
    /// A listener with the defaults.
    pub const fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            hosts: Vec::new(),
            half_close: false,
            tls: None,
        }
    }
}
