//! What groups and routes change in the fields of heads.

use super::Ctx;
use crate::headers::X_REQUEST_ID;
use crate::hooks::UpstreamHead;
use crate::session::Session;
use crate::settings::{FieldEdits, FieldValue, Template, Variable};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A head whose fields can be changed.
pub(super) trait Fields {
    fn append(&mut self, name: HeaderName, value: HeaderValue);
    fn remove(&mut self, name: &HeaderName);
    fn set(&mut self, name: HeaderName, value: HeaderValue);
}

/// Changes what a peer sees.
pub(super) fn edit_request(head: &mut impl Fields, session: &Session, ctx: &Ctx) {
    for edits in ctx.edits().map(|edits| &edits.request) {
        edit(head, edits, session, ctx);
    }
}

/// Changes what the client sees.
pub(super) fn edit_response(headers: &mut HeaderMap, session: &Session, ctx: &Ctx) {
    for edits in ctx.edits().map(|edits| &edits.response) {
        edit(headers, edits, session, ctx);
    }
}

fn edit(head: &mut impl Fields, edits: &FieldEdits, session: &Session, ctx: &Ctx) {
    for name in &edits.remove {
        head.remove(name);
    }
    for (name, value) in made(&edits.set, session, ctx) {
        head.set(name, value);
    }
    for (name, value) in made(&edits.add, session, ctx) {
        head.append(name, value);
    }
}

/// The fields whose values can be made for this request.
fn made<'a>(
    fields: &'a [(HeaderName, FieldValue)],
    session: &'a Session,
    ctx: &'a Ctx,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> + 'a {
    fields.iter().filter_map(move |(name, value)| {
        let value = match value {
            FieldValue::Fixed(value) => value.clone(),
            FieldValue::Made(template) => {
                HeaderValue::try_from(fill(template, session, ctx)?).ok()?
            }
        };
        Some((name.clone(), value))
    })
}

/// The text of a template for this request; none if one of its variables has no value.
pub(super) fn fill(template: &Template, session: &Session, ctx: &Ctx) -> Option<String> {
    let request = &session.request;
    // The asterisk of OPTIONS is no path (RFC 9112 §3.2.4).
    let path = match request.uri.path() {
        "*" => "/",
        path => path,
    };
    template.fill(|variable| match variable {
        Variable::ClientIp => match &session.connection.forwarded_for {
            Some(client) => client.to_str().ok(),
            // Never nothing: then what the client says of itself would stay (RFC 7239 §6.3).
            None => Some("unknown"),
        },
        Variable::Host => ctx
            .host
            .as_ref()?
            .to_str()
            .ok()
            .map(super::routing::without_port),
        Variable::Path => Some(path),
        Variable::Query => {
            let whole = request.uri.path_and_query()?.as_str();
            // With its question mark; an empty query says nothing.
            whole
                .get(request.uri.path().len()..)
                .filter(|query| query.len() > 1)
                .or(Some(""))
        }
        Variable::RequestId => request.headers.get(X_REQUEST_ID)?.to_str().ok(),
        Variable::Rest => path.get(ctx.prefix.len()..),
    })
}

impl Fields for HeaderMap {
    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        Self::append(self, name, value);
    }

    fn remove(&mut self, name: &HeaderName) {
        Self::remove(self, name);
    }

    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.insert(name, value);
    }
}

impl Fields for UpstreamHead<'_> {
    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.append(name, value);
    }

    fn remove(&mut self, name: &HeaderName) {
        self.remove(name);
    }

    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.set(name, value);
    }
}
