//! Asking peers in the gateway's own name, so that an MCP session or a stream can go on with them.

use crate::gateway::{Ctx, fields};
use crate::group::Group;
use crate::hooks::Target;
use crate::mcp::{Era, header};
use crate::route::rewrite;
use crate::session::Session;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, header as http_header};
use lb::{PeerIndex, PickRequest, Tried};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// The peer of a group to try next, or `only` this one. A peer that was tried comes again only if
/// there is no other.
pub(in crate::gateway) fn choose(
    group: &Arc<Group>,
    session: &Session,
    only: Option<PeerIndex>,
    tried: &Tried,
) -> Option<PeerIndex> {
    let target = Target {
        era: Some(Era::Legacy),
        ..Target::group(Arc::clone(group))
    };
    let request = PickRequest {
        serves: target.serves(),
        hash: None,
        pin: only,
        region: None,
        tried,
        repeatable: true,
        retry_same: false,
    };
    let clock = session.clock();
    let pick = group.lb.pick(&request, clock.now(), clock.entropy());
    // Unsettled: the exchange that follows says what is to be said of the peer.
    pick.ok().map(|pick| pick.peer())
}

/// Waits for leave to come to a peer, so that not all that another has lost come at once (rule 8).
pub(in crate::gateway) async fn turn<'a>(
    group: &'a Group,
    session: &Session,
    peer: PeerIndex,
) -> Option<SemaphorePermit<'a>> {
    let slots = &group.peer(peer).migrations;
    let waited = slots.available_permits() == 0;
    let slot = slots.acquire().await.ok()?;
    if waited {
        group.metrics.migrations_waited.increment();
        let micros = session.clock().entropy() % JITTER_MICROS;
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
    Some(slot)
}

/// What a peer is to know of the client besides its message: everything that comes with this
/// request and is not about the message.
pub(in crate::gateway) fn credentials(session: &Session, ctx: &Ctx) -> HeaderMap {
    let mut headers = session.request.headers.clone();
    for name in [
        http_header::ACCEPT_ENCODING,
        http_header::CONTENT_LENGTH,
        http_header::CONTENT_TYPE,
        header::LAST_EVENT_ID.clone(),
        header::METHOD.clone(),
        header::NAME.clone(),
        header::PROTOCOL_VERSION.clone(),
        header::SESSION_ID.clone(),
    ] {
        headers.remove(name);
    }
    fields::edit_request(&mut headers, session, ctx);
    headers
}

/// Where a peer wants what the client asked for.
pub(in crate::gateway) fn path(
    session: &Session,
    base: &Target,
    peer: PeerIndex,
) -> Option<PathAndQuery> {
    let whole = session.request.uri.path_and_query();
    let url = &base.group.peer(peer).url.path;
    whole
        .zip(base.prefix)
        .and_then(|(whole, prefix)| rewrite(whole, prefix, url, base.rewrite.as_deref()))
        .or_else(|| whole.cloned())
}

/// A request to a peer, with the credential that it wants.
pub(in crate::gateway) fn request(
    (group, peer): (&Group, PeerIndex),
    (method, path): (Method, Option<PathAndQuery>),
    headers: &HeaderMap,
    body: Bytes,
) -> Request<Bytes> {
    let json = !body.is_empty();
    let mut request = Request::new(body);
    *request.method_mut() = method;
    if let Some(path) = path {
        *request.uri_mut() = path.into();
    }
    *request.headers_mut() = headers.clone();
    let headers = request.headers_mut();
    if let Some(credential) = &group.peer(peer).credential {
        headers.remove(http_header::AUTHORIZATION);
        headers.insert(credential.name().clone(), credential.value().clone());
    }
    if json {
        headers.insert(
            http_header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
    request
}

/// For one answer of a peer.
pub(in crate::gateway) const PATIENCE: Duration = Duration::from_secs(5);
/// How far those that had to wait for their turn are spread.
const JITTER_MICROS: u64 = 50_000;
