//! Clients that wait to be accepted at one address.

use super::network::MemoryNetwork;
use super::stream::MemoryStream;
use crate::network::Address;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::task::Waker;

/// A listening socket; dropping it frees its address and closes those who wait.
#[derive(Debug)]
pub struct MemoryListener {
    pub(super) network: MemoryNetwork,
    /// The host, and where on it.
    pub(super) place: (IpAddr, Address),
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.network.unbind(&self.place);
    }
}

/// Clients that wait to be accepted at one address.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) waiting: VecDeque<(MemoryStream, Option<SocketAddr>)>,
    pub(super) acceptor: Option<Waker>,
}
