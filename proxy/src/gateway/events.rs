//! Answers that come as events.

use super::affinity::Marking;
use super::continuity::{self, Answering, Bindings, Origin};
use super::ctx::{Ctx, Mcp};
use super::form::Form;
use crate::group::Group;
use crate::hooks::{Attempt, ResponseAction};
use crate::mcp::sse::Scanner;
use crate::mcp::{Asked, Era, Kind};
use crate::settings::PeerLoss;
use lb::Time;
use std::sync::Arc;
use std::time::Duration;

/// Where an event stream comes from, and when it began.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) origin: Option<Origin>,
    pub(super) began: Time,
    /// Puts the mark of its peer where one belongs.
    pub(super) marking: Option<Marking>,
}

impl Source {
    pub(super) fn of(
        bindings: &Arc<Bindings>,
        attempt: &Attempt<'_>,
        group: Option<&Arc<Group>>,
        mcp: &Mcp,
    ) -> Self {
        let origin = group.map(|group| Origin {
            group: Arc::clone(group),
            peer: attempt.peer,
            generation: mcp.generation(),
            session: mcp
                .key(attempt.group)
                .map(|key| (Arc::clone(bindings), key)),
        });
        Self {
            origin,
            began: attempt.session.clock().recent(),
            marking: None,
        }
    }

    pub(super) fn marking(self, marking: Option<Marking>) -> Self {
        Self { marking, ..self }
    }
}

/// The event stream of an MCP session stays open over the loss of its peer (rule 14).
pub(super) fn standing(
    bindings: &Arc<Bindings>,
    attempt: &Attempt<'_>,
    form: Form,
    ctx: &Ctx,
) -> ResponseAction {
    let Some(mcp) = &ctx.mcp else {
        return ResponseAction::Forward;
    };
    if form != Form::Events {
        return if mcp.goes_on() {
            ResponseAction::Relocate("the peer has no such stream")
        } else {
            ResponseAction::Forward
        };
    }
    if attempt.group.settings.on_peer_loss == PeerLoss::Fail {
        return ResponseAction::Forward;
    }
    let source = Source::of(bindings, attempt, ctx.group.as_ref(), mcp);
    let Some(origin) = source.origin.clone() else {
        return ResponseAction::Forward;
    };
    let clock = attempt.session.clock();
    if let Some(ids) = &mcp.resumes {
        // Rule 13: it still answers what was asked, and no other peer can.
        let scanner = Scanner::new(ids.clone());
        let track = mcp.track().clone();
        let answering = Answering::new(scanner, Era::Legacy, false, track, source);
        return ResponseAction::Transform(Box::new(answering));
    }
    let key = mcp.key(attempt.group).unwrap_or_default();
    let Some(binding) = bindings.enter(key, clock.recent()) else {
        // Its client has ended the MCP session meanwhile: nothing follows it.
        return ResponseAction::Forward;
    };
    let pause = Duration::from_micros(clock.entropy() % SPREAD_MICROS);
    let transform = continuity::Standing::new(binding, mcp.track().clone(), origin, pause);
    ResponseAction::Transform(Box::new(transform))
}

/// An answer that comes as events must not end without its response.
pub(super) fn stream(form: Form, mcp: &Mcp, safe: bool, source: Source) -> ResponseAction {
    if form != Form::Events || mcp.facts.kind != Kind::Message {
        return ResponseAction::Forward;
    }
    let awaited = match mcp.asked() {
        Asked::Request(id) => vec![id],
        Asked::Batch(ids) => ids,
        _ => return ResponseAction::Forward,
    };
    // A batch may be answered in part already.
    let safe = safe && awaited.len() == 1;
    let scanner = Scanner::new(awaited);
    let track = mcp.track().clone();
    let answering = Answering::new(scanner, mcp.facts.era, safe, track, source);
    ResponseAction::Transform(Box::new(answering))
}

/// How far the news of a move are spread.
const SPREAD_MICROS: u64 = 2_000_000;
