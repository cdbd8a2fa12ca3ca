//! Where clients connect.

use std::net::SocketAddr;

/// One listening address.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// The address; port 0 takes a free one, and the log says which.
    pub listen: SocketAddr,
    /// Serve clients that close their sending half after the request. Off, because with it a
    /// client that left is not noticed (http-safety: hyper's half-close).
    pub half_close: bool,
}

impl ListenerSettings {
    /// A listener with the defaults.
    pub const fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            half_close: false,
        }
    }
}
