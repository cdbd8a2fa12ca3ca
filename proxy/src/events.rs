//! What changed in a group, as log events with constant names and fields.

use crate::group::Group;
use lb::Change;

/// Logs and counts a change.
pub(crate) fn report(group: &Group, change: &Change) {
    let name = group.name();
    match change {
        Change::BreakerOpened { peer, failures, .. } => {
            group.peer(*peer).metrics.breaker_opened.increment();
            let peer = group.peer_name(*peer);
            tracing::warn!(group = name, peer, failures, "circuit_breaker_opened");
        }
        Change::BreakerHalfOpened { peer, .. } => {
            let peer = group.peer_name(*peer);
            tracing::info!(group = name, peer, "circuit_reset_timeout_elapsed");
        }
        Change::BreakerClosed { peer, .. } => {
            let peer = group.peer_name(*peer);
            tracing::info!(group = name, peer, "circuit_breaker_closed");
        }
        Change::PeerUnhealthy { peer, .. } => {
            let peer = group.peer_name(*peer);
            tracing::warn!(
                group = name,
                peer,
                reason = "health_check_failures",
                "member_removed_from_rotation"
            );
        }
        Change::PeerHealthy { peer, .. } => {
            let peer = group.peer_name(*peer);
            tracing::info!(
                group = name,
                peer,
                reason = "health_recovered",
                "member_added_to_rotation"
            );
        }
        // Priorities: a smaller number is a better tier.
        Change::TierChanged { from, to } if to < from => {
            tracing::info!(group = name, from, to, "group_failback");
        }
        Change::TierChanged { from, to } => {
            group.metrics.failovers.increment();
            tracing::warn!(group = name, from, to, "group_failover");
        }
        other => tracing::info!(group = name, change = ?other, "group_state_changed"),
    }
}
