//! What the gateway keeps per request.

use super::Snapshot;
use super::continuity::{Again, Key, Place, Track};
use super::flows::Step;
use super::legacy_sse::Legacy;
use super::listen::Listen;
use super::oauth::Document;
use crate::group::Group;
use crate::hooks::{Reply, Target};
use crate::mcp::sealed::Opened;
use crate::mcp::{Asked, Context, Facts, Id, Kind, Message, Principal, agree};
use crate::session::Session;
use crate::settings::{HeaderEdits, RouteSettings};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use lb::Tried;
use std::cell::OnceCell;
use std::sync::Arc;

/// What the gateway keeps per request.
#[derive(Debug)]
pub struct Ctx {
    /// The configuration the request began with; it sees no other.
    pub(super) snapshot: Arc<Snapshot>,
    /// The position of its route, if there are routes.
    pub(super) route: Option<usize>,
    pub(super) group: Option<Arc<Group>>,
    /// What is answered instead of routing the request.
    pub(super) refusal: Option<Box<Reply>>,
    /// The path of the route, without a slash at its end.
    pub(super) prefix: String,
    pub(super) mcp: Option<Box<Mcp>>,
    /// The request may turn out to open a legacy event stream.
    pub(super) opens_stream: bool,
    /// Its part in a legacy event stream, once that is known.
    pub(super) legacy: Option<Legacy>,
    /// Where it went, for another way there, if it has such a part or may have.
    pub(super) base: Option<Target>,
    /// Where peers want it, if that is not where the route leads.
    pub(super) path: Option<http::uri::PathAndQuery>,
    /// The protected-resource document it asks for, if it does.
    pub(super) document: Option<Document>,
    /// The step it is of an authorization, if it is one.
    pub(super) step: Option<Box<Step>>,
    /// The `Host` the client asked for, before anything was rewritten.
    pub(super) host: Option<HeaderValue>,
    /// What the answer says of who may read it, if `cors:` lets the origin ask.
    pub(super) origin: Option<HeaderValue>,
    /// The scheme the client used.
    pub(super) scheme: &'static str,
}

/// What the gateway keeps of an MCP request.
#[derive(Debug)]
pub(super) struct Mcp {
    pub(super) facts: Facts,
    pub(super) principal: Option<Principal>,
    pub(super) session: Option<Opened>,
    /// Where the MCP session lives now.
    pub(super) place: Option<Place>,
    /// Where the request went, for another way there.
    pub(super) target: Option<Target>,
    /// How far its event stream has come.
    track: OnceCell<Track>,
    /// How often that stream went on elsewhere.
    pub(super) again: Again,
    /// What is kept of it over the loss of its peer, if it is a `subscriptions/listen` whose head
    /// has gone downstream.
    pub(super) listen: Option<Listen>,
    /// The answer of a peer that would not take the MCP session with this credential.
    pub(super) denied: Option<Reply>,
    /// What the other peers are to its MCP session, once its own is lost.
    pub(super) others: Others,
    /// Its peer did not know the MCP session, and another place was asked for.
    pub(super) unknown: bool,
    /// The upstream session in whose words it is told: 1 is the first.
    pub(super) told: u32,
    /// What the stream that it resumes has not answered, if that was a stream of answers.
    pub(super) resumes: Option<Vec<Id<'static>>>,
    /// Its body, if it was read.
    pub(super) body: Option<Bytes>,
    /// What its MCP session is known by, once that was worked out.
    key: OnceCell<Key>,
    /// For whom its answer is made, once that was worked out.
    context: OnceCell<Context>,
    /// The attempt whose answer is held until it is whole, and needs no other look at its head; 0:
    /// none.
    pub(super) held: u32,
    /// Whom its answer is for, once its body was read.
    asked: OnceCell<Asked>,
    /// Its facts are those of its body, which is one request, and its head does not contradict them.
    pub(super) whole: bool,
    /// Peers that do not have the task it is about, while the one that has is being looked for.
    pub(super) seeks: Option<Tried>,
    /// Its answer may tie the next request to its peer, so it is looked into.
    pub(super) tied: bool,
    /// Whether it may run twice by its body, once that was checked against its head.
    pub(super) safe: Option<bool>,
    /// How often a legacy peer refused to say what it speaks.
    pub(super) moves: u8,
}

/// What the other peers are to an MCP session whose own is lost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Others {
    /// They could not be asked, and may take it later.
    OutOfReach,
    /// They do not take it.
    #[default]
    Unfit,
}

impl Ctx {
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot,
            route: None,
            group: None,
            refusal: None,
            prefix: String::new(),
            mcp: None,
            opens_stream: false,
            legacy: None,
            base: None,
            path: None,
            document: None,
            step: None,
            host: None,
            origin: None,
            scheme: "http",
        }
    }

    /// The route it takes, if there are routes.
    pub(super) fn route(&self) -> Option<&RouteSettings> {
        self.snapshot.routes.as_ref()?.get(self.route?)
    }

    /// Whether it is MCP's: a message, a stream, or a document that says who grants access.
    pub(super) fn is_about_mcp(&self) -> bool {
        self.mcp.is_some() || self.opens_stream || self.document.is_some()
    }

    /// What is changed in heads: by the group, then by the route.
    pub(super) fn edits(&self) -> impl Iterator<Item = &HeaderEdits> {
        let group = self.group.iter().map(|group| &group.settings.headers);
        group.chain(self.route().map(|route| &route.headers))
    }
}

impl Mcp {
    pub(super) fn new(facts: Facts) -> Self {
        Self {
            facts,
            principal: None,
            session: None,
            place: None,
            target: None,
            track: OnceCell::new(),
            again: Again::default(),
            listen: None,
            denied: None,
            others: Others::default(),
            unknown: false,
            told: 1,
            resumes: None,
            body: None,
            key: OnceCell::new(),
            context: OnceCell::new(),
            held: 0,
            asked: OnceCell::new(),
            whole: false,
            seeks: None,
            tied: false,
            safe: None,
            moves: 0,
        }
    }

    /// One whose body was read to learn what it is.
    pub(super) fn of_body(
        facts: Facts,
        message: &Message<'_>,
        body: Bytes,
        head: &HeaderMap,
    ) -> Self {
        let asked = Asked::of(facts.kind, Some(message));
        Self {
            body: Some(body),
            asked: OnceCell::from(asked),
            whole: matches!(message, Message::Request(_)) && agree(head, message).is_ok(),
            ..Self::new(facts)
        }
    }

    /// How far its event stream has come.
    pub(super) fn track(&self) -> &Track {
        self.track.get_or_init(Track::default)
    }

    /// Whether its event stream has gone downstream, up to where it stopped.
    pub(super) fn goes_on(&self) -> bool {
        self.track.get().is_some_and(Track::is_begun)
    }

    /// What its MCP session is known by in this process, if it has one.
    pub(super) fn key(&self, group: &Group) -> Option<Key> {
        let payload = &self.session.as_ref()?.payload;
        let key = || Key::of(group.name(), &payload.peer, &payload.upstream);
        Some(*self.key.get_or_init(key))
    }

    /// For whom the answer is made.
    pub(super) fn context(&self, session: &Session) -> Context {
        if !self.facts.carries.credential && self.principal.is_none() {
            return Context::ANONYMOUS;
        }
        let digest = || Context::of(self.principal.as_ref(), &session.request.headers);
        *self.context.get_or_init(digest)
    }

    /// The upstream session behind its MCP session: 1 is the first.
    pub(super) fn generation(&self) -> u32 {
        self.place.as_ref().map_or(1, |place| place.generation)
    }

    /// Whom an answer of ours is for.
    pub(super) fn asked(&self) -> Asked {
        let body = self
            .body
            .as_ref()
            .filter(|_| self.facts.kind == Kind::Message);
        let Some(body) = body else {
            return Asked::of(self.facts.kind, None);
        };
        let read = || Asked::of(Kind::Message, Some(&Message::peek(body)));
        self.asked.get_or_init(read).clone()
    }
}
