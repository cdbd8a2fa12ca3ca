//! Another peer's stream behind a client's (rule 17).

use super::stream::Place;
use super::{Legacy, LegacyStream};
use crate::gateway::Ctx;
use crate::gateway::continuity::{PATIENCE, choose, credentials, path, request, turn};
use crate::group::Group;
use crate::hooks::Target;
use crate::mcp::endpoint::{EndpointStage, Step};
use crate::mcp::events::{Cut, Events, event, message};
use crate::mcp::fault::{Cause, Delivery};
use crate::mcp::initialize::ServerHello;
use crate::mcp::metrics::Loss;
use crate::mcp::sealed::Replay;
use crate::mcp::{Message, replay, token};
use crate::session::{Exchanged, Session};
use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lb::{PeerIndex, Tried};
use std::sync::Arc;
use std::time::Duration;

/// Where a legacy stream goes on whose peer is lost, with the answer that does. It is looked for
/// until the client leaves; none if a peer could not be told what it has to know.
pub(super) async fn reopen(session: &mut Session, ctx: &mut Ctx) -> Option<Target> {
    let Some(Legacy::Stream(open)) = &ctx.legacy else {
        return None;
    };
    let stream = Arc::clone(open.stream());
    let base = ctx.base.clone()?;
    let clock = session.clock();
    let began = clock.now();
    // What is lost is told before anything is waited for.
    let hasty = stream.lost(began);
    if !stream.can_move() {
        return None;
    }
    let mut headers = credentials(session, ctx);
    let metrics = &base.group.metrics.migrations;
    tokio::time::sleep(hasty).await;
    let mut pause = FIRST_PAUSE;
    loop {
        let reopening = Reopening {
            session,
            stream: &stream,
            base: &base,
            headers: &headers,
        };
        if let Some((peer, opened)) = reopening.round().await {
            metrics.moved.increment(Loss::Cut);
            metrics.duration.observe(clock.now().since(began));
            let (group, to) = (base.group.name(), base.group.peer_name(peer));
            tracing::info!(group, to, "legacy_stream_migrated");
            session.hand_over(opened);
            return Some(Target {
                pin: Some(peer),
                ..base
            });
        }
        metrics.failed.increment(Loss::Cut);
        tracing::warn!(group = base.group.name(), "legacy_stream_not_migrated");
        pause = match stream.offered(pause).await {
            Some(offered) => {
                // Rule 9: the client has come back with the credential it has now. Its message waits
                // a few seconds only, so peers that are about to return are asked soon.
                headers = offered;
                FIRST_PAUSE
            }
            None => (pause * 2).min(LONGEST_PAUSE),
        };
    }
}

/// A search for a peer that takes a stream.
struct Reopening<'a> {
    session: &'a Session,
    stream: &'a Arc<LegacyStream>,
    base: &'a Target,
    headers: &'a HeaderMap,
}

impl Reopening<'_> {
    /// Asks each peer once; the one that is lost comes last.
    async fn round(&self) -> Option<(PeerIndex, Exchanged)> {
        let group = &self.base.group;
        let (_, from) = self.stream.phase();
        let lost = group.find(&from.peer);
        let mut tried = Tried::default();
        let mut asked = Tried::default();
        if let Some(lost) = lost {
            tried.insert(lost);
        }
        for _ in 0..group.peers.len() {
            let new = |peer: &PeerIndex| !asked.contains(*peer);
            let other = choose(group, self.session, None, &tried).filter(new);
            // Where no other will have it, the one that was lost may be back.
            let back = || lost.and_then(|lost| choose(group, self.session, Some(lost), &tried));
            let peer = other.or_else(back).filter(new)?;
            tried.insert(peer);
            asked.insert(peer);
            let _turn = turn(group, self.session, peer).await?;
            let opening = tokio::time::timeout(PATIENCE, self.open(peer));
            if let Ok(Some(talk)) = opening.await {
                return Some((peer, self.enter(talk, from.generation + 1).await));
            }
        }
        None
    }

    /// Opens a stream at a peer, and makes it what the one before was.
    async fn open(&self, peer: PeerIndex) -> Option<Talk<'_>> {
        let to = path(self.session, self.base, peer);
        let theirs = to.as_ref().map(|to| to.path().to_owned())?;
        let request = request(
            self.peer(peer),
            (Method::GET, to),
            self.headers,
            Bytes::new(),
        );
        let mut answer = self.exchange(peer, request).await?;
        let kind = answer.head.headers.get(header::CONTENT_TYPE);
        let events = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if answer.head.status != StatusCode::OK || !events {
            return None;
        }
        let (uri, after) = endpoint(&mut answer, self.most()).await?;
        let path = token::resolve(&uri, &theirs)?;
        let mut talk = Talk {
            reopening: self,
            peer,
            path: path.parse().ok()?,
            answer,
            events: Events::default(),
            kept: BytesMut::new(),
        };
        talk.events.push(&after);
        if let Some(replay) = self.stream.replay() {
            talk.introduce(&replay).await?;
        }
        Some(talk)
    }

    /// From here on messages for the stream go where it is open now; those that were taken by a
    /// peer that is gone are sent again.
    async fn enter(&self, talk: Talk<'_>, generation: u32) -> Exchanged {
        let place = Place {
            generation,
            peer: self.base.group.peer_name(talk.peer).to_owned(),
            path: talk.path.to_string(),
        };
        self.stream.came_to(place, self.session.clock().now());
        for (id, body) in self.stream.again() {
            if talk.send(body).await.is_none() {
                self.stream.refuse(&id, Cause::PeerLost, Delivery::Unknown);
            }
        }
        talk.end()
    }

    /// How much is read before the stream is the client's.
    fn most(&self) -> usize {
        self.base.group.settings.mcp_limits.answer
    }

    fn peer(&self, peer: PeerIndex) -> (&Group, PeerIndex) {
        (&self.base.group, peer)
    }

    async fn exchange(&self, peer: PeerIndex, request: http::Request<Bytes>) -> Option<Exchanged> {
        let asked = self
            .session
            .exchange(&self.base.group, peer, request, PATIENCE);
        asked.await.ok()
    }
}

/// The address in the first event of a stream, and what came after it.
async fn endpoint(answer: &mut Exchanged, most: usize) -> Option<(String, Bytes)> {
    let mut stage = EndpointStage::new();
    let mut seen = 0;
    while let Some(Ok(piece)) = answer.next().await {
        seen += piece.len();
        if let Step::Endpoint { uri, after, .. } = stage.push(piece) {
            return Some((uri, after));
        }
        if seen > most {
            break;
        }
    }
    None
}

/// A stream and the messages for it, before it is the client's.
struct Talk<'a> {
    reopening: &'a Reopening<'a>,
    peer: PeerIndex,
    path: PathAndQuery,
    answer: Exchanged,
    events: Events,
    /// What is the client's of what came.
    kept: BytesMut,
}

impl Talk<'_> {
    /// Makes it an MCP session with what its client has agreed on and set (rule 8).
    async fn introduce(&mut self, replay: &Replay) -> Option<()> {
        let id = self.id();
        self.send(replay::initialize(replay, &id)).await?;
        let hello = self.reply(&id).await?;
        let hello = ServerHello::peek(hello.as_bytes())?;
        if hello.version != Some(replay.version) {
            return None;
        }
        let stream = self.reopening.stream;
        if hello.digest() != replay.server {
            // Rule 16.
            for method in hello.announces() {
                stream.tell(&event(&format!(
                    r#"{{"jsonrpc":"2.0","method":"{method}"}}"#
                )));
            }
        }
        self.send(replay::initialized()).await?;
        let standing = stream.standing();
        let level = standing.level.iter();
        let level = level.map(|level| -> Box<dyn Fn(&str) -> Bytes> {
            Box::new(move |id| replay::set_level(level, id))
        });
        let uris = standing.subscriptions.iter();
        let uris = uris.map(|uri| -> Box<dyn Fn(&str) -> Bytes> {
            Box::new(move |id| replay::subscribe(uri, id))
        });
        for set in level.chain(uris) {
            let id = self.id();
            self.send(set(&id)).await?;
            // Whatever it says: the client had its answer.
            self.reply(&id).await?;
        }
        Some(())
    }

    /// Sends a message; none if the peer did not take it.
    async fn send(&self, body: Bytes) -> Option<()> {
        let Reopening { headers, .. } = self.reopening;
        let to = (Method::POST, Some(self.path.clone()));
        let mut request = request(self.reopening.peer(self.peer), to, headers, body);
        let any = HeaderValue::from_static("*/*");
        request.headers_mut().insert(header::ACCEPT, any);
        let answer = self.reopening.exchange(self.peer, request).await?;
        let taken = answer.head.status.is_success();
        drop(answer.whole(self.reopening.most()).await);
        taken.then_some(())
    }

    /// The response to a request of ours; what else comes is the client's.
    async fn reply(&mut self, id: &str) -> Option<String> {
        let ours = format!("\"{id}\"");
        loop {
            while let Some(cut) = self.events.cut() {
                let whole = match cut {
                    Cut::Event(whole) => whole,
                    Cut::Part(part) => {
                        self.kept.extend_from_slice(&part);
                        continue;
                    }
                };
                let data = message(&whole);
                match data.as_deref().map(|data| Message::peek(data.as_bytes())) {
                    Some(Message::Response { id: Some(id) }) if id.json() == ours => return data,
                    _ => self.kept.extend_from_slice(&whole),
                }
            }
            if self.kept.len() > self.reopening.most() {
                self.reopening.base.group.metrics.answers_unread.increment();
                return None;
            }
            let piece = self.answer.next().await?.ok()?;
            self.events.push(&piece);
        }
    }

    /// The stream, as its client gets it.
    fn end(mut self) -> Exchanged {
        let rest = self.events.finish();
        self.kept.extend_from_slice(&rest);
        self.answer.unread(self.kept.freeze());
        self.answer
    }

    /// An id unlike any of the client's.
    fn id(&self) -> String {
        let clock = self.reopening.session.clock();
        format!("backstay-{:016x}{:016x}", clock.entropy(), clock.entropy())
    }
}

/// Between two rounds through the peers.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
