//! The move of an MCP session to another peer, or to its own that has restarted (rules 8 and 9).

use super::asking::{PATIENCE, choose, path, request, turn};
use super::binding::{Binding, Place};
use crate::group::Group;
use crate::hooks::{Reply, Target};
use crate::mcp::initialize::ServerHello;
use crate::mcp::sealed::Replay;
use crate::mcp::{Version, answer, header, replay};
use crate::session::{Exchanged, Session};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header as http_header};
use lb::{PeerIndex, Tried};
use std::sync::Arc;
use std::time::Duration;

/// What a move needs to know.
#[derive(Debug)]
pub(super) struct Move<'a> {
    pub(super) session: &'a Session,
    pub(super) group: &'a Arc<Group>,
    pub(super) binding: &'a Binding,
    /// Where the MCP session was.
    pub(super) from: &'a Place,
    pub(super) replay: &'a Replay,
    /// What a peer is told besides the message; see [`super::credentials`].
    pub(super) headers: &'a HeaderMap,
    /// Where the request would have gone.
    pub(super) base: &'a Target,
    /// The peer still answers, but knows the MCP session no more: it has restarted, and is asked
    /// first (rule 5).
    pub(super) restarted: bool,
}

/// How a request has come to where its MCP session lives now.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Another request has moved it.
    Found(Place),
    /// It has moved it.
    Made(Place),
}

/// Whether an MCP session lives, as its peer says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Life {
    Alive,
    /// The peer does not know it.
    Gone,
    /// The peer does not say.
    Unknown,
}

/// Why an MCP session stays where it is.
#[derive(Debug)]
pub(super) enum Stays {
    /// A peer refused the credential of this request: its answer is the client's (rule 9).
    Denied(Reply),
    /// No peer that answers can take it.
    NoPeer,
    /// No peer took it, and some could not be asked.
    OutOfReach,
}

impl Move<'_> {
    /// Makes the MCP session anew, once however many requests wait for it. Peers that are out of
    /// reach are asked again for a while: the loss of a peer comes seldom alone, and the others may
    /// be about to return.
    pub(super) async fn run(&self) -> Result<Arrival, Stays> {
        let clock = self.session.clock();
        let until = clock.now() + WINDOW;
        let _flight = self.binding.flight.lock().await;
        let mut pause = SHORTEST_PAUSE;
        loop {
            if let Some(place) = self.binding.place()
                && place.generation > self.from.generation
            {
                return Ok(Arrival::Found(place));
            }
            match self.round().await.map(Arrival::Made) {
                Err(Stays::OutOfReach) if clock.now() + pause < until => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                end => return end,
            }
        }
    }

    /// Asks each peer once.
    async fn round(&self) -> Result<Place, Stays> {
        let lost = self.group.find(&self.from.peer);
        let mut tried = Tried::default();
        let mut unfit = Tried::default();
        let mut may_return = false;
        if let Some(lost) = lost
            && !self.restarted
        {
            tried.insert(lost);
        }
        for turn in 0..self.group.peers.len() {
            let first = lost.filter(|_| self.restarted && turn == 0);
            let chosen = self.choose(first, &tried);
            // One that has restarted may have become unusable since it said so.
            let Some(peer) = chosen.or_else(|| self.choose(None, &tried)) else {
                may_return = true;
                break;
            };
            if unfit.contains(peer) {
                break;
            }
            tried.insert(peer);
            match self.open(peer).await {
                Ok((place, news)) => {
                    self.binding.moved(place.clone(), news);
                    return Ok(place);
                }
                Err(Refusal::Denied(reply)) => return Err(Stays::Denied(reply)),
                Err(Refusal::Unfit) => unfit.insert(peer),
                Err(Refusal::OutOfReach) => may_return |= lost != Some(peer),
            }
        }
        Err(if may_return || unfit.is_empty() {
            Stays::OutOfReach
        } else {
            Stays::NoPeer
        })
    }

    fn choose(&self, only: Option<PeerIndex>, tried: &Tried) -> Option<PeerIndex> {
        choose(self.group, self.session, only, tried)
    }

    /// Makes the MCP session on a peer: where it is then, and what its client should hear of.
    async fn open(&self, peer: PeerIndex) -> Result<(Place, Vec<&'static str>), Refusal> {
        let turn = turn(self.group, self.session, peer).await;
        let _turn = turn.ok_or(Refusal::Unfit)?;
        let hello = replay::initialize(self.replay, &self.id());
        let mut answer = self.ask(peer, Method::POST, hello, None).await?;
        if matches!(
            answer.head.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            let denied = timely(answer.whole(self.most())).await?;
            return Err(denied.map_or(Refusal::Unfit, Refusal::Denied));
        }
        match answer.head.status {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => return Err(Refusal::OutOfReach),
            _ => return Err(Refusal::Unfit),
        }
        // A copy: a value of a head holds on to the whole buffer that it was read into, and this one
        // is kept as long as the MCP session.
        let upstream = answer.head.headers.get(&header::SESSION_ID);
        let upstream = upstream.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok());
        let body = result(&mut answer, self.group).await?;
        drop(answer);
        let place = Place {
            generation: self.from.generation + 1,
            peer: self.group.peer_name(peer).to_owned(),
            upstream,
            since: self.session.clock().unix_seconds(),
        };
        let fits =
            ServerHello::peek(&body).filter(|hello| hello.version == Some(self.replay.version));
        let Some(hello) = fits else {
            self.close(peer, &place).await;
            return Err(Refusal::Unfit);
        };
        let news = self.news(peer, &hello);
        if !self.tell(peer, &place, replay::initialized()).await {
            self.close(peer, &place).await;
            return Err(Refusal::Unfit);
        }
        let standing = self.binding.standing();
        if let Some(level) = &standing.level {
            self.tell(peer, &place, replay::set_level(level, &self.id()))
                .await;
        }
        for uri in &standing.subscriptions {
            self.tell(peer, &place, replay::subscribe(uri, &self.id()))
                .await;
        }
        Ok((place, news))
    }

    /// What its client should hear of: rule 16, of declared types only. What is known of lists are
    /// the tools that the prober is shown; for the others the capabilities have to do.
    fn news(&self, peer: PeerIndex, hello: &ServerHello<'_>) -> Vec<&'static str> {
        let mut news = hello.announces();
        if hello.digest() == self.replay.server {
            let tools = |peer: PeerIndex| self.group.peer(peer).known.tools_digest();
            let before = self.group.find(&self.from.peer).and_then(tools);
            let same = before.is_some() && before == tools(peer);
            news.retain(|method| *method == TOOLS_CHANGED && !same);
        }
        news
    }

    /// Whether the MCP session still lives where it was.
    pub(super) async fn life(&self) -> Life {
        let Some(peer) = self.group.find(&self.from.peer) else {
            return Life::Gone;
        };
        let ping = replay::ping(&self.id());
        match self.ask(peer, Method::POST, ping, Some(self.from)).await {
            Ok(answer) => match answer.head.status {
                status if status.is_success() => {
                    drop(timely(answer.whole(self.most())).await);
                    Life::Alive
                }
                // MCP 2025-11-25 "Session Management": 404. Servers that keep no record of ended
                // sessions say 400, as for a missing id.
                StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => Life::Gone,
                _ => Life::Unknown,
            },
            Err(_) => Life::Unknown,
        }
    }

    /// Sends a message on the MCP session; whether the peer took it.
    async fn tell(&self, peer: PeerIndex, place: &Place, message: Bytes) -> bool {
        match self.ask(peer, Method::POST, message, Some(place)).await {
            Ok(answer) if answer.head.status.is_success() => {
                // The answer itself is nobody's.
                drop(timely(answer.whole(self.most())).await);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Ends an MCP session that was made in vain.
    async fn close(&self, peer: PeerIndex, place: &Place) {
        if place.upstream.is_some() {
            drop(
                self.ask(peer, Method::DELETE, Bytes::new(), Some(place))
                    .await,
            );
        }
    }

    async fn ask(
        &self,
        peer: PeerIndex,
        method: Method,
        body: Bytes,
        place: Option<&Place>,
    ) -> Result<Exchanged, Refusal> {
        let to = (method, path(self.session, self.base, peer));
        let mut request = request((self.group, peer), to, self.headers, body);
        let headers = request.headers_mut();
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(http_header::ACCEPT, both);
        if let Some(place) = place {
            if let Some(upstream) = &place.upstream {
                headers.insert(header::SESSION_ID.clone(), upstream.clone());
            }
            if let Ok(version) = HeaderValue::from_str(&self.replay.version.to_string())
                && self.replay.version > Version::V2025_03_26
            {
                headers.insert(header::PROTOCOL_VERSION.clone(), version);
            }
        }
        let asked = self.session.exchange(self.group, peer, request, PATIENCE);
        asked.await.map_err(|_| Refusal::OutOfReach)
    }

    /// How much of an answer is read.
    fn most(&self) -> usize {
        self.group.settings.mcp_limits.answer
    }

    /// An id unlike any of the client's.
    fn id(&self) -> String {
        let clock = self.session.clock();
        format!("backstay-{:016x}{:016x}", clock.entropy(), clock.entropy())
    }
}

/// Why a peer does not take an MCP session.
enum Refusal {
    Denied(Reply),
    Unfit,
    /// It did not answer, or not now.
    OutOfReach,
}

/// The response in an answer, as soon as it is there.
async fn result(answer: &mut Exchanged, group: &Group) -> Result<Bytes, Refusal> {
    let most = group.settings.mcp_limits.answer;
    let mut read = BytesMut::new();
    while let Some(piece) = timely(answer.next()).await? {
        read.extend_from_slice(&piece.map_err(|_| Refusal::Unfit)?);
        if read.len() > most {
            group.metrics.answers_unread.increment();
            break;
        }
        // An event stream may go on after it.
        if let Some(response) = answer::response(&answer.head.headers, &read) {
            return Ok(response.into_owned().into());
        }
    }
    Err(Refusal::Unfit)
}

/// Waits no longer than a move may take for one answer.
async fn timely<T>(work: impl Future<Output = T>) -> Result<T, Refusal> {
    let waited = tokio::time::timeout(PATIENCE, work).await;
    waited.map_err(|_| Refusal::Unfit)
}

/// How long an MCP session waits for a peer that takes it: a restart, or a breaker's open time, and
/// less than any client waits for an answer.
const WINDOW: Duration = Duration::from_secs(5);
/// Between two rounds through the peers.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
