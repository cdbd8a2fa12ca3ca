//! Which peer a modern request goes back to, without a store (rule 26).
//!
//! The modern era has no sessions, but a few things that only their issuer understands: the cursor
//! of a list, the state of a call that asks for input, the id of a task. In groups of more than one
//! peer the first two get a mark on their way to the client, and lose it on their way back; who made
//! a task is remembered.

mod answer;
mod seek;

pub(super) use answer::{Marking, marked};
pub(super) use seek::{seek, sought};

use super::ctx::{Ctx, Mcp};
use super::{faults, request};
use crate::group::Group;
use crate::hooks::Reply;
use crate::mcp::fault::Cause;
use crate::mcp::tied::{self, Bond};
use crate::mcp::{Era, Kind, Message, Method, Name, agree};
use crate::session::Session;
use bytes::Bytes;
use lb::{PeerIndex, Tried};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where a request has to go, because it goes on with what one peer gave.
pub(super) async fn home(
    session: &mut Session,
    ctx: &mut Ctx,
    group: &Arc<Group>,
) -> Result<Option<(Arc<Group>, PeerIndex)>, Reply> {
    let Some(mcp) = ctx.mcp.as_deref_mut().filter(|mcp| ties(mcp, group)) else {
        return Ok(None);
    };
    mcp.tied = true;
    if mcp.body.is_none() {
        mcp.body = request::read(session).await?;
    }
    let Some(body) = mcp.body.clone() else {
        group.metrics.ties_unread.increment();
        return Ok(None);
    };
    let owner = match tied::unwrap(&body, &ctx.snapshot.keys, group.name()) {
        Bond::Foreign => return Err(faults::refuse(Cause::Unowned, ctx)),
        Bond::Free => owner(&body, mcp, group),
        Bond::Peer { peer, body: bare } => {
            // Rule 22: the body was read and decides, so the head must say the same.
            if let Err(mismatch) = agree(&session.request.headers, &Message::peek(&bare)) {
                return Err(faults::refuse(Cause::Mismatch(mismatch), ctx));
            }
            let bare = Bytes::from(bare);
            mcp.body = Some(bare.clone());
            session.replace_body(bare);
            Ok(Some(peer.into()))
        }
    };
    let owner = owner.map_err(|cause| faults::refuse(cause, ctx))?;
    let Some(owner) = owner else {
        let asks = [Method::TasksCancel, Method::TasksGet, Method::TasksResult];
        if let Some(mcp) = &mut ctx.mcp {
            let about = mcp.facts.method.filter(|method| asks.contains(method));
            mcp.seeks = about.map(|_| Tried::default());
        }
        return Ok(None);
    };
    match ctx.snapshot.home(group, &owner) {
        Some(home) => Ok(Some(home)),
        // It left the group, and its time is over.
        None => Err(faults::refuse(Cause::Unowned, ctx)),
    }
}

/// Whether anything could tie a request to one of several peers.
fn ties(mcp: &Mcp, group: &Group) -> bool {
    let facts = &mcp.facts;
    let several = group.peers.len() > 1 && !group.settings.shared_state;
    several && facts.era == Era::Modern && facts.kind == Kind::Message
}

/// The name of the peer that has the tasks a request is about, as far as that is known.
fn owner(body: &[u8], mcp: &Mcp, group: &Group) -> Result<Option<Arc<str>>, Cause> {
    match mcp.facts.method {
        Some(
            Method::TasksCancel | Method::TasksGet | Method::TasksResult | Method::TasksUpdate,
        ) => {
            let named = mcp.facts.name.as_ref().map(Name::as_str);
            // SEP-2663: clients name the task in the head; the body says the same.
            let owner = match (named, Message::peek(body)) {
                (Some(task), _) => group.owner(task),
                (None, Message::Request(request)) => {
                    request.name.and_then(|task| group.owner(&task))
                }
                (None, _) => None,
            };
            Ok(owner)
        }
        Some(Method::SubscriptionsListen) => {
            let tasks = tied::listened(body);
            let owners: BTreeSet<Arc<str>> =
                tasks.iter().filter_map(|task| group.owner(task)).collect();
            if owners.len() > 1 {
                // Rule 15: one stream cannot come from two peers.
                return Err(Cause::Scattered);
            }
            Ok(owners.into_iter().next())
        }
        _ => Ok(None),
    }
}
