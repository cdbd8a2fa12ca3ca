//! What operators say.

use super::change::Change;
use super::slot::{DISABLED, DRAINING};
use super::{Group, NOBODY};
use crate::peer::PeerIndex;
use crate::sync::Ordering;
use crate::time::Time;

/// What an operator lets a peer do.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Admin {
    /// Nothing, not even in panic.
    Disabled,
    /// Serve what is pinned to it, and nothing new.
    Draining,
    /// All.
    #[default]
    Enabled,
}

impl Group {
    /// Lets a peer do more or less.
    pub fn set_admin(&self, peer: PeerIndex, state: Admin, now: Time) {
        let mut ledger = self.lock();
        let (Some(slot), Some(entry)) =
            (self.slot(peer), ledger.peers.get_mut(usize::from(peer.0)))
        else {
            return;
        };
        if entry.admin == state {
            return;
        }
        entry.admin = state;
        slot.clear(DISABLED | DRAINING);
        slot.set(match state {
            Admin::Disabled => DISABLED,
            Admin::Draining => DRAINING,
            Admin::Enabled => 0,
        });
        self.note(&mut ledger, Change::AdminChanged { peer, to: state });
        self.publish(&mut ledger, now, 0);
    }

    /// Puts a peer before all others, whatever its tier, while it is usable.
    pub fn force_primary(&self, peer: PeerIndex, now: Time) {
        if self.slot(peer).is_some() {
            self.force(u32::from(peer.0), now);
        }
    }

    /// Takes `force_primary` back.
    pub fn clear_primary(&self, now: Time) {
        self.force(NOBODY, now);
    }

    /// Returns to the best available tier without a hold-down.
    pub fn failback(&self, now: Time) {
        let mut ledger = self.lock();
        if let Some(switch) = ledger.active.order(now) {
            self.switched(&mut ledger, switch, now);
        }
        self.publish(&mut ledger, now, 0);
    }

    fn force(&self, peer: u32, now: Time) {
        let mut ledger = self.lock();
        self.hot.forced.store(peer, Ordering::Release);
        self.publish(&mut ledger, now, 0);
    }
}
