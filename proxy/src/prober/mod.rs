//! Active health checks: on a schedule, jittered, on connections of their own.

mod exchange;
mod grpc;
mod http;
mod mcp;
mod survey;

pub(crate) use survey::survey;
pub use survey::{Checked, Connected, Surveyed};

use crate::events;
use crate::group::{Group, Peer};
use crate::hooks::Hooks;
use crate::network::Network;
use crate::settings::{HttpVersion, Probe, Protocol};
use crate::thread::Thread;
use crate::tls::Wire;
use crate::upstream::{connect, offered};
use lb::{PeerIndex, Probed};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Who is probed, each in a task of its own. Dropping it ends that, in the background.
pub(crate) struct Probers<N: Network, H: Hooks> {
    thread: Rc<Thread<N, H>>,
    /// By the number of the peer.
    watches: BTreeMap<usize, Watch>,
}

/// One peer that is probed. Dropping it ends that, in the background.
struct Watch {
    place: Rc<Place>,
    task: JoinHandle<()>,
    leave: oneshot::Sender<Infallible>,
}

/// The group a peer is in now, and where in it: a reload moves it, and the schedule and the probe
/// session go on.
struct Place(RefCell<(Arc<Group>, PeerIndex)>);

impl<N: Network, H: Hooks> Probers<N, H> {
    pub(crate) fn new(thread: &Rc<Thread<N, H>>) -> Self {
        Self {
            thread: Rc::clone(thread),
            watches: BTreeMap::new(),
        }
    }

    /// Probes the peers of these groups from now on, and no others.
    pub(crate) fn watch(&mut self, groups: &[Arc<Group>]) {
        let mut before = std::mem::take(&mut self.watches);
        for group in groups {
            if group.settings.health_check.probe == Some(Probe::None) {
                continue;
            }
            for (index, peer) in (0..).map(PeerIndex).zip(&group.peers) {
                let now = (Arc::clone(group), index);
                let watch = match before.remove(&peer.number) {
                    Some(watch) => {
                        watch.place.0.replace(now);
                        watch
                    }
                    None => Watch::begin(&self.thread, now),
                };
                self.watches.insert(peer.number, watch);
            }
        }
    }

    /// Ends the probes, and what they keep on their peers.
    pub(crate) async fn end(&mut self) {
        let watches = std::mem::take(&mut self.watches).into_values();
        let (tasks, leaves): (Vec<_>, Vec<_>) =
            watches.map(|watch| (watch.task, watch.leave)).unzip();
        drop(leaves);
        for task in tasks {
            // Each is bounded; one that panicked has ended too.
            drop(task.await);
        }
    }
}

impl Watch {
    fn begin<N: Network, H: Hooks>(
        thread: &Rc<Thread<N, H>>,
        now: (Arc<Group>, PeerIndex),
    ) -> Self {
        let place = Rc::new(Place(RefCell::new(now)));
        let (leave, left) = oneshot::channel();
        let watching = watch(Rc::clone(thread), Rc::clone(&place), left);
        Self {
            place,
            task: tokio::task::spawn_local(watching),
            leave,
        }
    }
}

impl Place {
    fn now(&self) -> (Arc<Group>, PeerIndex) {
        let (group, peer) = &*self.0.borrow();
        (Arc::clone(group), *peer)
    }
}

/// Probes one peer until told to leave; then takes leave of it.
async fn watch<N: Network, H: Hooks>(
    thread: Rc<Thread<N, H>>,
    place: Rc<Place>,
    left: oneshot::Receiver<Infallible>,
) {
    let mut mcp = mcp::ProbeSession::default();
    tokio::select! {
        biased;
        _ = left => {}
        () = go_on(&thread, &place, &mut mcp) => {}
    }
    let (group, index) = place.now();
    let probe = mcp::Probe::of(&thread, &group, index);
    probe.end(&mut mcp, FAREWELL).await;
}

/// Probes one peer, for ever.
async fn go_on<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    place: &Place,
    mcp: &mut mcp::ProbeSession,
) {
    let mut last = None;
    // The first probes are spread, so that a fleet that starts at once does not knock at once.
    let first = place.now().0.settings.health_check.interval.min(FIRST);
    pause(thread, place, spread(first, thread.clock.entropy())).await;
    loop {
        let (group, peer) = place.now();
        let found = probe(thread, &group, peer, mcp).await;
        // The verdict counts where the peer is now.
        let (group, peer) = place.now();
        let now = thread.clock.now();
        let result = match &found {
            Ok(Finding::Busy(cooldown)) => {
                // Load is neither a success nor a failure: the peer is left alone for a while.
                group.lb.shed(peer, *cooldown, now);
                None
            }
            Ok(Finding::Passed) => Some(Probed::Passed),
            Err(_) => Some(Probed::Failed),
        };
        let metrics = &group.peer(peer).metrics;
        match &found {
            Ok(Finding::Busy(_)) => metrics.probes_busy.increment(),
            Ok(Finding::Passed) => metrics.probes_passed.increment(),
            Err(error) => {
                metrics.probes_failed.increment();
                if last != Some(Probed::Failed) {
                    let name = group.peer_name(peer);
                    tracing::warn!(group = group.name(), peer = name, %error, "health_check_failed");
                }
            }
        }
        if last == Some(Probed::Failed) && result == Some(Probed::Passed) {
            let name = group.peer_name(peer);
            tracing::info!(group = group.name(), peer = name, "health_check_passed");
        }
        if let Some(result) = result {
            group.lb.probed(peer, result, now, thread.clock.entropy());
        }
        for change in group.lb.take_changes() {
            events::report(&group, &change);
            thread.hooks.on_event(&group, &change);
        }
        // A verdict about to change is looked at again soon (HAProxy's fastinter).
        let settled = result.is_none() || last == result;
        last = result.or(last);
        let check = &group.settings.health_check;
        let interval = if settled {
            check.interval
        } else {
            check.fast_interval
        };
        drop(group);
        pause(thread, place, jittered(interval, thread.clock.entropy())).await;
    }
}

/// Waits, but no longer than it takes a request to fail on the peer.
async fn pause<N: Network, H: Hooks>(thread: &Thread<N, H>, place: &Place, wait: Duration) {
    let until = thread.clock.now() + wait;
    while thread.clock.now() < until {
        let left = until.since(thread.clock.now());
        tokio::time::sleep(left.min(GLANCE)).await;
        let (group, peer) = place.now();
        if group.peer(peer).take_suspicion() {
            return;
        }
    }
}

/// One probe.
async fn probe<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    group: &Group,
    index: PeerIndex,
    session: &mut mcp::ProbeSession,
) -> Result<Finding, Failed> {
    let check = &group.settings.health_check;
    let peer = group.peer(index);
    let speaks_mcp = match group.settings.protocol {
        Protocol::Mcp => true,
        Protocol::Auto => peer.known.has_spoken(),
        Protocol::Http => false,
    };
    let kind = match &check.probe {
        Some(probe) => probe,
        None if speaks_mcp => &Probe::Mcp,
        None => &Probe::Tcp,
    };
    let probing = async {
        match kind {
            Probe::Grpc(service) => grpc::probe(thread, peer, service).await,
            Probe::Http(probe) => http::probe(thread, peer, probe).await,
            Probe::Mcp => {
                let probe = mcp::Probe::of(thread, group, index);
                probe.run(session).await
            }
            Probe::None => Ok(Finding::Passed),
            Probe::Tcp => {
                let opened = open(thread, peer, check.timeout).await;
                opened.map(|_| Finding::Passed)
            }
        }
    };
    let found = tokio::time::timeout(check.timeout, probing).await;
    if *kind == Probe::Mcp {
        group.asked(index);
        if let Ok(Ok(Finding::Passed)) = found {
            let probe = mcp::Probe::of(thread, group, index);
            // What it does not show in time it shows another time: no part of its health.
            drop(tokio::time::timeout(check.timeout, probe.tools(session)).await);
        }
    }
    found.unwrap_or_else(|_| Err(Failed("no answer in time".to_owned())))
}

/// A connection of the prober's own, counted apart from those of requests.
async fn open<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    timeout: Duration,
) -> Result<N::Stream, Failed> {
    let stream = connect(&thread.network, peer, timeout)
        .await
        .map_err(|_| Failed("no connection".to_owned()))?;
    peer.metrics.probe_connections.increment();
    Ok(stream)
}

/// One on which requests can be sent: with TLS where the peer's URL says so.
async fn secure<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    version: HttpVersion,
    timeout: Duration,
) -> Result<Wire<N::Stream>, Failed> {
    let stream = open(thread, peer, timeout).await?;
    let Some(dialer) = &peer.tls else {
        return Ok(Wire::Plain(stream));
    };
    let shaken = dialer.handshake(stream, offered(version)).await;
    shaken.map_err(|error| Failed(format!("{error}: {}", error.reason())))
}

/// What a probe that was answered found.
#[derive(Debug)]
pub(crate) enum Finding {
    /// The peer has too much to do: for so long.
    Busy(Duration),
    /// It works.
    Passed,
}

/// Why a probe failed.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// 10 % either way, so that probes of many proxies do not fall into step.
fn jittered(interval: Duration, entropy: u64) -> Duration {
    interval.mul_f64(0.9) + spread(interval.mul_f64(0.2), entropy)
}

/// Anything from zero to `most`.
fn spread(most: Duration, entropy: u64) -> Duration {
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(entropy % micros.saturating_add(1))
}

/// How long it may take to end the probe session of a peer: a shutdown waits for it.
const FAREWELL: Duration = Duration::from_secs(1);
/// First probes come within this time: what is down at the start is known soon.
const FIRST: Duration = Duration::from_millis(200);
/// How often a pausing prober looks whether a request has failed.
const GLANCE: Duration = Duration::from_millis(100);
