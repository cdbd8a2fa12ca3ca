//! Active health checks: on a schedule, jittered, on connections of their own.

mod exchange;
mod http;
mod mcp;

use crate::events;
use crate::group::{Group, Peer};
use crate::hooks::Hooks;
use crate::network::Network;
use crate::settings::{Probe, Protocol};
use crate::thread::Thread;
use crate::tls::Wire;
use crate::upstream::connect;
use lb::{PeerIndex, Probed};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Probes every peer of the groups, each in a task of its own, for ever.
pub(crate) fn start<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    groups: &[Arc<Group>],
) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for group in groups {
        if group.settings.health_check.probe == Some(Probe::None) {
            continue;
        }
        for index in 0..group.peers.len() {
            let Ok(index) = u16::try_from(index) else {
                break;
            };
            let (thread, group) = (Rc::clone(thread), Arc::clone(group));
            let watching = watch(thread, group, PeerIndex(index));
            tasks.push(tokio::task::spawn_local(watching));
        }
    }
    tasks
}

/// Probes one peer, for ever.
async fn watch<N: Network, H: Hooks>(thread: Rc<Thread<N, H>>, group: Arc<Group>, peer: PeerIndex) {
    let check = &group.settings.health_check;
    let mut mcp = mcp::ProbeSession::default();
    let mut last = None;
    // The first probes are spread, so that a fleet that starts at once does not knock at once.
    pause(
        &thread,
        &group,
        peer,
        spread(check.interval.min(FIRST), thread.clock.entropy()),
    )
    .await;
    loop {
        let error = probe(&thread, &group, peer, &mut mcp).await.err();
        let result = if error.is_some() {
            Probed::Failed
        } else {
            Probed::Passed
        };
        let metrics = &group.peer(peer).metrics;
        match &error {
            None => metrics.probes_passed.increment(),
            Some(error) => {
                metrics.probes_failed.increment();
                if last != Some(Probed::Failed) {
                    let name = group.peer_name(peer);
                    tracing::warn!(group = group.name(), peer = name, %error, "health_check_failed");
                }
            }
        }
        if last == Some(Probed::Failed) && result == Probed::Passed {
            let name = group.peer_name(peer);
            tracing::info!(group = group.name(), peer = name, "health_check_passed");
        }
        group
            .lb
            .probed(peer, result, thread.clock.now(), thread.clock.entropy());
        for change in group.lb.take_changes() {
            events::report(&group, &change);
            thread.hooks.on_event(&group, &change);
        }
        // A verdict about to change is looked at again soon (HAProxy's fastinter).
        let settled = last == Some(result);
        last = Some(result);
        let interval = if settled {
            check.interval
        } else {
            check.fast_interval
        };
        pause(
            &thread,
            &group,
            peer,
            jittered(interval, thread.clock.entropy()),
        )
        .await;
    }
}

/// Waits, but no longer than it takes a request to fail on the peer.
async fn pause<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    group: &Group,
    peer: PeerIndex,
    wait: Duration,
) {
    let until = thread.clock.now() + wait;
    while thread.clock.now() < until {
        let left = until.since(thread.clock.now());
        tokio::time::sleep(left.min(GLANCE)).await;
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
) -> Result<(), Failed> {
    let check = &group.settings.health_check;
    let peer = group.peer(index);
    let speaks_mcp = match group.settings.protocol {
        Protocol::Mcp => true,
        Protocol::Auto => peer.speaks_mcp(),
        Protocol::Http => false,
    };
    let kind = match &check.probe {
        Some(probe) => probe,
        None if speaks_mcp => &Probe::Mcp,
        None => &Probe::Tcp,
    };
    let probing = async {
        match kind {
            Probe::Http(probe) => http::probe(thread, peer, probe).await,
            Probe::Mcp => mcp::probe(thread, peer, session).await,
            Probe::None => Ok(()),
            Probe::Tcp => open(thread, peer, check.timeout).await.map(drop),
        }
    };
    match tokio::time::timeout(check.timeout, probing).await {
        Ok(result) => result,
        Err(_) => Err(Failed("no answer in time".to_owned())),
    }
}

/// A connection of the prober's own, counted apart from those of requests.
async fn open<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    timeout: Duration,
) -> Result<N::Stream, Failed> {
    let stream = connect(&thread.network, &peer.url, timeout)
        .await
        .map_err(|_| Failed("no connection".to_owned()))?;
    peer.metrics.probe_connections.increment();
    Ok(stream)
}

/// One on which requests can be sent: with TLS where the peer's URL says so.
async fn secure<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    timeout: Duration,
) -> Result<Wire<N::Stream>, Failed> {
    let stream = open(thread, peer, timeout).await?;
    let Some(dialer) = &peer.tls else {
        return Ok(Wire::Plain(stream));
    };
    let shaken = dialer.handshake(stream).await;
    shaken.map_err(|error| Failed(format!("{error}: {}", error.reason())))
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

/// First probes come within this time: what is down at the start is known soon.
const FIRST: Duration = Duration::from_millis(200);
/// How often a pausing prober looks whether a request has failed.
const GLANCE: Duration = Duration::from_millis(100);
