//! Browsers of other origins: preflights, and what scripts may read (rule 27; Fetch §3.2).

use super::{Ctx, addressing, faults};
use crate::hooks::Reply;
use crate::mcp::fault::Cause;
use crate::mcp::header as mcp_header;
use crate::session::Session;
use crate::settings::{CorsSettings, Origins, Protocol};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// What browsers are told, ready to be put into heads.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Origins,
    headers: HeaderValue,
    expose: HeaderValue,
    max_age: HeaderValue,
}

impl Cors {
    pub(super) fn new(settings: &CorsSettings) -> Self {
        let requests = [
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            mcp_header::LAST_EVENT_ID.clone(),
            mcp_header::METHOD.clone(),
            mcp_header::NAME.clone(),
            mcp_header::PROTOCOL_VERSION.clone(),
            mcp_header::SESSION_ID.clone(),
        ];
        let answers = [
            mcp_header::PROTOCOL_VERSION.clone(),
            mcp_header::SESSION_ID.clone(),
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
        ];
        Self {
            origins: settings.origins.clone(),
            headers: listed(requests.iter().chain(&settings.headers)),
            expose: listed(answers.iter().chain(&settings.expose)),
            max_age: settings.max_age.as_secs().into(),
        }
    }

    /// What an answer says of who may read it; none if the origin may not, or there is none.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        match &self.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Listed { origins, .. } => origins.contains(origin).then(|| origin.clone()),
        }
    }

    fn is_with_credentials(&self) -> bool {
        matches!(
            self.origins,
            Origins::Listed {
                credentials: true,
                ..
            }
        )
    }

    /// Lets the origin read an answer. What the peer said of other origins goes: two answers are
    /// none to a browser.
    fn open(&self, headers: &mut HeaderMap, allowed: &HeaderValue) {
        for name in OURS {
            headers.remove(name);
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
        if self.is_with_credentials() {
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if matches!(self.origins, Origins::Listed { .. }) {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
    }
}

/// Notes whether the origin of a request to the group of its route is one that may ask.
pub(super) fn note(session: &Session, ctx: &mut Ctx) {
    let speaks_mcp = ctx
        .group
        .as_ref()
        .is_some_and(|group| group.settings.protocol != Protocol::Http);
    let cors = ctx.snapshot.cors.as_ref().filter(|_| speaks_mcp);
    ctx.origin = cors.and_then(|cors| cors.allowed(&session.request.headers));
}

/// The answer to a preflight: neither its route's peers nor credentials have a part in it.
pub(super) fn preflight(session: &Session, ctx: &Ctx) -> Option<Reply> {
    let request = &session.request;
    let cors = ctx.snapshot.cors.as_ref()?;
    let allowed = ctx.origin.as_ref()?;
    let wanted = request.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    // Any other is of a request that is not MCP's.
    let ours = METHODS.split(", ").any(|method| method == wanted);
    if request.method != Method::OPTIONS || !ours {
        return None;
    }
    if addressing::check(session, ctx).is_err() {
        return Some(faults::unread(Cause::Forbidden, ctx));
    }
    let mut reply = Reply::new(Bytes::new());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let headers = reply.headers_mut();
    cors.open(headers, allowed);
    let methods = HeaderValue::from_static(METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, cors.headers.clone());
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, cors.max_age.clone());
    Some(reply)
}

/// Lets the origin of an MCP request read what it is answered.
pub(super) fn answer(headers: &mut HeaderMap, ctx: &Ctx) {
    if let (Some(cors), Some(allowed)) = (&ctx.snapshot.cors, &ctx.origin)
        && ctx.is_about_mcp()
    {
        cors.open(headers, allowed);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, cors.expose.clone());
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a HeaderName>) -> HeaderValue {
    let names: Vec<_> = names.map(HeaderName::as_str).collect();
    // Names are tokens, so there is nothing in them that a value could not hold.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

/// What MCP asks with (2025-11-25, Streamable HTTP).
const METHODS: &str = "GET, POST, DELETE";
/// What says to browsers what they may.
const OURS: [HeaderName; 4] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
];
