//! The shipped hooks: routes, groups, and what MCP needs, as the configuration says.
//!
//! It is written against the same [`Hooks`] as anybody's: what it cannot do, nobody could.

mod access;
mod addressing;
mod admit;
mod affinity;
mod continuity;
mod cors;
mod ctx;
mod discover;
mod elsewhere;
mod events;
mod faults;
mod fields;
mod flows;
mod form;
mod key;
mod legacy_sse;
mod listen;
mod listing;
mod oauth;
mod reading;
mod request;
mod response;
mod routing;
mod snapshot;

pub use access::{AccessSink, Entry};
pub use ctx::Ctx;
pub use snapshot::{Snapshot, SnapshotError};

use crate::error::{AttemptError, ProxyError};
use crate::group::{Departed, Group};
use crate::hooks::{
    Attempt, Flow, Hooks, Lost, Prefix, Reply, ResponseAction, RetryDecision, Target, UpstreamHead,
};
use crate::server::{Control, ReloadError, Reloaded, ServerSettings};
use crate::session::{ConnectionInfo, Report, Session};
use crate::settings::Settings;
use arc_swap::ArcSwap;
use continuity::Bindings;
use http::HeaderMap;
use http::response::Parts as ResponseParts;
use routing::Routed;
use std::fmt;
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex;

/// The shipped hooks.
pub struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    bindings: Arc<Bindings>,
    access: OnceLock<Arc<dyn AccessSink>>,
    /// One reload at a time: each builds on what the one before has left.
    reloading: Mutex<()>,
}

impl Gateway {
    /// Hooks that do what the settings say.
    ///
    /// # Errors
    /// Groups, routes or keys that cannot be used.
    pub fn new(settings: &Settings) -> Result<Arc<Self>, SnapshotError> {
        let snapshot = Snapshot::new(settings)?;
        Ok(Arc::new(Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            bindings: Bindings::new(settings.limits.mcp_sessions),
            access: OnceLock::new(),
            reloading: Mutex::default(),
        }))
    }

    /// Serves by other settings from now on. Requests in flight keep what they began with; groups
    /// keep health, breakers, budgets and counters by name, their peers by name and URL; peers that
    /// are gone are drained. Reloads happen one after another.
    ///
    /// # Errors
    /// What cannot be used; then nothing has changed.
    pub async fn reload(
        self: &Arc<Self>,
        control: &Control,
        settings: &Settings,
    ) -> Result<Reloaded, NotReloaded> {
        let _turn = self.reloading.lock().await;
        let old = self.snapshot();
        let new = Arc::new(old.succeeded(settings).map_err(NotReloaded::Settings)?);
        let options = server_settings(&new, settings);
        let gateway = Arc::clone(self);
        let commit = move |now| {
            new.inherit(&old, now);
            gateway.snapshot.store(new);
        };
        let reloaded = control.reload(options, commit).await;
        reloaded.map_err(NotReloaded::Server)
    }

    /// Peers that reloads took out and that still finish what they have.
    pub fn departed(&self) -> Vec<Departed> {
        let snapshot = self.snapshot.load();
        let departed = snapshot.departed.iter();
        departed
            .filter(|gone| gone.is_draining())
            .cloned()
            .collect()
    }

    /// The configuration in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The groups in force.
    pub fn groups(&self) -> Vec<Arc<Group>> {
        self.snapshot.load().groups.clone()
    }

    /// MCP sessions that this process knows more of than their ids say.
    pub fn mcp_sessions(&self) -> usize {
        self.bindings.len()
    }

    /// How often one of those made room for another, and was forgotten.
    pub fn mcp_sessions_forgotten(&self) -> u64 {
        self.bindings.forgotten.get()
    }

    /// Event streams of HTTP+SSE (MCP 2024-11-05) that clients hold open.
    pub fn legacy_streams(&self) -> usize {
        self.bindings.streams.len()
    }

    /// What a server needs to serve with these hooks.
    pub fn server_settings(&self, settings: &Settings) -> ServerSettings {
        server_settings(&self.snapshot.load(), settings)
    }

    /// Sends an entry per request to `sink` from now on; a second sink is not taken.
    pub fn log_access(&self, sink: Arc<dyn AccessSink>) {
        // The first one stays: whoever set it relies on it.
        drop(self.access.set(sink));
    }
}

/// An answer of ours, with what group and route put into all their answers.
fn ours(mut reply: Reply, session: &Session, ctx: &Ctx) -> Reply {
    finish(reply.headers_mut(), session, ctx);
    reply
}

/// What every head that a client gets is given at last.
fn finish(headers: &mut HeaderMap, session: &Session, ctx: &Ctx) {
    oauth::challenge(headers, session, ctx);
    cors::answer(headers, ctx);
    fields::edit_response(headers, session, ctx);
}

fn server_settings(snapshot: &Snapshot, settings: &Settings) -> ServerSettings {
    ServerSettings {
        threads: settings.threads,
        listeners: settings.listeners.clone(),
        trusted_proxies: settings.trusted_proxies.clone(),
        limits: settings.limits.clone(),
        dns: settings.dns.clone(),
        groups: snapshot.groups.clone(),
    }
}

/// Why a reload has changed nothing.
#[derive(Debug)]
pub enum NotReloaded {
    /// The server refuses: an address cannot be listened on, or it no longer serves.
    Server(ReloadError),
    /// Groups, routes or keys cannot be used.
    Settings(SnapshotError),
}

impl fmt::Display for NotReloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(error) => error.fmt(f),
            Self::Settings(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotReloaded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Server(_) => None,
            Self::Settings(error) => error.source(),
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("snapshot", &self.snapshot)
            .finish_non_exhaustive()
    }
}

impl Hooks for Gateway {
    type Ctx = Ctx;

    fn new_ctx(&self, _connection: &ConnectionInfo) -> Ctx {
        Ctx::new(self.snapshot.load_full())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Flow {
        match routing::route(session, ctx) {
            Ok(Routed::Answered(reply)) => Flow::Respond(ours(reply, session, ctx)),
            Ok(Routed::Group) => {
                cors::note(session, ctx);
                match cors::preflight(session, ctx) {
                    Some(reply) => Flow::Respond(ours(reply, session, ctx)),
                    None => Flow::Continue,
                }
            }
            Err(refusal) => {
                ctx.refusal = Some(Box::new(refusal));
                Flow::Continue
            }
        }
    }

    async fn upstream_group(&self, session: &mut Session, ctx: &mut Ctx) -> Result<Target, Reply> {
        let target = request::target(&self.bindings, session, ctx).await;
        target.map_err(|reply| ours(reply, session, ctx))
    }

    fn upstream_request(&self, attempt: &Attempt<'_>, head: &mut UpstreamHead<'_>, ctx: &mut Ctx) {
        request::edit(attempt, head, ctx);
    }

    fn upstream_response(
        &self,
        attempt: &Attempt<'_>,
        head: &mut ResponseParts,
        prefix: &Prefix<'_>,
        ctx: &mut Ctx,
    ) -> ResponseAction {
        match response::shape(&self.bindings, attempt, head, prefix, ctx) {
            ResponseAction::Replace(reply) => {
                ResponseAction::Replace(ours(reply, attempt.session, ctx))
            }
            // Asked again, with more of the body.
            action @ ResponseAction::Read(_) => action,
            action => {
                finish(&mut head.headers, attempt.session, ctx);
                action
            }
        }
    }

    fn error_while_proxy(
        &self,
        _: &Attempt<'_>,
        error: &AttemptError,
        ctx: &mut Ctx,
    ) -> RetryDecision {
        faults::after(error, ctx)
    }

    fn repeat_safe(&self, session: &Session, ctx: &mut Ctx) -> bool {
        request::repeat_safe(session, ctx)
    }

    async fn relocate(
        &self,
        session: &mut Session,
        lost: Lost<'_>,
        ctx: &mut Ctx,
    ) -> Option<Target> {
        if let Lost::Refused(why) = lost
            && let Some(target) =
                discover::elsewhere(why, ctx).or_else(|| affinity::sought(why, session, ctx))
        {
            return Some(target);
        }
        let authorizing = oauth::elsewhere(lost, ctx);
        if let Some(target) = authorizing.or_else(|| flows::elsewhere(session, lost, ctx)) {
            return Some(target);
        }
        if ctx.legacy.is_some() {
            return legacy_sse::relocate(session, lost, ctx).await;
        }
        if ctx.mcp.as_ref().is_some_and(|mcp| mcp.listen.is_some()) {
            return listen::relocate(self, session, lost, ctx).await;
        }
        continuity::relocate(&self.bindings, session, lost, ctx).await
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &ProxyError,
        ctx: &mut Ctx,
    ) -> Reply {
        let reply = match legacy_sse::failed(session, error, ctx).await {
            Some(reply) => reply,
            None => faults::failure(&self.bindings, session, error, ctx).await,
        };
        ours(reply, session, ctx)
    }

    fn logging(&self, session: &Session, report: &Report, ctx: &mut Ctx) {
        if let (Some(group), Some(mcp)) = (&ctx.group, &ctx.mcp)
            && let Some(method) = mcp.facts.method
        {
            let took = report.ended.since(session.started);
            group.metrics.mcp_operations.observe(method, took);
        }
        if let Some(sink) = self.access.get() {
            sink.log(&Entry::new(session, report, ctx));
        }
    }
}
