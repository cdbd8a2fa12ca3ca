//! A named set of interchangeable peers: what is known of each, and what follows from it.
//!
//! Threads share a group. Everything that a request touches while all is well is an atomic in
//! `slot` or `Hot`; what changes a state takes the one lock around the `ledger`, and writes the
//! atomics from there (`Group::publish`).

mod admin;
mod change;
mod inherit;
mod ledger;
mod pick;
mod policy;
mod probing;
mod report;
mod retry;
mod search;
pub(crate) mod slot;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;
mod view;

use std::fmt;
use std::sync::Arc;

use crate::budget::Budget;
use crate::peer::{Peer, PeerIndex};
use crate::select::Pool;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};
use ledger::Ledger;
use slot::{Lasting, Slot};

pub use admin::Admin;
pub use change::Change;
pub use pick::{NoPeer, Pick, PickRequest, PinLoss};
pub use policy::GroupPolicy;
pub use view::{BreakerView, GroupView, HealthView, PeerView};

/// A named set of interchangeable peers with one policy.
///
/// Shared by all threads through an `Arc`; every method takes `&self`.
pub struct Group {
    name: String,
    peers: Box<[Peer]>,
    policy: GroupPolicy,
    /// Best first.
    tiers: Box<[Tier]>,
    /// Position of each peer's tier.
    tier_of: Box<[usize]>,
    /// Names of all regions, ascending.
    regions: Box<[String]>,
    /// This proxy's own, and the fallback list, as positions in `regions`.
    local: Option<usize>,
    fallback: Box<[usize]>,
    slots: Box<[Slot]>,
    /// Which peer of the group before each peer was.
    was: Box<[Option<PeerIndex>]>,
    hot: Hot,
    budget: Budget,
    budget_empty: AtomicBool,
    /// Whether the ledger holds changes that nobody took.
    changed: AtomicBool,
    ledger: Mutex<Ledger>,
}

/// Peers of one priority.
#[derive(Debug)]
struct Tier {
    priority: u32,
    all: Pool,
    /// By position in the group's regions; none where the tier has no peer.
    regions: Box<[Option<Pool>]>,
    members: Box<[u16]>,
}

/// What every pick reads; written only with the lock held.
#[derive(Debug)]
#[repr(align(128))]
struct Hot {
    /// The tier in use.
    active: AtomicU32,
    /// When the tier in use must be looked at again.
    alarm: AtomicU64,
    /// The peer that an operator put first; `NOBODY` for none.
    forced: AtomicU32,
    /// From when some open breaker would admit a probe.
    probe_due: AtomicU64,
    /// The same for breakers of any tier and of unhealthy peers.
    any_due: AtomicU64,
    /// When the first open breaker reopens; 0 while one is half-open.
    reopens: AtomicU64,
    /// Whether the verdicts of the health checks are being ignored.
    panic: AtomicBool,
    /// The last end of a slow start.
    ramp_end: AtomicU64,
    /// The tier that traffic is moving back from, and since when; `NEVER` when it is not.
    previous: AtomicU32,
    returned: AtomicU64,
}

/// Why a group cannot be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum GroupError {
    /// Two peers have this name.
    DuplicateName(String),
    /// There is no peer.
    Empty,
    /// There are more peers than an index can tell apart: 65535.
    TooMany(usize),
    /// A number of the policy is out of its range; the field is named.
    OutOfRange(&'static str),
}

impl Group {
    /// Makes a group whose peers are all taken to be up.
    ///
    /// # Errors
    ///
    /// When there is no peer, or too many, or two of one name, or when the policy has a number out
    /// of its range.
    pub fn new(
        name: impl Into<String>,
        peers: Vec<Peer>,
        policy: GroupPolicy,
    ) -> Result<Arc<Self>, GroupError> {
        let was = vec![None; peers.len()];
        Self::build(name.into(), peers, policy, was, |_, _| Lasting::new())
    }

    /// Makes the group that comes after this one; `was` tells which peer of this group each of
    /// the new ones is. What is in flight on such a peer counts in both, and whoever waits on it
    /// hears of its losses in either; [`Group::inherit`] takes over the rest. `back` tells which
    /// of an earlier group are those that had left: what is still in flight on them counts too.
    ///
    /// # Errors
    ///
    /// As [`Group::new`].
    pub fn succeeded(
        &self,
        name: impl Into<String>,
        peers: Vec<Peer>,
        policy: GroupPolicy,
        mut was: Vec<Option<PeerIndex>>,
        back: &[Option<(Arc<Self>, PeerIndex)>],
    ) -> Result<Arc<Self>, GroupError> {
        was.resize(peers.len(), None);
        Self::build(name.into(), peers, policy, was, |at, was| {
            let left = || back.get(at)?.as_ref();
            let slot = match was {
                Some(was) => self.slot(was),
                None => left().and_then(|(group, was)| group.slot(*was)),
            };
            slot.map_or_else(Lasting::new, |slot| Arc::clone(&slot.lasting))
        })
    }

    fn build(
        name: String,
        peers: Vec<Peer>,
        policy: GroupPolicy,
        was: Vec<Option<PeerIndex>>,
        lasting: impl Fn(usize, Option<PeerIndex>) -> Arc<Lasting>,
    ) -> Result<Arc<Self>, GroupError> {
        check(&peers, &policy)?;
        let regions = regions(&peers);
        let position = |name: &String| regions.binary_search(name).ok();
        let local = policy.local_region.as_ref().and_then(position);
        let fallback = policy.region_fallback.iter().filter_map(position).collect();
        let tiers = tiers(&peers, &regions, &policy);
        let mut tier_of = vec![0; peers.len()];
        for (at, tier) in tiers.iter().enumerate() {
            for &peer in &tier.members {
                if let Some(of) = tier_of.get_mut(usize::from(peer)) {
                    *of = at;
                }
            }
        }
        let group = Self {
            name,
            slots: peers
                .iter()
                .zip(&was)
                .enumerate()
                .map(|(at, (peer, was))| Slot::new(peer.weight, lasting(at, *was)))
                .collect(),
            was: was.into_boxed_slice(),
            hot: Hot::new(),
            budget: Budget::new(&policy.retry.budget, peers.len()),
            budget_empty: AtomicBool::new(false),
            changed: AtomicBool::new(false),
            ledger: Mutex::new(Ledger::new(peers.len(), tiers.len())),
            peers: peers.into_boxed_slice(),
            policy,
            tiers,
            tier_of: tier_of.into_boxed_slice(),
            regions,
            local,
            fallback,
        };
        Ok(Arc::new(group))
    }

    /// The name, as the configuration gives it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The peers, by index.
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// What its decisions depend on.
    pub fn policy(&self) -> &GroupPolicy {
        &self.policy
    }

    /// How often the peer was lost: turned unhealthy, or its breaker opened. Whoever waits on the
    /// peer compares before and after.
    pub fn losses(&self, peer: PeerIndex) -> u32 {
        self.slot(peer).map_or(0, Slot::losses)
    }

    /// Requests in flight on the peer, those that a group before or after this one sent included.
    pub fn in_flight(&self, peer: PeerIndex) -> u32 {
        self.slot(peer).map_or(0, Slot::load)
    }

    /// What happened since this was last asked, oldest first. Costs one load when nothing did.
    pub fn take_changes(&self) -> Vec<Change> {
        if !self.changed.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut ledger = self.lock();
        self.changed.store(false, Ordering::Release);
        ledger.changes.take()
    }

    fn slot(&self, peer: PeerIndex) -> Option<&Slot> {
        self.slots.get(usize::from(peer.0))
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // The ledger is consistent between any two statements that can panic: none can.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("name", &self.name)
            .field("peers", &self.peers.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateName(name) => write!(f, "two peers are named {name:?}"),
            Self::Empty => f.write_str("a group needs at least one peer"),
            Self::TooMany(count) => write!(f, "{count} peers are more than the 65535 possible"),
            Self::OutOfRange(field) => write!(f, "{field} is out of range"),
        }
    }
}

impl std::error::Error for GroupError {}

impl Hot {
    fn new() -> Self {
        Self {
            active: AtomicU32::new(0),
            alarm: AtomicU64::new(NEVER),
            forced: AtomicU32::new(NOBODY),
            probe_due: AtomicU64::new(NEVER),
            any_due: AtomicU64::new(NEVER),
            reopens: AtomicU64::new(NEVER),
            panic: AtomicBool::new(false),
            ramp_end: AtomicU64::new(0),
            previous: AtomicU32::new(0),
            returned: AtomicU64::new(NEVER),
        }
    }
}

fn check(peers: &[Peer], policy: &GroupPolicy) -> Result<(), GroupError> {
    if peers.is_empty() {
        return Err(GroupError::Empty);
    }
    if peers.len() > usize::from(u16::MAX) {
        return Err(GroupError::TooMany(peers.len()));
    }
    let mut names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
    names.sort_unstable();
    if let Some(two) = names.windows(2).find(|two| two[0] == two[1]) {
        return Err(GroupError::DuplicateName(two[0].to_owned()));
    }
    policy.check().map_err(GroupError::OutOfRange)
}

fn regions(peers: &[Peer]) -> Box<[String]> {
    let mut regions: Vec<String> = peers
        .iter()
        .filter_map(|peer| peer.region.clone())
        .collect();
    regions.sort_unstable();
    regions.dedup();
    regions.into_boxed_slice()
}

fn tiers(peers: &[Peer], regions: &[String], policy: &GroupPolicy) -> Box<[Tier]> {
    let mut order: Vec<(u32, u16)> = (0_u16..)
        .zip(peers)
        .map(|(at, peer)| (peer.priority, at))
        .collect();
    order.sort_unstable();
    order
        .chunk_by(|left, right| left.0 == right.0)
        .map(|chunk| {
            let members: Box<[u16]> = chunk.iter().map(|&(_, peer)| peer).collect();
            let within = |region: &String| {
                let inside = |peer: &u16| {
                    let peer = peers.get(usize::from(*peer));
                    peer.is_some_and(|peer| peer.region.as_ref() == Some(region))
                };
                let members: Vec<u16> = members.iter().copied().filter(inside).collect();
                (!members.is_empty()).then(|| Pool::new(&members, peers, policy.strategy))
            };
            Tier {
                priority: chunk.first().map_or(0, |first| first.0),
                all: Pool::new(&members, peers, policy.strategy),
                regions: regions.iter().map(within).collect(),
                members,
            }
        })
        .collect()
}

/// No peer: indices end below.
const NOBODY: u32 = u32::MAX;
/// Past any time.
const NEVER: u64 = u64::MAX;
