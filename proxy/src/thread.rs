//! What the requests of one thread share.

use crate::clock::Clock;
use crate::downstream::Origin;
use crate::drain::Drain;
use crate::headers::Identity;
use crate::hooks::Hooks;
use crate::metrics::ProxyMetrics;
use crate::network::{Address, Network};
use crate::settings::{Limits, TrustedProxy};
use crate::ticker::Ticker;
use crate::upload::ReplayTotal;
use crate::upstream::{Bounds, HeadLimits, Pools};
use arc_swap::ArcSwap;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) rules: ArcSwap<Rules>,
    pub(crate) identity: Identity,
    pub(crate) replay: Arc<ReplayTotal>,
    pub(crate) metrics: Arc<ProxyMetrics>,
}

/// What a reload changes for all threads at once. A request keeps the limits it began with.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) limits: Arc<Limits>,
    /// Clients whose forwarding fields are believed.
    pub(crate) trusted: Vec<TrustedProxy>,
    /// Addresses that are listened on.
    pub(crate) open: Vec<Address>,
    /// Numbers of the peers that are being drained: connections to them are not kept.
    pub(crate) leaving: Vec<usize>,
}

impl Rules {
    pub(crate) fn trusts(&self, client: Option<IpAddr>) -> bool {
        self.trusted.iter().any(|trusted| trusted.covers(client))
    }

    /// Whether a connection may go on as it began: its listener is still there, and its client is
    /// believed as much as it was.
    pub(crate) fn allows(&self, origin: &Origin) -> bool {
        self.open.contains(&origin.local) && self.trusts(origin.client) == origin.trusted
    }
}

impl Shared {
    /// The limits in force.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.rules.load().limits)
    }
}

/// What the requests of one thread share.
pub(crate) struct Thread<N: Network, H: Hooks> {
    pub(crate) network: N,
    pub(crate) hooks: Arc<H>,
    pub(crate) clock: Rc<Clock>,
    pub(crate) ticker: Rc<Ticker>,
    /// How far the server is with stopping.
    pub(crate) drain: Arc<Drain>,
    pub(crate) pools: Pools<N::Stream>,
    pub(crate) shared: Arc<Shared>,
}

impl<N: Network, H: Hooks> Thread<N, H> {
    pub(crate) fn head_limits(&self) -> HeadLimits {
        HeadLimits::new(&self.shared.rules.load().limits)
    }

    /// Of HTTP/2 connections to peers.
    pub(crate) fn http2_bounds(&self) -> Bounds {
        let limits = &self.shared.rules.load().limits;
        Bounds {
            streams: limits.http2.streams,
            stream_window: limits.http2.stream_window,
            ping: limits.http2.ping,
            head_size: limits.upstream_head_size,
        }
    }
}

impl<N: Network, H: Hooks> fmt::Debug for Thread<N, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("pools", &self.pools)
            .finish_non_exhaustive()
    }
}
