//! Clients of protected servers are told to ask us (rule 28): challenges lead to documents here,
//! and those are about our addresses.

use super::form::Form;
use super::legacy_sse::Legacy;
use super::{Ctx, reading};
use crate::hooks::{Attempt, Lost, Prefix, Reply, ResponseAction, Target, UpstreamHead};
use crate::mcp::oauth;
use crate::route::peer_path;
use crate::session::Session;
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, StatusCode, header};

/// The document that a request asks for.
#[derive(Debug)]
pub(super) struct Document {
    /// The path of the resource it is about, as the client knows it.
    pub(super) resource: String,
    /// The peer has none for the path, so the one at its root is asked for (RFC 9728 §3.1 lets a
    /// server with one resource put it there).
    at_root: bool,
    /// Where the request went.
    target: Option<Target>,
}

impl Document {
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(Self {
            resource: oauth::resource_path(path)?.to_owned(),
            at_root: false,
            target: None,
        })
    }

    /// Notes where the request goes.
    pub(super) fn goes(&mut self, target: &Target) {
        self.target = Some(target.clone());
    }
}

/// Points the challenges in an answer about MCP to our document, which points to us.
pub(super) fn challenge(headers: &mut HeaderMap, session: &Session, ctx: &Ctx) {
    let is_message = matches!(ctx.legacy, Some(Legacy::Message(_)));
    if !headers.contains_key(header::WWW_AUTHENTICATE) || !(ctx.is_about_mcp() || is_message) {
        return;
    }
    let Some(origin) = our_origin(ctx) else {
        return;
    };
    let path = match ctx.prefix.as_str() {
        // Where its stream is; whatever that is, it is below the root.
        "" if is_message => "/",
        "" => session.request.uri.path(),
        prefix => prefix,
    };
    let ours = oauth::metadata_url(&origin, path);
    // A server may give each scheme a line of its own (RFC 9110 §11.6.1).
    if let header::Entry::Occupied(mut lines) = headers.entry(header::WWW_AUTHENTICATE) {
        for line in lines.iter_mut() {
            if let Some(new) = oauth::rewrite_challenge(line, &ours) {
                *line = new;
            }
        }
    }
}

/// Asks a peer for its own document: the one about `/search` here is the one about `/mcp` there.
pub(super) fn edit(attempt: &Attempt<'_>, head: &mut UpstreamHead<'_>, ctx: &Ctx) {
    let Some(document) = &ctx.document else {
        return;
    };
    let peer = attempt.group.peer(attempt.peer);
    let resource = &document.resource;
    // Without a route paths pass as they are.
    let theirs = ctx.route().and_then(|route| {
        let put = route.rewrite.as_deref();
        peer_path(resource, ctx.prefix.len(), &peer.url.path, put)
    });
    let theirs = match &theirs {
        _ if document.at_root => "/",
        Some(theirs) => theirs,
        None => resource,
    };
    if let Ok(path) = oauth::metadata_path(theirs).parse() {
        head.set_path(path);
    }
    // A part of it could not be rewritten.
    head.remove(&header::RANGE);
}

/// What becomes of a peer's document: it says that it is about our address. None: the request asks
/// for something else.
pub(super) fn shape(
    attempt: &Attempt<'_>,
    head: &mut Parts,
    prefix: &Prefix<'_>,
    ctx: &mut Ctx,
) -> Option<ResponseAction> {
    let document = ctx.document.as_mut()?;
    if head.status == StatusCode::NOT_FOUND
        && !document.at_root
        && let Some(target) = &mut document.target
    {
        document.at_root = true;
        target.pin = Some(attempt.peer);
        return Some(ResponseAction::Relocate(AT_ROOT));
    }
    if head.status != StatusCode::OK || Form::of(head) != Form::Json {
        return Some(ResponseAction::Forward);
    }
    if !prefix.ended {
        let more = reading::document(attempt, prefix);
        return Some(more.unwrap_or(ResponseAction::Forward));
    }
    let path = match document.resource.as_str() {
        "/" => String::new(),
        path => path.to_owned(),
    };
    let ours = our_origin(ctx)? + &path;
    let Some(body) = oauth::rewrite_document(prefix.bytes, &ours) else {
        return Some(ResponseAction::Forward);
    };
    let mut reply = Reply::new(Bytes::from(body));
    *reply.headers_mut() = std::mem::take(&mut head.headers);
    for name in OF_BYTES {
        reply.headers_mut().remove(name);
    }
    Some(ResponseAction::Replace(reply))
}

/// Where the document is asked for that a peer does not have for the path: at the root of the same
/// peer.
pub(super) fn elsewhere(lost: Lost<'_>, ctx: &Ctx) -> Option<Target> {
    let document = ctx.document.as_ref()?;
    matches!(lost, Lost::Refused(AT_ROOT)).then(|| document.target.clone())?
}

/// What clients know us by: as the configuration says, else as the request says.
fn our_origin(ctx: &Ctx) -> Option<String> {
    if let Some(origin) = &ctx.snapshot.public_url {
        return Some(origin.clone());
    }
    let host = ctx.host.as_ref()?.to_str().ok()?;
    Some(format!("{}://{host}", ctx.scheme))
}

/// Why a request is made again.
const AT_ROOT: &str = "the peer has no document for the path";
/// Fields about the bytes that the peer sent (RFC 9110 §8.6, §14.3; RFC 9530).
const OF_BYTES: [HeaderName; 4] = [
    header::ACCEPT_RANGES,
    header::CONTENT_LENGTH,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];
