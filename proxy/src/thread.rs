//! What the requests of one thread share.

use crate::clock::Clock;
use crate::headers::Identity;
use crate::hooks::Hooks;
use crate::metrics::ProxyMetrics;
use crate::network::Network;
use crate::settings::Limits;
use crate::ticker::Ticker;
use crate::upload::ReplayTotal;
use crate::upstream::{HeadLimits, Pools};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Arc<Limits>,
    pub(crate) identity: Identity,
    pub(crate) replay: Arc<ReplayTotal>,
    pub(crate) metrics: Arc<ProxyMetrics>,
}

/// What the requests of one thread share.
pub(crate) struct Thread<N: Network, H: Hooks> {
    pub(crate) network: N,
    pub(crate) hooks: Arc<H>,
    pub(crate) clock: Rc<Clock>,
    pub(crate) ticker: Rc<Ticker>,
    pub(crate) pools: Pools<N::Stream>,
    pub(crate) shared: Arc<Shared>,
}

impl<N: Network, H: Hooks> Thread<N, H> {
    pub(crate) fn head_limits(&self) -> HeadLimits {
        HeadLimits::new(&self.shared.limits)
    }
}

impl<N: Network, H: Hooks> fmt::Debug for Thread<N, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("pools", &self.pools)
            .finish_non_exhaustive()
    }
}
