//! Whether a peer still knows an MCP session, where that is in doubt.

use super::binding::Binding;
use super::bindings::Bindings;
use super::migrate::{Life, Move};
use crate::gateway::ctx::Mcp;
use crate::group::Group;
use crate::hooks::Lost;
use crate::mcp::{Bound, Kind};
use crate::settings::{PeerLoss, Probe};
use http::{HeaderMap, header};
use lb::{Time, hash64};
use std::time::Duration;

/// Whether an MCP session is probably gone: its peer was seen to start over since it came there.
/// Then it moves before its request is sent, which may be one that cannot be sent twice.
///
/// The date is compared, since ids of MCP sessions come from other replicas too. Where it is wrong
/// the peer is asked once more than need be.
pub(in crate::gateway) fn is_stale(
    bindings: &Bindings,
    group: &Group,
    mcp: &Mcp,
    now: Time,
) -> bool {
    let Some((place, key)) = mcp.place.as_ref().zip(mcp.key(group)) else {
        return false;
    };
    let Some(peer) = group.find(&place.peer) else {
        return false;
    };
    let known = &group.peer(peer).known;
    let moves = group.settings.on_peer_loss == PeerLoss::Migrate;
    let suspect =
        moves && mcp.facts.kind == Kind::Message && known.restarted_at() >= place.since.max(1);
    suspect
        && bindings
            .find(|| key, now)
            .living()
            .is_none_or(|binding| binding.found_in() != Some(known.incarnation()))
}

/// What is to be done about an MCP session, as far as its peer settles it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Settled {
    /// It is to be made anew, or was already.
    Moves,
    /// It lives: the request goes there once more.
    Returns,
    /// It lives: what the peer said it said of the request.
    Stays,
}

/// Asks the peer, where what was lost may not be the MCP session.
pub(super) async fn settle(moving: &Move<'_>, lost: Lost<'_>) -> Settled {
    if moving.binding.generation() > moving.from.generation {
        return Settled::Moves;
    }
    match lost {
        Lost::Cut if moving.life().await == Life::Alive => Settled::Returns,
        Lost::Refused(DOUBTED) if lives(moving).await => Settled::Stays,
        Lost::Refused(UNKNOWN) if is_another_s(moving).await => Settled::Stays,
        Lost::Cut | Lost::Refused(_) | Lost::Unanswered(_) => Settled::Moves,
    }
}

/// Whether an MCP session lives, as far as its peer says.
async fn lives(moving: &Move<'_>) -> bool {
    let peer = moving.group.find(&moving.from.peer);
    let incarnation = peer.map(|peer| moving.group.peer(peer).known.incarnation());
    match moving.life().await {
        Life::Alive => {
            if let Some(incarnation) = incarnation {
                moving.binding.found(incarnation);
            }
            true
        }
        Life::Gone => false,
        // What becomes of the request will say more.
        Life::Unknown => true,
    }
}

/// Whether a peer that does not know an MCP session serves it to somebody else (rule 5): the
/// credentials it has served last were others, and it has not started over since.
async fn is_another_s(moving: &Move<'_>) -> bool {
    let group = moving.group;
    let Some(index) = group.find(&moving.from.peer) else {
        return false;
    };
    let peer = group.peer(index);
    let incarnation = peer.known.incarnation();
    let credential = credential(&moving.session.request.headers);
    if !moving.binding.serves_another(credential, incarnation) {
        return false;
    }
    if group.settings.health_check.probe != Some(Probe::None) {
        // It may have started over a moment ago: the prober is to look.
        let probes = || peer.metrics.probes_passed.get() + peer.metrics.probes_failed.get();
        let before = probes();
        peer.suspect();
        let mut left = LOOKS;
        while probes() == before && left > 0 {
            left -= 1;
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
    peer.known.incarnation() == incarnation
}

/// Whether a request may end an MCP session although no peer has said so: its id is bound to whoever
/// asks, or its peer has served these credentials last. Whoever has only found the id may not, but
/// where it has always been all that anybody needed (rules 3, 5).
pub(in crate::gateway) fn may_end(mcp: &Mcp, known: Option<&Binding>, headers: &HeaderMap) -> bool {
    let bound = mcp
        .session
        .as_ref()
        .is_some_and(|opened| opened.bound == Bound::Principal);
    let theirs = match known.and_then(Binding::served_to) {
        Some(last) => last == credential(headers),
        None => !headers.contains_key(header::AUTHORIZATION),
    };
    bound || theirs
}

/// What tells credentials apart that name nobody.
pub(in crate::gateway) fn credential(headers: &HeaderMap) -> u64 {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    values.fold(0, |sum, value| {
        sum.rotate_left(1) ^ hash64(value.as_bytes())
    })
}

/// The peer has refused a request in a way that may mean that it does not know its MCP session.
pub(in crate::gateway) const DOUBTED: &str = "the peer may not know the MCP session";
/// The peer says that it does not know an MCP session.
pub(in crate::gateway) const UNKNOWN: &str = "the peer does not know the MCP session";
/// A probe takes no longer than two seconds by default.
const LOOKS: u32 = 40;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
