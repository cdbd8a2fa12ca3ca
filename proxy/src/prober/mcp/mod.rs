//! The `mcp` probe: leaves nothing behind on the peer, and learns what it speaks.
//!
//! ```text
//! Learn --- `initialize` gives a session ------> Ping on that session, the only one
//!       --- `server/discover` has a result ----> Discover
//!       --- `initialize` gives none -----------> Ping without a session
//!       <-- refused -------------------------- any of them: the peer has started over
//! ```
//!
//! A session per probe would fill a legacy server's table until it refuses everybody, and a bare
//! GET opens one on older servers, so there is one session, kept with `ping`. What refuses the
//! probe lives all the same: 401 and 403, other client errors, any JSON-RPC error.

mod request;
mod tools;
mod verdict;

use super::{Failed, Finding, exchange::exchange};
use crate::group::{Group, Peer};
use crate::hooks::Hooks;
use crate::known::{Eras, Serves};
use crate::mcp::discovery::{self, Discovery};
use crate::mcp::initialize::ServerHello;
use crate::mcp::{Context, Era, Version, header};
use crate::network::Network;
use crate::thread::Thread;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use lb::{PeerIndex, Time};
use std::time::Duration;
use verdict::Verdict;

/// How a peer is probed, and the one session that takes.
#[derive(Debug, Default)]
pub(super) struct ProbeSession {
    way: Way,
    eras: Eras,
    /// What it calls itself.
    server: Option<u64>,
    /// When its tools were last read.
    listed: Option<Time>,
    /// When it was last asked in both ways.
    learned: Option<Time>,
}

#[derive(Debug, Default)]
enum Way {
    Discover,
    #[default]
    Learn,
    Ping(Held),
}

/// What `initialize` gave.
#[derive(Debug)]
struct Held {
    /// None: the peer keeps no sessions.
    id: Option<HeaderValue>,
    version: HeaderValue,
}

impl ProbeSession {
    /// A peer without sessions never refuses a `ping`, however often it has started over, perhaps as
    /// something that speaks more. To ask it costs it no session either.
    fn may_be_outdated(&self, now: Time) -> bool {
        let pinged = matches!(&self.way, Way::Ping(held) if held.id.is_none());
        pinged && self.learned.is_none_or(|learned| now >= learned + EVERY)
    }
}

/// What one request found, when that settles the probe.
enum Step<T> {
    Done(Finding),
    On(T),
}

/// One peer, and the thread that probes it.
pub(super) struct Probe<'a, N: Network, H: Hooks> {
    thread: &'a Thread<N, H>,
    group: &'a Group,
    index: PeerIndex,
    path: &'a str,
}

impl<'a, N: Network, H: Hooks> Probe<'a, N, H> {
    pub(super) fn of(thread: &'a Thread<N, H>, group: &'a Group, index: PeerIndex) -> Self {
        let peer = group.peer(index);
        // Where MCP is spoken may be seen at any moment. What is asked in both ways is asked in the
        // same place, or the answers would tell of two.
        let path = match (peer.url.path.as_str(), peer.known.path()) {
            ("", seen) => seen.unwrap_or("/"),
            (path, _) => path,
        };
        Self {
            thread,
            group,
            index,
            path,
        }
    }

    /// One probe.
    pub(super) async fn run(&self, session: &mut ProbeSession) -> Result<Finding, Failed> {
        if session.may_be_outdated(self.thread.clock.now()) {
            session.way = Way::Learn;
        }
        let kept = match &session.way {
            Way::Learn => None,
            Way::Discover => match self.discover(session).await? {
                Step::Done(finding) => Some(finding),
                Step::On(eras)
                    if eras.serves(Era::Modern) == Serves::Yes
                        && matches!(session.way, Way::Discover) =>
                {
                    Some(Finding::Passed)
                }
                Step::On(_) => None,
            },
            Way::Ping(held) => self.ping(held).await?,
        };
        if let Some(finding) = kept {
            // A reload may have made another group of it.
            self.group.learn(self.index, session.eras);
            return Ok(finding);
        }
        if !matches!(session.way, Way::Learn) {
            self.restarted("probe_session_lost");
            session.way = Way::Learn;
        }
        session.learned = Some(self.thread.clock.now());
        self.learn(session).await
    }

    /// Asks in both ways what the peer speaks.
    async fn learn(&self, session: &mut ProbeSession) -> Result<Finding, Failed> {
        let eras = match self.discover(session).await? {
            Step::Done(finding) => return Ok(finding),
            Step::On(eras) => eras,
        };
        let response = self.ask(request::initialize(self.path)?).await?;
        let modern = eras.serves(Era::Modern) == Serves::Yes;
        let mut learned = eras;
        let mut held = None;
        match Verdict::of(&response) {
            Verdict::Result(text) => {
                let Some(hello) = ServerHello::peek(&text) else {
                    return self.foreign(session);
                };
                let server = discovery::server_of_initialize(&text);
                self.recognise(session, server);
                learned = learned.with(Era::Legacy, Serves::Yes);
                if let Some(version) = hello.version {
                    learned = learned.and(version);
                }
                held = Some(greeted(&response, hello.version));
            }
            // One that serves neither era keeps its reasons to itself: nothing is known then.
            Verdict::Refused(_) if modern => learned = learned.with(Era::Legacy, Serves::No),
            Verdict::Refused(_) | Verdict::Accepted => learned = Eras::default(),
            Verdict::Barred => {}
            Verdict::Busy(cooldown) => return Ok(Finding::Busy(cooldown)),
            Verdict::Dead(status) => return Err(failed(status)),
            Verdict::Foreign if modern => {}
            Verdict::Foreign => return self.foreign(session),
        }
        session.eras = learned;
        self.group.learn(self.index, learned);
        if let Some(held) = held {
            let keeps = held.id.is_some();
            if keeps {
                // From here on the session is ours to end, whatever comes next.
                let request = request::initialized(self.path, &held)?;
                session.way = Way::Ping(held);
                self.ask(request).await?;
            } else {
                session.way = if modern {
                    Way::Discover
                } else {
                    Way::Ping(held)
                };
            }
        } else if modern {
            session.way = Way::Discover;
        }
        Ok(Finding::Passed)
    }

    /// Asks in the modern way.
    async fn discover(&self, session: &mut ProbeSession) -> Result<Step<Eras>, Failed> {
        let response = self.ask(request::discover(self.path)?).await?;
        let versions = match Verdict::of(&response) {
            Verdict::Result(text) => match Discovery::peek(&text) {
                Some(found) => {
                    self.recognise(session, found.server);
                    self.group.remember(Context::ANONYMOUS, &found);
                    found.versions
                }
                None => return self.foreign(session).map(Step::Done),
            },
            // MCP 2026-07-28 "Protocol Version Negotiation": it says what it would rather speak.
            Verdict::Refused(Some(text)) => discovery::offered(&text),
            Verdict::Refused(None) => Vec::new(),
            Verdict::Accepted | Verdict::Barred => return Ok(Step::Done(Finding::Passed)),
            Verdict::Busy(cooldown) => return Ok(Step::Done(Finding::Busy(cooldown))),
            // A legacy server may trip over a method it does not know.
            Verdict::Dead(StatusCode::INTERNAL_SERVER_ERROR | StatusCode::NOT_IMPLEMENTED) => {
                Vec::new()
            }
            Verdict::Dead(status) => return Err(failed(status)),
            Verdict::Foreign => return self.foreign(session).map(Step::Done),
        };
        let eras = versions.into_iter().fold(Eras::default(), Eras::and);
        Ok(Step::On(match eras.serves(Era::Modern) {
            Serves::Yes => eras,
            Serves::No | Serves::Unknown => eras.with(Era::Modern, Serves::No),
        }))
    }

    /// `ping` on the one probe session; none if that is gone.
    async fn ping(&self, held: &Held) -> Result<Option<Finding>, Failed> {
        let response = self.ask(request::ping(self.path, held)?).await?;
        let lost = |status| matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST);
        Ok(match Verdict::of(&response) {
            Verdict::Busy(cooldown) => Some(Finding::Busy(cooldown)),
            Verdict::Dead(status) => return Err(failed(status)),
            Verdict::Foreign => return Err(Failed("no MCP".to_owned())),
            // MCP 2025-11-25 "Session Management": 404. Servers that keep no record of ended
            // sessions say 400, as for a missing id.
            Verdict::Refused(_) if lost(response.status()) => None,
            Verdict::Accepted | Verdict::Barred | Verdict::Refused(_) | Verdict::Result(_) => {
                Some(Finding::Passed)
            }
        })
    }

    /// Ends the probe session, so that the peer need not keep it until it times out.
    pub(super) async fn end(&self, session: &mut ProbeSession, most: Duration) {
        if let Way::Ping(held) = std::mem::take(&mut session.way)
            && held.id.is_some()
            && let Ok(request) = request::delete(self.path, &held)
        {
            // Whatever it answers, nothing more can be done.
            drop(tokio::time::timeout(most, self.ask(request)).await);
        }
    }

    /// Notes what the peer calls itself. If that is something else than before it has started over,
    /// and may speak something else too.
    fn recognise(&self, session: &mut ProbeSession, server: Option<u64>) {
        let Some(server) = server else { return };
        if session
            .server
            .replace(server)
            .is_some_and(|was| was != server)
        {
            self.restarted("server_info_changed");
            session.way = Way::Learn;
        }
    }

    fn restarted(&self, reason: &'static str) {
        let peer = self.peer();
        peer.known.restarted(self.thread.clock.unix_seconds());
        self.group.tools.forget(self.index);
        peer.known.tools_changed();
        peer.metrics.restarts.increment();
        let (group, peer) = (self.group.name(), self.group.peer_name(self.index));
        tracing::info!(group, peer, reason, "peer_restarted");
    }

    /// What answers as no MCP server is down, if it is known to be one. With `protocol: auto` the
    /// prober may be looking in the wrong place.
    fn foreign(&self, session: &ProbeSession) -> Result<Finding, Failed> {
        if self.group.asks_beforehand() || session.eras != Eras::default() {
            Err(Failed("no MCP".to_owned()))
        } else {
            Ok(Finding::Passed)
        }
    }

    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failed> {
        exchange(self.thread, self.peer(), request).await
    }

    fn peer(&self) -> &Peer {
        self.group.peer(self.index)
    }
}

/// What is kept of an `InitializeResult`.
fn greeted(response: &Response<Bytes>, version: Option<Version>) -> Held {
    let text = version.map(|version| version.to_string());
    let version = text.and_then(|text| HeaderValue::from_str(&text).ok());
    Held {
        id: response.headers().get(&header::SESSION_ID).cloned(),
        version: version.unwrap_or(HeaderValue::from_static("2025-11-25")),
    }
}

fn failed(status: StatusCode) -> Failed {
    Failed(format!("status {}", status.as_u16()))
}

/// Between two looks at what a peer without sessions speaks.
const EVERY: Duration = Duration::from_secs(60);
