//! What the access log is told of a request.

use super::Ctx;
use crate::group::Group;
use crate::mcp::Facts;
use crate::session::{Report, Session};

/// Where entries of the access log go. Called on the request's thread: must not block.
pub trait AccessSink: Send + Sync + 'static {
    /// A request has ended.
    fn log(&self, entry: &Entry<'_>);
}

/// One request, as the access log sees it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The downstream half.
    pub session: &'a Session,
    /// What became of it.
    pub report: &'a Report,
    /// Where it went, if it was routed.
    pub group: Option<&'a Group>,
    /// What it is in MCP, if it is.
    pub mcp: Option<&'a Facts>,
}

impl<'a> Entry<'a> {
    pub(super) fn new(session: &'a Session, report: &'a Report, ctx: &'a Ctx) -> Self {
        let group = ctx.group.as_deref();
        let mcp = ctx.mcp.as_deref().map(|mcp| &mcp.facts);
        Self {
            session,
            report,
            group,
            mcp,
        }
    }
}
