//! Clients that are proxies of ours.

use super::Cidr;
use std::net::IpAddr;

/// Clients that are proxies of ours: what they say of who forwarded what is believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrustedProxy {
    /// Those with such addresses.
    Block(Cidr),
    /// Those that come over a socket in the file system. They have no address; whoever may write
    /// to its file is one.
    Unix,
}

impl TrustedProxy {
    /// Whether a client is one; one without an address came over a socket in the file system.
    pub fn covers(&self, client: Option<IpAddr>) -> bool {
        match (self, client) {
            (Self::Block(block), Some(client)) => block.contains(client),
            (Self::Unix, None) => true,
            (Self::Block(_), None) | (Self::Unix, Some(_)) => false,
        }
    }
}
