//! What an operator sees of a group.

use super::slot::OUT;
use super::{Admin, Group};
use crate::breaker::{Phase, Trip};
use crate::peer::PeerIndex;
use crate::sync::Ordering;
use crate::time::Time;

/// A group at one moment.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Its peers, by index.
    pub peers: Vec<PeerView>,
    /// The priority of the tier in use.
    pub active: u32,
    /// Usable peers in all tiers.
    pub usable: u32,
    /// Whether the verdicts of the health checks are being ignored.
    pub panic: bool,
    /// The peer that an operator put first.
    pub forced: Option<PeerIndex>,
    /// When a tier last failed.
    pub last_failover: Option<Time>,
    /// Retries that the budget would allow now.
    pub retry_tokens: u32,
}

/// A peer at one moment.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub region: Option<String>,
    /// Its tier.
    pub priority: u32,
    /// Its weight.
    pub weight: u16,
    /// What health checks say.
    pub health: HealthView,
    /// What its breaker does.
    pub breaker: BreakerView,
    /// What operators let it do.
    pub admin: Admin,
    /// Whether it takes new requests, a cooldown or a full peer aside.
    pub usable: bool,
    /// Requests in flight.
    pub in_flight: u32,
    /// Failures in a row, as its breaker counts them.
    pub failures: u32,
    /// Why its breaker last opened.
    pub last_trip: Option<Trip>,
    /// How often it was lost.
    pub losses: u32,
    /// Until when it is left alone because it has too much to do.
    pub cooling_until: Option<Time>,
}

/// What health checks say of a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HealthView {
    /// It works.
    Healthy,
    /// Nothing yet.
    Unchecked,
    /// It does not.
    Unhealthy,
}

/// What a breaker does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BreakerView {
    /// Lets all requests through.
    Closed,
    /// Lets a few through, to see.
    HalfOpen,
    /// Lets none through.
    Open {
        /// When it will try some; may have passed while no request came.
        until: Time,
    },
}

impl Group {
    /// The group as it is now.
    pub fn view(&self, now: Time) -> GroupView {
        let mut ledger = self.lock();
        self.publish(&mut ledger, now, 0);
        let entries = ledger.peers.iter().zip(&self.slots).zip(&self.peers);
        let peers = entries.map(|((entry, slot), peer)| {
            let cooling = Time::from_micros(slot.cooling_until.load(Ordering::Relaxed));
            PeerView {
                name: peer.name.clone(),
                region: peer.region.clone(),
                priority: peer.priority,
                weight: peer.weight,
                health: if entry.health.is_down() {
                    HealthView::Unhealthy
                } else if entry.health.is_checked() {
                    HealthView::Healthy
                } else {
                    HealthView::Unchecked
                },
                breaker: match entry.breaker.phase() {
                    Phase::Closed => BreakerView::Closed,
                    Phase::HalfOpen => BreakerView::HalfOpen,
                    Phase::Open(until) => BreakerView::Open { until },
                },
                admin: entry.admin,
                usable: slot.flags(now) & OUT == 0,
                in_flight: slot.load(),
                failures: slot.tally.in_a_row(),
                last_trip: entry.last_trip,
                losses: slot.losses(),
                cooling_until: (cooling > now).then_some(cooling),
            }
        });
        let tier = self.tiers.get(ledger.active.tier());
        let forced = u16::try_from(self.hot.forced.load(Ordering::Relaxed));
        GroupView {
            name: self.name.clone(),
            peers: peers.collect(),
            active: tier.map_or(0, |tier| tier.priority),
            usable: self.usable(),
            panic: self.hot.panic.load(Ordering::Relaxed),
            forced: forced.ok().map(PeerIndex),
            last_failover: ledger.active.last_failover(),
            retry_tokens: self.budget.tokens(),
        }
    }
}
