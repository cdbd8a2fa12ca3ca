//! A peer that was not asked yet.

use crate::hooks::Target;
use crate::session::Session;
use lb::{PeerIndex, PickRequest, Tried};

/// A usable peer of a target that is not among those asked; none if there is none now.
pub(super) fn peer(session: &Session, target: &Target, asked: &Tried) -> Option<PeerIndex> {
    let request = PickRequest {
        serves: target.serves(),
        hash: target.hash,
        pin: None,
        region: target.region.as_deref(),
        tried: asked,
        repeatable: true,
        retry_same: false,
    };
    let clock = session.clock();
    let pick = target.group.lb.pick(&request, clock.now(), clock.entropy());
    // Unsettled: the attempt that follows says what is to be said of the peer.
    let peer = pick.ok()?.peer();
    // One that was tried comes again if there is no other.
    (!asked.contains(peer)).then_some(peer)
}
