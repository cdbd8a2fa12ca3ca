//! A message for a legacy stream.

use super::stream::{Fate, Phase, Place};
use super::{Legacy, LegacyStream, reopen};
use crate::error::ProxyError;
use crate::gateway::continuity::{Bindings, Key, PATIENCE, credentials, request};
use crate::gateway::request::may_run_twice;
use crate::gateway::{Ctx, addressing, faults};
use crate::group::Group;
use crate::hooks::{Lost, Reply, ResponseAction, Target};
use crate::mcp::fault::{Cause, Delivery, Fault, reply as fault_reply};
use crate::mcp::generation::{self, Belongs};
use crate::mcp::standing::{Noted, Standing};
use crate::mcp::{Asked, Context, Era, Id, Message as Parsed, Principal, Repeat, token};
use crate::reply;
use crate::session::Session;
use bytes::Bytes;
use http::response::Parts;
use http::{Method as HttpMethod, StatusCode};
use lb::PeerIndex;
use std::sync::Arc;
use std::time::Duration;

/// A message for a legacy stream that is open here.
#[derive(Debug)]
pub(in crate::gateway) struct Message {
    stream: Arc<LegacyStream>,
    /// The stream's peer that it goes to.
    generation: u32,
    /// It is a request, which is answered on the stream.
    id: Option<Id<'static>>,
    /// Its peer did not know the stream, and another place was waited for.
    unknown: bool,
}

/// Where a message for a legacy stream goes; none if the request is no such message.
pub(in crate::gateway) async fn target(
    bindings: &Bindings,
    session: &mut Session,
    ctx: &mut Ctx,
    group: &Arc<Group>,
) -> Result<Option<(Arc<Group>, PeerIndex)>, Reply> {
    let Some(token) = token::find(session.request.uri.path(), &ctx.prefix) else {
        return Ok(None);
    };
    if addressing::check(session, ctx).is_err() {
        return Err(faults::refuse(Cause::Forbidden, ctx));
    }
    let snapshot = Arc::clone(&ctx.snapshot);
    let principal = Principal::of(&snapshot.binding, &session.request.headers);
    let to = token::open(&snapshot.keys, token, group.name(), principal.as_ref());
    let to = to.map_err(|_| no_stream())?;
    let key = Key::of(group.name(), &to.peer, &to.path);
    let place = match bindings.streams.find(key) {
        Some(stream) => send(stream, session, ctx, (group, principal.as_ref())).await?,
        // The stream is another replica's.
        None => Place {
            generation: 1,
            peer: to.peer,
            path: to.path,
        },
    };
    let home = snapshot.home(group, &place.peer).ok_or_else(no_stream)?;
    ctx.path = Some(place.path.parse().map_err(|_| no_stream())?);
    Ok(Some(home))
}

/// Enters a message where the stream is, which may have to be waited for.
async fn send(
    stream: Arc<LegacyStream>,
    session: &mut Session,
    ctx: &mut Ctx,
    (group, principal): (&Group, Option<&Principal>),
) -> Result<Place, Reply> {
    let body = session.read_body(session.limits.mcp_body).await.ok();
    let body = body.unwrap_or_default();
    let parsed = Parsed::peek(&body);
    let id = match &parsed {
        Parsed::Request(request) => Some(request.id.clone().into_owned()),
        _ => None,
    };
    stream.offer(credentials(session, ctx));
    let Some(place) = stream.live(0, WINDOW).await else {
        return Err(unsent(&stream, id.as_ref(), Cause::NoPeer));
    };
    match &parsed {
        Parsed::Response { id: Some(answers) } => {
            stream.client_answers(answers);
            match generation::answer(&body, place.generation) {
                // Rule 12.
                Some(Belongs::Gone) => {
                    group.metrics.migrations.dropped.increment();
                    return Err(accepted());
                }
                Some(Belongs::Now(body)) if place.generation > 1 => {
                    session.replace_body(body.into());
                }
                _ => {}
            }
        }
        Parsed::Request(request) => {
            let context = || Context::of(principal, &session.request.headers);
            let tools = |name: Option<&str>| may_run_twice(group, context, name);
            let safe = request.repeat(tools) == Repeat::Always;
            let again = safe.then_some(&body);
            let id = request.id.clone().into_owned();
            if stream.ask(&id, request.method, again).is_err() {
                group.metrics.migrations.crowded.increment();
                return Err(unsent(&stream, Some(&id), Cause::Overloaded));
            }
            let most = group.settings.mcp_limits.subscriptions;
            if Standing::is_about(Some(request.method))
                && stream.note(request.method, &body, most) == Noted::Dropped
            {
                group.metrics.subscriptions_dropped.increment();
            }
        }
        _ => {}
    }
    let message = Message::new(stream, place.generation, id);
    ctx.legacy = Some(Legacy::Message(message));
    Ok(place)
}

/// The answer to a message that goes nowhere.
fn unsent(stream: &LegacyStream, id: Option<&Id<'static>>, cause: Cause) -> Reply {
    if stream.phase().0 == Phase::Gone {
        return no_stream();
    }
    if let Some(id) = id {
        stream.reject(id, cause);
    }
    accepted()
}

impl Message {
    fn new(stream: Arc<LegacyStream>, generation: u32, id: Option<Id<'static>>) -> Self {
        Self {
            stream,
            generation,
            id,
            unknown: false,
        }
    }

    /// A request is answered on the stream with an error; 202 is all that clients of this revision
    /// expect here, and what most of them survive.
    fn refused(&self, cause: Cause, delivery: Delivery) -> Reply {
        if let Some(id) = &self.id {
            self.stream.refuse(id, cause, delivery);
        }
        accepted()
    }
}

/// What becomes of the answer to a message.
pub(in crate::gateway) fn answered(message: &mut Message, head: &Parts) -> ResponseAction {
    let status = head.status;
    let Some(id) = &message.id else {
        return ResponseAction::Forward;
    };
    if status.is_success() {
        message.stream.taken(id, message.generation);
        return ResponseAction::Forward;
    }
    // Servers that have restarted know nothing of the stream; those of TypeScript say 400.
    let unknown = matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND);
    if unknown && !std::mem::replace(&mut message.unknown, true) {
        return ResponseAction::Relocate("the peer does not know the stream");
    }
    if let Some(cause) = faults::cause(status) {
        return ResponseAction::Replace(message.refused(cause, Delivery::Unknown));
    }
    message.stream.forget(id);
    ResponseAction::Forward
}

/// Another place for a message, if its stream finds one.
pub(in crate::gateway) async fn relocate(
    session: &mut Session,
    lost: Lost<'_>,
    ctx: &mut Ctx,
) -> Option<Target> {
    let message = match &mut ctx.legacy {
        Some(Legacy::Message(message)) => message,
        Some(Legacy::Stream(_)) => return reopen(session, ctx).await,
        None => return None,
    };
    let patience = match lost {
        // It may be about to hear that its peer has gone.
        Lost::Refused(_) => A_MOMENT,
        Lost::Unanswered(error) if faults::is_loss(error) => {
            message.stream.leave(message.generation);
            WINDOW
        }
        Lost::Cut | Lost::Unanswered(_) => return None,
    };
    let stream = Arc::clone(&message.stream);
    let after = message.generation;
    stream.offer(credentials(session, ctx));
    let place = stream.live(after, patience).await?;
    let base = ctx.base.clone()?;
    let (group, peer) = ctx.snapshot.home(&base.group, &place.peer)?;
    if let Some(Legacy::Message(message)) = &mut ctx.legacy {
        message.generation = place.generation;
    }
    ctx.path = Some(place.path.parse().ok()?);
    ctx.group = Some(Arc::clone(&group));
    Some(Target {
        group,
        pin: Some(peer),
        ..base
    })
}

/// The answer to a message that no peer has answered; none if it is no such message.
pub(in crate::gateway) async fn failed(
    session: &Session,
    error: &ProxyError,
    ctx: &Ctx,
) -> Option<Reply> {
    let Some(Legacy::Message(message)) = &ctx.legacy else {
        return None;
    };
    let fault = faults::fault(error);
    let Some(id) = &message.id else {
        // What answers nothing is nobody's when its peer is gone (rule 12).
        return Some(accepted());
    };
    if fault.delivery == Delivery::NotSent {
        return Some(message.refused(fault.cause, fault.delivery));
    }
    let fate = message.stream.fate(id, message.generation, A_MOMENT).await;
    let again = match fate {
        Fate::Settled => true,
        Fate::Lost(safe) => {
            // Whoever finds another place asks again there.
            message.stream.taken(id, message.generation);
            safe
        }
        Fate::Moved(place, Some(body)) => repeat(session, ctx, (message, id), (place, body)).await,
        Fate::Moved(_, None) | Fate::Unknown => false,
    };
    Some(if again {
        accepted()
    } else {
        message.refused(fault.cause, fault.delivery)
    })
}

/// Sends a request again where its stream is now; whether it was taken.
async fn repeat(
    session: &Session,
    ctx: &Ctx,
    (message, id): (&Message, &Id<'static>),
    (place, body): (Place, Bytes),
) -> bool {
    let Some((base, path)) = ctx.base.as_ref().zip(place.path.parse().ok()) else {
        return false;
    };
    let Some((group, peer)) = ctx.snapshot.home(&base.group, &place.peer) else {
        return false;
    };
    let headers = credentials(session, ctx);
    let request = request(
        (&group, peer),
        (HttpMethod::POST, Some(path)),
        &headers,
        body,
    );
    let answer = session.exchange(&group, peer, request, PATIENCE).await;
    let taken = answer.is_ok_and(|answer| answer.head.status.is_success());
    if taken {
        message.stream.taken(id, place.generation);
    }
    taken
}

fn accepted() -> Reply {
    let fault = Fault {
        cause: Cause::PeerLost,
        delivery: Delivery::Unknown,
        retry_after: None,
    };
    faults::from(fault_reply(Era::Legacy, &Asked::Moot, &fault))
}

fn no_stream() -> Reply {
    let status = StatusCode::NOT_FOUND;
    reply::plain(status, "destination_not_found", "no such stream")
}

/// How long a message waits for its stream to find another place: longer than an MCP session takes
/// for a move, and less than any client waits for an answer.
const WINDOW: Duration = Duration::from_secs(8);
/// How long to wait for news that are on their way.
const A_MOMENT: Duration = Duration::from_secs(1);
