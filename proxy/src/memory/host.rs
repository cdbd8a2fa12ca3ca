//! One host: what happens to those who connect to it, and the connections it has.

use super::link::{Cut, Link, Side};
use super::network::Flow;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What happens to those who connect to a host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Connecting {
    /// They are accepted, if anyone listens.
    #[default]
    Accept,
    /// They are accepted later.
    Delay(Duration),
    /// The caller's own process is out of descriptors (`EMFILE`).
    Exhaust,
    /// Nothing, ever.
    Hang,
    /// They are refused.
    Refuse,
}

/// One host.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) connecting: Connecting,
    pub(super) power: Power,
    /// Cut points of the connections to come.
    pub(super) cuts: VecDeque<(Flow, u64, Cut)>,
    /// How often somebody tried to connect to it.
    pub(super) connects: u64,
    /// After what silence its system gives up a connection; none: as systems are set by default.
    pub(super) silence: Option<Duration>,
    links: Vec<(Weak<Link>, Side)>,
    /// Links are counted again when there are so many.
    recount: usize,
}

/// Whether the processes of a host run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Power {
    #[default]
    On,
    /// Stopped: the system goes on accepting and buffering for it.
    Frozen,
    Off,
}

impl Host {
    pub(super) fn attach(&mut self, link: &Arc<Link>, side: Side) {
        if self.links.len() >= self.recount {
            self.links.retain(|(link, _)| link.strong_count() > 0);
            self.recount = (self.links.len() * 2).max(FEW);
        }
        self.links.push((Arc::downgrade(link), side));
    }

    /// Its connections, with its end of each.
    pub(super) fn links(&self) -> Vec<(Arc<Link>, Side)> {
        let live = self.links.iter();
        live.filter_map(|(link, side)| Some((link.upgrade()?, *side)))
            .collect()
    }
}

/// Counting fewer links again and again would cost more than keeping dead ones.
const FEW: usize = 32;
