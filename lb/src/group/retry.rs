//! Trying again: the decision, and the budget it may cost.

use super::Group;
use super::change::Change;
use crate::budget::Charge;
use crate::hash::mix;
use crate::peer::PeerIndex;
use crate::peer_set::PeerSet;
use crate::retry::{Decision, Judgement, RetryFacts, RetryPolicy, Why, judge};
use crate::sync::Ordering;
use crate::time::Time;
use crate::tried::Tried;

impl Group {
    /// A request arrived: adds its share to the retry budget.
    pub fn arrived(&self, now: Time) {
        self.budget.deposit(now);
    }

    /// Decides whether to try again, and takes a token of the budget where that is due.
    pub fn decide(&self, facts: &RetryFacts<'_>, now: Time, entropy: u64) -> Decision {
        self.decide_by(&self.policy.retry, facts, now, entropy)
    }

    /// The same by another policy than the group's own; the budget stays the group's.
    pub fn decide_by(
        &self,
        policy: &RetryPolicy,
        facts: &RetryFacts<'_>,
        now: Time,
        entropy: u64,
    ) -> Decision {
        match judge(facts, policy, now, mix(entropy)) {
            Judgement::Stop(why) => Decision::Stop(why),
            Judgement::Free { wait, next } => Decision::Retry {
                wait,
                next,
                charged: false,
            },
            Judgement::Charged { wait, next } => match self.budget.charge(now) {
                Charge::Paid => {
                    if self.budget_empty.load(Ordering::Relaxed) {
                        self.budget_empty.store(false, Ordering::Relaxed);
                    }
                    Decision::Retry {
                        wait,
                        next,
                        charged: true,
                    }
                }
                Charge::Refused => {
                    if !self.budget_empty.swap(true, Ordering::Relaxed) {
                        let mut ledger = self.lock();
                        self.note(&mut ledger, Change::BudgetExhausted);
                    }
                    Decision::Stop(Why::Budget)
                }
            },
        }
    }

    /// Gives back the token of a charged retry that never reached a peer.
    pub fn refund(&self) {
        self.budget.refund();
    }

    /// Whether some peer that was not tried is usable now for requests that those in `serves` can
    /// serve; none: all can.
    pub fn has_other(&self, tried: &Tried, serves: Option<&PeerSet>, now: Time) -> bool {
        let mut peers = (0_u16..).map(PeerIndex).zip(&self.slots);
        peers.any(|(peer, slot)| {
            slot.flags(now) == 0
                && !tried.contains(peer)
                && serves.is_none_or(|set| set.contains(peer))
        })
    }
}
