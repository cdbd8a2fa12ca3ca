//! Where a listener's stream goes on.

use super::state::After;
use crate::gateway::{Ctx, Gateway, elsewhere};
use crate::group::Group;
use crate::hooks::{Lost, Target};
use crate::session::Session;
use lb::{PeerIndex, Tried};
use std::sync::Arc;
use std::time::Duration;

/// Where a listener's stream goes on, as soon as there is such a place; none if there will be none:
/// every peer that could has said that it does not.
pub(in crate::gateway) async fn relocate(
    gateway: &Gateway,
    session: &mut Session,
    lost: Lost<'_>,
    ctx: &mut Ctx,
) -> Option<Target> {
    let clock = session.clock();
    let mcp = ctx.mcp.as_deref_mut()?;
    let listen = mcp.listen.clone()?;
    let target = mcp.target.as_mut()?;
    let after = match lost {
        Lost::Cut => After::Stream,
        // The peer that has the tasks it follows is gone, and they with it.
        Lost::Refused(_) | Lost::Unanswered(_) if target.pin.is_some() => return None,
        Lost::Refused(_) | Lost::Unanswered(_) => After::Failure,
    };
    let mut pause = listen.pause(clock.now(), after);
    loop {
        // Rule 16: not all at once, as what they are told makes clients ask for lists.
        let jitter = Duration::from_micros(clock.entropy() % JITTER_MICROS);
        tokio::time::sleep(pause + jitter).await;
        if target.pin.is_some() {
            return Some(target.clone());
        }
        // It may be older than the peers of now.
        let current = gateway.snapshot();
        if let Some(group) = current.group(target.group.name())
            && !Arc::ptr_eq(group, &target.group)
        {
            target.group = Arc::clone(group);
            ctx.group = Some(Arc::clone(group));
            listen.forget_refusals();
        }
        let refused = listen.refusals();
        if refused.is_empty() {
            return Some(target.clone());
        }
        if let Some(peer) = elsewhere::peer(session, target, &refused) {
            return Some(Target {
                pin: Some(peer),
                ..target.clone()
            });
        }
        if !has_other(target, &refused) {
            return None;
        }
        pause = listen.pause(clock.now(), After::Failure);
    }
}

/// Whether there is a peer that has not refused it, usable or not.
fn has_other(target: &Target, refused: &Tried) -> bool {
    let group: &Group = &target.group;
    let serves = target.serves();
    (0..)
        .take(group.peers.len())
        .map(PeerIndex)
        .any(|peer| serves.is_none_or(|serves| serves.contains(peer)) && !refused.contains(peer))
}

/// How far the streams of a lost peer are spread.
const JITTER_MICROS: u64 = 500_000;
