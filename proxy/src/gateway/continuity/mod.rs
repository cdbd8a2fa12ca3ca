//! MCP sessions outlive their peers.

mod account;
mod again;
mod asking;
mod binding;
mod bindings;
mod doubt;
mod ended;
mod migrate;
mod streams;

pub(super) use again::Again;
pub(super) use asking::{PATIENCE, choose, credentials, path, request, turn};
pub(super) use binding::Place;
pub(super) use bindings::{Bindings, Key, Known};
pub(super) use doubt::{DOUBTED, UNKNOWN, credential, is_stale, may_end};
pub(super) use streams::{Answering, Origin, Standing, Track, as_events};

use super::Ctx;
use super::ctx::Others;
use super::faults;
use crate::error::ProxyError;
use crate::hooks::{Lost, Target};
use crate::mcp::{Asked, Kind};
use crate::session::Session;
use crate::settings::PeerLoss;
use again::{FIRST_PAUSE, LONGEST_PAUSE, Purpose};
use doubt::Settled;
use migrate::{Arrival, Move, Stays};
use std::sync::Arc;

/// Where a request goes that its peer cannot serve.
pub(super) async fn relocate(
    bindings: &Bindings,
    session: &mut Session,
    lost: Lost<'_>,
    ctx: &mut Ctx,
) -> Option<Target> {
    let group = Arc::clone(ctx.group.as_ref()?);
    let reason = account::reason(&lost);
    let headers = credentials(session, ctx);
    let mcp = ctx.mcp.as_mut()?;
    let base = mcp.target.clone()?;
    if matches!(lost, Lost::Cut) || mcp.again.has_begun() {
        let attempts = base.retry_policy().attempts;
        let now = session.clock().now();
        let purpose = Purpose::of(mcp.facts.kind);
        let pause = mcp.again.after(purpose, attempts, now)?;
        tokio::time::sleep(pause).await;
    }
    if mcp.session.is_none() {
        // Nothing ties it to a peer: a stream that was cut goes on with any.
        return matches!(lost, Lost::Cut).then_some(base);
    }
    if group.settings.on_peer_loss == PeerLoss::Fail || mcp.facts.kind == Kind::End {
        return None;
    }
    if let Lost::Unanswered(error) = lost
        && !faults::is_loss(error)
    {
        return None;
    }
    // Rule 12: answers to a server that is gone are nobody's.
    if mcp.asked() == Asked::Moot {
        return None;
    }
    if let Some(ids) = &mcp.resumes {
        // Its peer is lost, and what it was to answer as well.
        mcp.denied = Some(faults::resumed_in_vain(ids));
        return None;
    }
    let stream = mcp.facts.kind == Kind::Stream;
    if stream && matches!(lost, Lost::Unanswered(ProxyError::Hook(_))) {
        // It lives where there is no such stream: it stays open, and says nothing.
        std::future::pending::<()>().await;
    }
    // What its client has ended meanwhile does not move (rule 5).
    let binding = bindings.enter(mcp.key(&group)?, session.clock().now())?;
    let opened = mcp.session.as_ref()?;
    let mut from = mcp.place.clone()?;
    let mut pause = FIRST_PAUSE;
    let began = session.clock().now();
    loop {
        let moved = match &opened.payload.replay {
            Some(replay) => {
                let moving = Move {
                    session,
                    group: &group,
                    binding: &binding,
                    from: &from,
                    replay,
                    headers: &headers,
                    base: &base,
                    restarted: matches!(lost, Lost::Refused(_)),
                };
                match doubt::settle(&moving, lost).await {
                    Settled::Moves => moving.run().await,
                    Settled::Returns => return Some(base),
                    Settled::Stays => return None,
                }
            }
            None => Err(Stays::NoPeer),
        };
        match moved {
            Ok(arrival) => {
                let place = match arrival {
                    Arrival::Found(place) => place,
                    Arrival::Made(place) => {
                        let took = session.clock().now().since(began);
                        account::moved(&group, (&from, &place), reason, took);
                        place
                    }
                };
                let peer = group.find(&place.peer)?;
                mcp.place = Some(place);
                let target = Target {
                    pin: Some(peer),
                    ..base
                };
                mcp.target = Some(target.clone());
                return Some(target);
            }
            Err(stays) => {
                account::stayed(&group, &from, reason, &stays);
                if !stream {
                    match stays {
                        Stays::Denied(reply) => mcp.denied = Some(reply),
                        Stays::NoPeer => {}
                        Stays::OutOfReach => mcp.others = Others::OutOfReach,
                    }
                    return None;
                }
            }
        }
        // Rule 14: a stream stays open; whichever request moves the MCP session moves it too.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        if let Some(place) = binding.place() {
            from.generation = from.generation.min(place.generation - 1);
        }
    }
}
