//! Clients that wait to be accepted at one address.

use super::network::MemoryNetwork;
use super::stream::MemoryStream;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::Waker;

/// A listening socket; dropping it frees its address and closes those who wait.
#[derive(Debug)]
pub struct MemoryListener {
    pub(super) network: MemoryNetwork,
    pub(super) address: SocketAddr,
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.network.unbind(self.address);
    }
}

/// Clients that wait to be accepted at one address.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) waiting: VecDeque<(MemoryStream, SocketAddr)>,
    pub(super) acceptor: Option<Waker>,
}
