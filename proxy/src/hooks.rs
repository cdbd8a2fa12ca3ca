//! What a program can decide about a request: Pingora's phases, with total answers.
//!
//! ```text
//! new_ctx → request_filter → upstream_group → { pick → connect → (fail_to_connect)
//!   → connected_to_upstream → upstream_request → send, await head → (error_while_proxy)
//!   → classify → upstream_response } × attempts → (fail_to_proxy) → logging
//! ```
//!
//! The failure hooks return a decision; they cannot exceed attempts, budget, body cap or the
//! commit point. A panic in a hook ends its request with 500, is logged, and nothing else.

use crate::error::{AttemptError, ProxyError};
use crate::group::Group;
use crate::mcp::Era;
use crate::session::{ConnectionInfo, Report, Session};
pub use crate::upstream::UpstreamHead;
use bytes::Bytes;
use http::{Response, response};
use lb::{Change, Outcome, PeerIndex, Time, Verdict};
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A whole answer of the proxy's own.
pub type Reply = Response<Bytes>;

/// Decisions about requests. Only [`Hooks::upstream_group`] is required.
///
/// One object serves all threads; the futures of a request stay on its connection's thread and
/// need not be `Send`.
#[expect(
    async_fn_in_trait,
    reason = "the futures run on the thread of their connection and need not be Send"
)]
pub trait Hooks: Send + Sync + 'static {
    /// What the author keeps per request.
    type Ctx: 'static;

    /// The state of a new request.
    fn new_ctx(&self, connection: &ConnectionInfo) -> Self::Ctx;

    /// The head is complete and sound. May answer, or change the request.
    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::Ctx) -> Flow {
        let _ = (session, ctx);
        Flow::Continue
    }

    /// Where the request goes.
    ///
    /// # Errors
    /// The reply that goes downstream instead.
    async fn upstream_group(
        &self,
        session: &mut Session,
        ctx: &mut Self::Ctx,
    ) -> Result<Target, Reply>;

    /// A connection is ready; nothing was sent yet.
    fn connected_to_upstream(&self, attempt: &Attempt<'_>, ctx: &mut Self::Ctx) {
        let _ = (attempt, ctx);
    }

    /// The request head for this attempt, hop-by-hop fields gone, forwarding fields set. What is
    /// changed here is changed for this attempt only.
    fn upstream_request(
        &self,
        attempt: &Attempt<'_>,
        request: &mut UpstreamHead<'_>,
        ctx: &mut Self::Ctx,
    ) {
        let _ = (attempt, request, ctx);
    }

    /// A response head has come; nothing went downstream yet.
    ///
    /// Called again with more of the body as long as it returns [`ResponseAction::Read`].
    fn upstream_response(
        &self,
        attempt: &Attempt<'_>,
        head: &mut response::Parts,
        prefix: &Prefix<'_>,
        ctx: &mut Self::Ctx,
    ) -> ResponseAction {
        let _ = (attempt, head, prefix, ctx);
        ResponseAction::Forward
    }

    /// No connection could be made: nothing was sent, so any request may go to another peer.
    fn fail_to_connect(
        &self,
        attempt: &Attempt<'_>,
        error: &AttemptError,
        ctx: &mut Self::Ctx,
    ) -> RetryDecision {
        let _ = (attempt, error, ctx);
        RetryDecision::Policy
    }

    /// The exchange failed after a connection was made; the request may have reached the peer.
    fn error_while_proxy(
        &self,
        attempt: &Attempt<'_>,
        error: &AttemptError,
        ctx: &mut Self::Ctx,
    ) -> RetryDecision {
        let _ = (attempt, error, ctx);
        RetryDecision::Policy
    }

    /// What an outcome says about the peer, where it is not what the classifier says.
    fn classify(&self, attempt: &Attempt<'_>, outcome: &Outcome) -> Option<Verdict> {
        let _ = (attempt, outcome);
        None
    }

    /// Whether the request may run twice. By default what RFC 9110 §9.2.2 says of its method.
    fn repeat_safe(&self, session: &Session, ctx: &mut Self::Ctx) -> bool {
        let _ = ctx;
        session.request.method.is_idempotent()
    }

    /// The target cannot serve the request: another one, if there is one.
    ///
    /// Asked when no attempt got an answer and the request may be sent again, when
    /// [`Hooks::upstream_response`] wants another target, and when a response stopped short whose
    /// [`Transform`] goes on with another peer's. Before the head has gone downstream it is asked
    /// twice at most; afterwards until it says none, which it must in the end, and it may bring the
    /// response that goes on itself ([`Session::hand_over`]).
    async fn relocate(
        &self,
        session: &mut Session,
        lost: Lost<'_>,
        ctx: &mut Self::Ctx,
    ) -> Option<Target> {
        let _ = (session, lost, ctx);
        None
    }

    /// No peer answered: the answer instead. By default a short text, with the status and the
    /// `Proxy-Status` of the error.
    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &ProxyError,
        ctx: &mut Self::Ctx,
    ) -> Reply {
        let _ = ctx;
        crate::reply::failure(session, error)
    }

    /// Something changed in a group: a breaker, a peer's health, the active tier.
    fn on_event(&self, group: &Group, change: &Change) {
        let _ = (group, change);
    }

    /// The response has ended, one way or another.
    fn logging(&self, session: &Session, report: &Report, ctx: &mut Self::Ctx) {
        let _ = (session, report, ctx);
    }
}

/// Whether a request goes on.
#[derive(Debug)]
pub enum Flow {
    /// On to the next phase.
    Continue,
    /// Answered here.
    Respond(Reply),
}

/// Why a target cannot serve a request.
#[derive(Clone, Copy, Debug)]
pub enum Lost<'a> {
    /// The response stopped short, after its head had gone downstream.
    Cut,
    /// The peer refused it, as [`ResponseAction::Relocate`] says.
    Refused(&'static str),
    /// No attempt got an answer.
    Unanswered(&'a ProxyError),
}

/// How a response body stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// The peer ended it.
    Clean,
    /// The peer cut it.
    Cut,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The peers it may go to.
    pub group: Arc<Group>,
    /// The hash of its key, for consistent hashing.
    pub hash: Option<u64>,
    /// The only peer it may go to.
    pub pin: Option<PeerIndex>,
    /// The region it belongs to.
    pub region: Option<String>,
    /// The era of MCP it speaks: only peers that serve it will do. None: any peer.
    pub era: Option<Era>,
    /// How many bytes at the beginning of the path a route has matched: they are replaced by the
    /// path of the peer's URL, if that has one. None: the path stays as it is.
    pub prefix: Option<usize>,
    /// What stands in the place of the matched bytes, after the path of the peer's URL if it has
    /// one: empty, or a path that does not end with `/`. None: the bytes stay when the URL has no
    /// path.
    pub rewrite: Option<Arc<str>>,
    /// What `Host` a peer sees, instead of what the group says.
    pub host: Option<crate::settings::HostPolicy>,
    /// When the request is tried again, instead of what the group says; the budget is the group's.
    pub retry: Option<Arc<lb::RetryPolicy>>,
    /// Whether MCP rules apply: the peer sees its own authority as `Host`.
    pub mcp: bool,
    /// How long the response may take in all, to its head, and between two pieces; by default
    /// what the group says.
    pub timeouts: crate::settings::Timeouts,
    /// The protocols that the client may switch to, instead of what the group says.
    pub upgrades: Option<Arc<[crate::settings::UpgradeProtocol]>>,
}

impl Target {
    /// The policy of repeating that holds for the request.
    pub(crate) fn retry_policy(&self) -> &lb::RetryPolicy {
        let groups = &self.group.lb.policy().retry;
        self.retry.as_deref().unwrap_or(groups)
    }

    /// The protocols that the client may switch to.
    pub(crate) fn upgrades(&self) -> &[crate::settings::UpgradeProtocol] {
        let groups = &self.group.settings.upgrades;
        self.upgrades.as_ref().unwrap_or(groups)
    }

    /// The only peers it may go to, where not all will do.
    pub(crate) fn serves(&self) -> Option<&lb::PeerSet> {
        self.group.only(self.era?)
    }

    /// Any peer of a group.
    pub fn group(group: Arc<Group>) -> Self {
        let timeouts = group.settings.timeouts;
        Self {
            group,
            hash: None,
            pin: None,
            region: None,
            era: None,
            prefix: None,
            rewrite: None,
            host: None,
            retry: None,
            mcp: false,
            timeouts,
            upgrades: None,
        }
    }

    /// One peer, and no other.
    pub fn peer(group: Arc<Group>, peer: PeerIndex) -> Self {
        Self {
            pin: Some(peer),
            ..Self::group(group)
        }
    }

    /// The peer that owns `key`; another if it cannot serve.
    #[must_use]
    pub fn hashed(self, key: &[u8]) -> Self {
        Self {
            hash: Some(lb::hash64(key)),
            ..self
        }
    }

    /// Peers of `region` first.
    #[must_use]
    pub fn in_region(self, region: impl Into<String>) -> Self {
        Self {
            region: Some(region.into()),
            ..self
        }
    }
}

/// One try of one request against one peer.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The downstream half.
    pub session: &'a Session,
    /// The group.
    pub group: &'a Group,
    /// Which of its peers.
    pub peer: PeerIndex,
    /// 1 for the first.
    pub number: u32,
    /// When it began.
    pub began: Time,
}

impl Attempt<'_> {
    /// The name of the peer.
    pub fn peer_name(&self) -> &str {
        self.group.peer_name(self.peer)
    }
}

/// How much of a response body is known.
#[derive(Clone, Copy, Debug)]
pub struct Prefix<'a> {
    /// What was read.
    pub bytes: &'a [u8],
    /// Whether that is all.
    pub ended: bool,
}

/// What becomes of a response.
#[derive(Debug)]
pub enum ResponseAction {
    /// It goes downstream as it is.
    Forward,
    /// It goes downstream through a transformation.
    Transform(Box<dyn Transform>),
    /// Read on, up to so many bytes of the body, and ask again. Over that: `Forward`.
    Read(usize),
    /// Another answer goes downstream.
    Replace(Reply),
    /// The peer did not do what it was asked: [`Hooks::relocate`] names another target. If it names
    /// none, the hook is asked once more, and its answer goes downstream.
    Relocate(&'static str),
    /// Try again, if it is safe and within the bounds; else it goes downstream as it is.
    Retry(&'static str),
}

/// What a [`Transform`] does of its own accord.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Word {
    /// The peer is left as if it had cut the body.
    Leave,
    /// This goes downstream.
    Say(Bytes),
}

/// A transformation of a response body as it streams.
pub trait Transform: fmt::Debug + 'static {
    /// The next piece.
    fn data(&mut self, piece: Bytes) -> Bytes;

    /// Whether what goes out is as long as what comes in, so that the length the peer announced
    /// holds.
    fn keeps_length(&self) -> bool {
        false
    }

    /// Whether another peer's response should go on where this one stopped:
    /// [`Hooks::relocate`] says whose, and [`Hooks::upstream_response`] sees its head, which does
    /// not go downstream. Only event streams can go on.
    fn goes_on(&self, stop: Stop) -> bool {
        let _ = stop;
        false
    }

    /// What happens although nothing came: asked while the peer is silent, and while another's
    /// response is looked for. It wakes the task when there is something.
    fn poll_word(&mut self, cx: &mut Context<'_>) -> Poll<Word> {
        let _ = cx;
        Poll::Pending
    }

    /// The peer has ended the body; what is to follow, if anything.
    fn end(&mut self) -> Option<Bytes> {
        None
    }

    /// The peer has cut the body: what follows instead of a cut, if anything; the response then
    /// ends as if whole.
    fn cut(&mut self) -> Option<Bytes> {
        None
    }
}

/// What to do about a failed attempt. Whatever it says: attempts, budget, body cap and the commit
/// point bound it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RetryDecision {
    /// As the policy says.
    Policy,
    /// No further attempt.
    Stop,
    /// Another peer, after `backoff` or the policy's wait; not if it is unsafe.
    NextPeer {
        /// How long to wait.
        backoff: Option<Duration>,
    },
    /// The same peer on a fresh connection; not if it is unsafe.
    SamePeerFresh,
    /// Another peer, although the request may have run: the author knows that it may run twice.
    Unsafe {
        /// For the log.
        why: &'static str,
    },
}
