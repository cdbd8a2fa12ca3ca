//! Which route a request takes, and the answers that routes give themselves.
#![expect(
    clippy::result_large_err,
    reason = "a refusal is rare, and is moved once: out of here and downstream"
)]

use super::oauth::Document;
use super::{Ctx, fields};
use crate::hooks::Reply;
use crate::mcp::oauth;
use crate::reply;
use crate::route::{self, is_ambiguous};
use crate::session::Session;
use crate::settings::{FixedResponse, Protocol, Redirect, RouteAnswer};
use http::{HeaderValue, StatusCode, header as http_header};
use std::sync::Arc;

/// Where a request goes.
#[derive(Debug)]
pub(super) enum Routed {
    /// Its route answers it.
    Answered(Reply),
    /// To the group that is in the context now.
    Group,
}

/// Finds the route of a request.
///
/// # Errors
/// There is none, or nobody can tell which it is.
pub(super) fn route(session: &Session, ctx: &mut Ctx) -> Result<Routed, Reply> {
    let snapshot = Arc::clone(&ctx.snapshot);
    let path = session.request.uri.path();
    let resource = oauth::resource_path(path);
    ctx.document = Document::of(path);
    ctx.scheme = session.scheme();
    ctx.host = session.request.headers.get(http_header::HOST).cloned();
    let Some(routes) = &snapshot.routes else {
        ctx.group = Some(Arc::clone(snapshot.groups.first().ok_or_else(none)?));
        return Ok(Routed::Group);
    };
    if routes.by_path() && is_ambiguous(path) {
        let status = StatusCode::BAD_REQUEST;
        return Err(reply::plain(
            status,
            "http_request_error",
            "the path is ambiguous",
        ));
    }
    let Some(at) = find(session, routes, resource.unwrap_or(path)) else {
        // Rule 28: the authorization server of 2025-03-26 is at the root, whatever the routes.
        let group = snapshot
            .groups
            .iter()
            .find(|group| group.settings.protocol != Protocol::Http);
        let group = group
            .filter(|_| oauth::is_authorization_path(path))
            .ok_or_else(none)?;
        ctx.group = Some(Arc::clone(group));
        return Ok(Routed::Group);
    };
    let route = routes.get(at).ok_or_else(none)?;
    ctx.route = Some(at);
    ctx.prefix.clone_from(&route.matches.path);
    match &route.answer {
        RouteAnswer::Group(group) => {
            let group = snapshot.groups.get(*group).ok_or_else(none)?;
            ctx.group = Some(Arc::clone(group));
            Ok(Routed::Group)
        }
        RouteAnswer::Redirect(to) => Ok(Routed::Answered(redirect(to, session, ctx))),
        RouteAnswer::Respond(fixed) => Ok(Routed::Answered(respond(fixed))),
    }
}

/// The position of the route that takes `path`.
fn find(session: &Session, routes: &route::Routes, path: &str) -> Option<usize> {
    let request = &session.request;
    let host = request.headers.get(http_header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    routes.find(&route::Facts {
        path,
        query: request.uri.query(),
        method: &request.method,
        host: without_port(host.unwrap_or_default()),
        headers: &request.headers,
    })
}

pub(super) fn none() -> Reply {
    reply::plain(
        StatusCode::NOT_FOUND,
        "destination_not_found",
        "no route leads there",
    )
}

/// The answer that names another address.
fn redirect(redirect: &Redirect, session: &Session, ctx: &Ctx) -> Reply {
    let location = fields::fill(&redirect.to, session, ctx).map(|mut to| {
        let query = session
            .request
            .uri
            .query()
            .filter(|query| !query.is_empty());
        if let Some(query) = query.filter(|_| !to.contains('?')) {
            // A fragment stays behind the query (RFC 3986 §3).
            let at = to.find('#').unwrap_or(to.len());
            to.insert_str(at, query);
            to.insert(at, '?');
        }
        to
    });
    let location = location.and_then(|to| HeaderValue::try_from(to).ok());
    let Some(location) = location else {
        // HTTP/1.0 may come without a Host.
        let status = StatusCode::BAD_REQUEST;
        return reply::plain(status, "http_request_error", "the request names no host");
    };
    let mut reply = Reply::default();
    *reply.status_mut() = redirect.status;
    reply.headers_mut().insert(http_header::LOCATION, location);
    reply
}

/// The same answer for all.
fn respond(fixed: &FixedResponse) -> Reply {
    let mut reply = Reply::new(fixed.body.clone());
    *reply.status_mut() = fixed.status;
    if !fixed.body.is_empty() {
        let kind = fixed.content_type.clone();
        reply.headers_mut().insert(http_header::CONTENT_TYPE, kind);
    }
    reply
}

/// A `Host` without its port.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
