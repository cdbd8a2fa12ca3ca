//! Who may ask an MCP route: Host and Origin (rule 27).

use super::Ctx;
use crate::mcp::addressing::{Forbidden, check_host};
use crate::session::Session;
use http::header;
use std::net::{IpAddr, Ipv4Addr};

/// Checks Host and Origin of an MCP request before anything is rewritten. An origin that `cors:`
/// lets ask passes.
pub(super) fn check(session: &Session, ctx: &Ctx) -> Result<(), Forbidden> {
    let (headers, local) = (&session.request.headers, &session.connection.local);
    let facts = ctx.mcp.as_deref().map(|mcp| mcp.facts.carries);
    let judged = ctx.origin.is_some() || facts.is_some_and(|carries| !carries.origin);
    let origin = if judged {
        None
    } else {
        headers.get(header::ORIGIN)
    };
    check_host(
        ctx.host.as_ref().map(http::HeaderValue::as_bytes),
        origin.map(http::HeaderValue::as_bytes),
        // A socket in the file system is reached from this machine only, like a loopback address;
        // a proxy before it that passes on what browsers send is no reason to check less.
        local.ip().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ctx.snapshot.hosts.iter().map(String::as_str),
    )
}
