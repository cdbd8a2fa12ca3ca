//! Where clients connect.

use crate::network::Address;
use crate::tls::Terminator;
use std::sync::Arc;

/// One listening address.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// The address; port 0 takes a free one, and the log says which.
    pub listen: Address,
    /// Who may connect to a socket in the file system: the permissions of its file.
    pub mode: u32,
    /// Names, lower case and without a port (`*.example.com` for any label), under which MCP
    /// clients may reach a loopback listener, or one in the file system, besides the loopback names and the hosts of the routes.
    pub hosts: Vec<String>,
    /// Serve clients that close their sending half after the request. Off, because with it a
    /// client that left is not noticed (http-safety: hyper's half-close).
    pub half_close: bool,
    /// TLS, with its files read; none: clients speak cleartext.
    pub tls: Option<Arc<Terminator>>,
}

impl ListenerSettings {
    /// A listener with the defaults.
    pub fn new(listen: impl Into<Address>) -> Self {
        Self {
            listen: listen.into(),
            mode: MODE,
            hosts: Vec::new(),
            half_close: false,
            tls: None,
        }
    }
}

/// Its owner and its group may connect: a proxy in front is let in by its group.
const MODE: u32 = 0o660;
