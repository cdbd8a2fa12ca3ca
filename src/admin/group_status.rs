//! A group as the API shows it, and as `status` reads it.

use std::time::SystemTime;

use lb::{Admin, BreakerView, GroupView, HealthView, PeerView, Strategy, Time};
use proxy::group::{Departed, Group, Peer};
use proxy::known::{Known, Serves};
use proxy::mcp::Era;
use serde::{Deserialize, Serialize};

use crate::rfc3339::rfc3339;

/// All groups.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct GroupList {
    /// In the order of the configuration.
    pub(crate) groups: Vec<GroupStatus>,
    /// How many.
    pub(crate) count: usize,
}

/// One group at one moment.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the API shows each of them under its name"
)]
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct GroupStatus {
    /// Its name.
    pub(crate) name: String,
    /// `active-passive` when it has several tiers, else `active-active`.
    pub(crate) mode: String,
    /// How a peer is chosen inside the tier in use.
    pub(crate) strategy: String,
    /// `ready`: all peers are usable; `partial`: some; `unavailable`: none.
    pub(crate) state: String,
    /// The peer that is put first: the forced one, else the first usable one of the tier in use.
    pub(crate) primary_key: Option<String>,
    /// Whether that one is usable.
    pub(crate) primary_healthy: bool,
    /// Peers.
    pub(crate) total_backends: usize,
    /// Usable peers.
    pub(crate) healthy_backends: usize,
    /// When the tier in use last changed because the one before failed (RFC 3339).
    pub(crate) last_failover: Option<String>,
    /// The priority of the tier in use.
    pub(crate) active_tier: u32,
    /// The peer that an operator put first.
    pub(crate) forced: Option<String>,
    /// Whether health checks are ignored, because by them no peer would be left.
    pub(crate) panic: bool,
    /// Retries that the budget would allow now.
    pub(crate) retry_tokens: u32,
    /// Whether some of its peers serve an era of MCP that others do not.
    #[serde(default)]
    pub(crate) eras_differ: bool,
    /// Whether its peers show the prober different MCP tools.
    #[serde(default)]
    pub(crate) tools_differ: bool,
    /// In the order of the configuration; then those that a reload took out and that still finish
    /// what they have, which no number above counts.
    pub(crate) peers: Vec<PeerStatus>,
}

/// One peer at one moment.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct PeerStatus {
    /// Its name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) url: String,
    /// Its tier; 1 is preferred.
    pub(crate) priority: u32,
    /// Its share inside the tier.
    pub(crate) weight: u16,
    /// Where it stands.
    pub(crate) region: Option<String>,
    /// `healthy`, `unhealthy`, or `unchecked` when no check has spoken.
    pub(crate) health: String,
    /// What operators let it do: `enabled`, `draining`, `disabled`.
    pub(crate) admin: String,
    /// Whether it takes new requests.
    pub(crate) usable: bool,
    /// What its breaker does.
    pub(crate) breaker: BreakerStatus,
    /// Requests in flight.
    pub(crate) in_flight: u32,
    /// Failures in a row.
    pub(crate) consecutive_failures: u32,
    /// How often it was lost.
    pub(crate) losses: u32,
    /// For how long it is left alone because it has too much to do.
    pub(crate) cooling_ms: Option<u64>,
    /// What is known of it as an MCP server, if it was seen to be one.
    pub(crate) mcp: Option<McpStatus>,
}

/// An MCP server as it is known.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct McpStatus {
    /// `legacy`, `modern`, or both.
    pub(crate) eras: Vec<String>,
    /// The revisions it is known to serve.
    pub(crate) versions: Vec<String>,
    /// How often it was seen to have started over.
    pub(crate) restarts: u64,
    /// How many tools it showed the prober.
    pub(crate) tools: Option<usize>,
    /// What tells them from those of another peer.
    pub(crate) tools_digest: Option<String>,
}

impl McpStatus {
    /// What is known; none if nothing is.
    pub(crate) fn new(known: &Known) -> Option<Self> {
        let eras = known.eras();
        let served = [(Era::Legacy, "legacy"), (Era::Modern, "modern")]
            .into_iter()
            .filter(|(era, _)| eras.serves(*era) == Serves::Yes)
            .map(|(_, name)| name.to_owned());
        let served: Vec<String> = served.collect();
        (!served.is_empty()).then(|| Self {
            eras: served,
            versions: eras.versions().map(|one| one.to_string()).collect(),
            restarts: known.incarnation(),
            tools: known.tools(),
            tools_digest: known.tools_digest().map(|digest| format!("{digest:016x}")),
        })
    }
}

/// A breaker at one moment.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct BreakerStatus {
    /// `closed`, `open` or `half_open`.
    pub(crate) state: String,
    /// In how many milliseconds it will try some requests; while it is open.
    pub(crate) reopens_in_ms: Option<u64>,
    /// Why it last opened.
    pub(crate) last_trip: Option<String>,
}

impl GroupStatus {
    /// The group as it is now.
    pub(crate) fn new(group: &Group, departed: &[Departed], now: Time) -> Self {
        let view = group.lb.view(now);
        let primary = primary(&view).and_then(|peer| view.peers.get(peer));
        let usable = view.peers.iter().filter(|peer| peer.usable).count();
        let failed_over = view.last_failover.and_then(|at| {
            let ago = now.since(at);
            SystemTime::now().checked_sub(ago).map(rfc3339)
        });
        let tiers = view.peers.iter().any(|peer| peer.priority != view.active);
        let peers = view.peers.iter().zip(&group.peers);
        let gone = departed
            .iter()
            .filter(|gone| gone.group.name() == group.name());
        let gone = gone.filter_map(|gone| {
            let peer = gone.group.peer(gone.peer);
            Some(PeerStatus::new(&gone.view(now)?, peer, now))
        });
        let forced = view.forced.map(|peer| group.peer_name(peer).to_owned());
        Self {
            name: view.name.clone(),
            mode: if tiers {
                "active-passive"
            } else {
                "active-active"
            }
            .to_owned(),
            strategy: strategy(group.settings.policy.strategy).to_owned(),
            state: state(usable, view.peers.len()).to_owned(),
            primary_key: primary.map(|peer| peer.name.clone()),
            primary_healthy: primary.is_some_and(|peer| peer.usable),
            total_backends: view.peers.len(),
            healthy_backends: usable,
            last_failover: failed_over,
            active_tier: view.active,
            forced,
            panic: view.panic,
            retry_tokens: view.retry_tokens,
            eras_differ: group.eras_differ(),
            tools_differ: group.tools_differ(),
            peers: peers
                .map(|(view, peer)| PeerStatus::new(view, peer, now))
                .chain(gone)
                .collect(),
        }
    }
}

impl PeerStatus {
    fn new(view: &PeerView, peer: &Peer, now: Time) -> Self {
        let url = &peer.url;
        let left = |until: Time| u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX);
        Self {
            name: view.name.clone(),
            url: url.to_string(),
            priority: view.priority,
            weight: view.weight,
            region: view.region.clone(),
            health: health(view.health).to_owned(),
            admin: admin(view.admin).to_owned(),
            usable: view.usable,
            breaker: BreakerStatus {
                state: breaker(view.breaker).to_owned(),
                reopens_in_ms: match view.breaker {
                    BreakerView::Open { until } => Some(left(until)),
                    BreakerView::Closed | BreakerView::HalfOpen => None,
                },
                last_trip: view.last_trip.map(|trip| trip_name(trip).to_owned()),
            },
            in_flight: view.in_flight,
            consecutive_failures: view.failures,
            losses: view.losses,
            cooling_ms: view.cooling_until.map(left),
            mcp: McpStatus::new(&peer.known),
        }
    }
}

/// The peer that is put first: the forced one while it is usable, else the first usable one of the
/// tier in use, else the first of that tier.
pub(super) fn primary(view: &GroupView) -> Option<usize> {
    let usable = |peer: &usize| view.peers.get(*peer).is_some_and(|peer| peer.usable);
    let forced = view.forced.map(|peer| usize::from(peer.0));
    let active = || {
        let peers = view.peers.iter().enumerate();
        let active = peers.filter(|(_, peer)| peer.priority == view.active);
        active.map(|(index, _)| index)
    };
    forced
        .filter(usable)
        .or_else(|| active().find(usable))
        .or_else(|| active().next())
}

pub(super) fn state(usable: usize, all: usize) -> &'static str {
    match usable {
        0 => "unavailable",
        usable if usable < all => "partial",
        _ => "ready",
    }
}

pub(super) fn breaker(breaker: BreakerView) -> &'static str {
    match breaker {
        BreakerView::Closed => "closed",
        BreakerView::HalfOpen => "half_open",
        BreakerView::Open { .. } => "open",
    }
}

fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::ConsistentHash => "consistent_hash",
        Strategy::LeastConnections => "least_connections",
        Strategy::PowerOfTwo => "p2c",
        Strategy::Priority => "priority",
        Strategy::Random => "random",
        Strategy::RoundRobin => "round_robin",
        Strategy::WeightedRoundRobin => "weighted_round_robin",
    }
}

fn health(health: HealthView) -> &'static str {
    match health {
        HealthView::Healthy => "healthy",
        HealthView::Unchecked => "unchecked",
        HealthView::Unhealthy => "unhealthy",
    }
}

pub(super) fn admin(admin: Admin) -> &'static str {
    match admin {
        Admin::Disabled => "disabled",
        Admin::Draining => "draining",
        Admin::Enabled => "enabled",
    }
}

fn trip_name(trip: lb::Trip) -> &'static str {
    match trip {
        lb::Trip::Connect => "connect",
        lb::Trip::Consecutive => "consecutive",
        lb::Trip::Lease => "lease",
        lb::Trip::Probe => "probe",
        lb::Trip::Rate => "rate",
    }
}
