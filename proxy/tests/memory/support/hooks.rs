//! Hooks that note every call and decide as a test tells them.

use bytes::Bytes;
use http::{Request, response};
use lb::{Change, Delivery, Outcome, PeerIndex};
use proxy::error::{AttemptError, ProxyError};
use proxy::group::Group;
use proxy::hooks::{
    Attempt, Flow, Hooks, Lost, Prefix, Reply, ResponseAction, RetryDecision, Target, UpstreamHead,
};
use proxy::session::{AttemptReport, ConnectionInfo, End, Report, Session};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Hooks that note every call and decide as a test tells them.
///
/// Requests are known by their targets.
pub(crate) struct Spy {
    pub(crate) group: Arc<Group>,
    pub(crate) wish: Wish,
    notes: Mutex<Notes>,
}

/// What a test wants the hooks to do; what is not set is the default.
#[derive(Default)]
#[expect(
    clippy::type_complexity,
    reason = "each is a hook's own signature, written out where it is given"
)]
pub(crate) struct Wish {
    pub(crate) filter: Option<Box<dyn Fn(&mut Session) -> Flow + Send + Sync>>,
    /// Read so many bytes of the body before choosing a group.
    pub(crate) read_body: Option<usize>,
    pub(crate) target: Option<Box<dyn Fn(&Session, Target) -> Target + Send + Sync>>,
    pub(crate) request: Option<Box<dyn Fn(&Attempt<'_>, &mut UpstreamHead<'_>) + Send + Sync>>,
    pub(crate) response: Option<
        Box<
            dyn Fn(&Attempt<'_>, &mut response::Parts, &Prefix<'_>) -> ResponseAction + Send + Sync,
        >,
    >,
    pub(crate) relocate: Option<Box<dyn Fn(&Session, Lost<'_>) -> Option<Target> + Send + Sync>>,
    /// Ask this peer for `/own` before the request is served.
    pub(crate) own: Option<PeerIndex>,
    pub(crate) fail_to_connect: Option<Box<dyn Fn(&AttemptError) -> RetryDecision + Send + Sync>>,
    pub(crate) error_while_proxy: Option<Box<dyn Fn(&AttemptError) -> RetryDecision + Send + Sync>>,
    /// Sees every attempt when its connection is ready, and every one that is settled.
    pub(crate) watch: Option<Box<dyn Watch>>,
    /// The phase that panics.
    pub(crate) panic_in: Option<&'static str>,
}

/// Sees attempts begin and end.
pub(crate) trait Watch: Send + Sync {
    fn connected(&self, attempt: &Attempt<'_>);
    fn settled(&self, attempt: &Attempt<'_>, outcome: &Outcome);
    fn failed(&self, session: &Session, error: &ProxyError);
    fn logged(&self, session: &Session, report: &Report);
}

/// One call of `logging`.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) target: String,
    pub(crate) attempts: Vec<AttemptReport>,
    pub(crate) status: Option<u16>,
    pub(crate) response_bytes: u64,
    pub(crate) tunnelled: Option<u64>,
    pub(crate) end: End,
}

#[derive(Debug, Default)]
struct Notes {
    calls: Vec<(String, &'static str)>,
    logged: Vec<Logged>,
    changes: Vec<Change>,
    /// What exchanges of the hooks' own came to.
    own: Vec<Result<(u16, Bytes), String>>,
    deliveries: Vec<(String, Delivery)>,
}

impl Spy {
    pub(crate) fn new(group: Arc<Group>, wish: Wish) -> Self {
        Self {
            group,
            wish,
            notes: Mutex::default(),
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    fn note(&self, session: &Session, phase: &'static str) {
        let target = session.request.uri.path().to_owned();
        self.notes().calls.push((target, phase));
        assert!(self.wish.panic_in != Some(phase), "as told");
    }

    async fn ask(&self, session: &Session, peer: PeerIndex) -> Result<(u16, Bytes), String> {
        let request = Request::post("/own")
            .body(Bytes::from_static(b"{}"))
            .unwrap();
        let asked = session.exchange(&self.group, peer, request, Duration::from_secs(1));
        let exchanged = asked.await.map_err(|error| error.to_string())?;
        let whole = exchanged.whole(1024).await;
        let answer = whole.map_err(|error| format!("{error:?}"))?;
        Ok((answer.status().as_u16(), answer.into_body()))
    }

    /// The phases that a request went through.
    pub(crate) fn calls(&self, target: &str) -> Vec<&'static str> {
        let notes = self.notes();
        let matching = notes.calls.iter().filter(|(of, _)| of == target);
        matching.map(|(_, phase)| *phase).collect()
    }

    /// The calls of `logging`.
    pub(crate) fn logged(&self) -> Vec<Logged> {
        self.notes().logged.clone()
    }

    /// The only call of `logging` for a request.
    pub(crate) fn only_logged(&self, target: &str) -> Logged {
        let mut matching = self.logged();
        matching.retain(|logged| logged.target == target);
        assert_eq!(
            matching.len(),
            1,
            "{target} was logged {} times",
            matching.len()
        );
        matching.remove(0)
    }

    /// What `fail_to_proxy` was told of a request.
    pub(crate) fn delivery(&self, target: &str) -> Option<Delivery> {
        let notes = self.notes();
        let mut matching = notes.deliveries.iter().filter(|(of, _)| of == target);
        matching.next().map(|(_, delivery)| *delivery)
    }

    /// What exchanges of the hooks' own came to.
    pub(crate) fn own(&self) -> Vec<Result<(u16, Bytes), String>> {
        self.notes().own.clone()
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        self.notes().changes.clone()
    }
}

impl Hooks for Spy {
    type Ctx = ();

    fn new_ctx(&self, _: &ConnectionInfo) {}

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> Flow {
        self.note(session, "request_filter");
        if let Some(peer) = self.wish.own {
            let came = self.ask(session, peer).await;
            self.notes().own.push(came);
        }
        match &self.wish.filter {
            Some(filter) => filter(session),
            None => Flow::Continue,
        }
    }

    async fn upstream_group(&self, session: &mut Session, (): &mut ()) -> Result<Target, Reply> {
        self.note(session, "upstream_group");
        if let Some(limit) = self.wish.read_body {
            drop(session.read_body(limit).await);
        }
        let target = Target::group(Arc::clone(&self.group));
        Ok(match &self.wish.target {
            Some(shape) => shape(session, target),
            None => target,
        })
    }

    fn connected_to_upstream(&self, attempt: &Attempt<'_>, (): &mut ()) {
        self.note(attempt.session, "connected_to_upstream");
        if let Some(watch) = &self.wish.watch {
            watch.connected(attempt);
        }
    }

    fn upstream_request(&self, attempt: &Attempt<'_>, request: &mut UpstreamHead<'_>, (): &mut ()) {
        self.note(attempt.session, "upstream_request");
        if let Some(change) = &self.wish.request {
            change(attempt, request);
        }
    }

    fn upstream_response(
        &self,
        attempt: &Attempt<'_>,
        head: &mut response::Parts,
        prefix: &Prefix<'_>,
        (): &mut (),
    ) -> ResponseAction {
        self.note(attempt.session, "upstream_response");
        match &self.wish.response {
            Some(decide) => decide(attempt, head, prefix),
            None => ResponseAction::Forward,
        }
    }

    fn fail_to_connect(
        &self,
        attempt: &Attempt<'_>,
        error: &AttemptError,
        (): &mut (),
    ) -> RetryDecision {
        self.note(attempt.session, "fail_to_connect");
        let decide = &self.wish.fail_to_connect;
        decide
            .as_ref()
            .map_or(RetryDecision::Policy, |decide| decide(error))
    }

    fn error_while_proxy(
        &self,
        attempt: &Attempt<'_>,
        error: &AttemptError,
        (): &mut (),
    ) -> RetryDecision {
        self.note(attempt.session, "error_while_proxy");
        let decide = &self.wish.error_while_proxy;
        decide
            .as_ref()
            .map_or(RetryDecision::Policy, |decide| decide(error))
    }

    fn classify(&self, attempt: &Attempt<'_>, outcome: &Outcome) -> Option<lb::Verdict> {
        if let Some(watch) = &self.wish.watch {
            watch.settled(attempt, outcome);
        }
        None
    }

    async fn relocate(&self, session: &mut Session, lost: Lost<'_>, (): &mut ()) -> Option<Target> {
        self.note(session, "relocate");
        let relocate = self.wish.relocate.as_ref()?;
        relocate(session, lost)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &ProxyError, (): &mut ()) -> Reply {
        self.note(session, "fail_to_proxy");
        let target = session.request.uri.path().to_owned();
        self.notes().deliveries.push((target, error.delivery()));
        if let Some(watch) = &self.wish.watch {
            watch.failed(session, error);
        }
        proxy::reply::failure(session, error)
    }

    fn on_event(&self, _: &Group, change: &Change) {
        self.notes().changes.push(*change);
    }

    fn logging(&self, session: &Session, report: &Report, (): &mut ()) {
        let logged = Logged {
            target: session.request.uri.path().to_owned(),
            attempts: report.attempts.clone(),
            status: report.status.map(|status| status.as_u16()),
            response_bytes: report.response_bytes,
            tunnelled: report.tunnelled,
            end: report.end,
        };
        self.notes().logged.push(logged);
        if let Some(watch) = &self.wish.watch {
            watch.logged(session, report);
        }
        self.note(session, "logging");
    }
}

/// A reply of a hook's own.
pub(crate) fn reply(status: u16, body: &'static str) -> Reply {
    let mut reply = Reply::new(Bytes::from_static(body.as_bytes()));
    *reply.status_mut() = status.try_into().unwrap();
    reply
}
