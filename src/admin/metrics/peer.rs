//! What is counted for peers.

use std::fmt;
use std::sync::Arc;

use lb::{GroupView, HealthView, PeerView};
use prometheus_client::encoding::DescriptorEncoder;
use proxy::group::{Departed, Group, Peer};

use super::super::group_status::{admin, breaker};
use super::family::{Labels, counters, gauges, truth};

pub(super) fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    groups: &[Arc<Group>],
    views: &[GroupView],
    departed: &[(PeerView, Departed)],
) -> fmt::Result {
    counted(encoder, groups, views, departed)?;
    seen(encoder, groups, views, departed)
}

fn counted(
    encoder: &mut DescriptorEncoder<'_>,
    groups: &[Arc<Group>],
    views: &[GroupView],
    departed: &[(PeerView, Departed)],
) -> fmt::Result {
    let peers = || peers(groups, views, departed);
    counters(
        encoder,
        (
            "backstay_attempts",
            "Attempts on peers, by what came of them",
        ),
        peers().flat_map(|each| {
            let attempts = &each.peer.metrics.attempts;
            let outcomes = [
                ("answered", &attempts.answered),
                ("body", &attempts.body),
                ("cancelled", &attempts.cancelled),
                ("connect", &attempts.connect),
                ("failed_status", &attempts.failed_status),
                ("reset", &attempts.reset),
                ("stale", &attempts.stale),
                ("timeout", &attempts.timeout),
                ("tls", &attempts.tls),
            ];
            outcomes.map(|(outcome, count)| (each.labels("outcome", outcome), count.get()))
        }),
    )?;
    counters(
        encoder,
        (
            "backstay_upstream_connections_opened",
            "Connections to peers, by what they were opened for",
        ),
        peers().flat_map(|each| {
            let metrics = &each.peer.metrics;
            let purposes = [
                ("probe", &metrics.probe_connections),
                ("request", &metrics.connections),
            ];
            purposes.map(|(purpose, count)| (each.labels("by", purpose), count.get()))
        }),
    )?;
    counters(
        encoder,
        (
            "backstay_upstream_connections_reused",
            "Attempts on a connection that had served before",
        ),
        peers().map(|each| (each.label(), each.peer.metrics.reused.get())),
    )?;
    counters(
        encoder,
        ("backstay_probes", "Health checks, by what came of them"),
        peers().flat_map(|each| {
            let metrics = &each.peer.metrics;
            let results = [
                ("busy", &metrics.probes_busy),
                ("failed", &metrics.probes_failed),
                ("passed", &metrics.probes_passed),
            ];
            results.map(|(result, count)| (each.labels("result", result), count.get()))
        }),
    )?;
    counters(
        encoder,
        ("backstay_breaker_opened", "How often the breaker opened"),
        peers().map(|each| (each.label(), each.peer.metrics.breaker_opened.get())),
    )?;
    counters(
        encoder,
        (
            "backstay_peer_restarts",
            "How often the peer was seen to have started over",
        ),
        peers().map(|each| (each.label(), each.peer.metrics.restarts.get())),
    )?;
    counters(
        encoder,
        (
            "backstay_mcp_sessions",
            "MCP sessions that came to the peer and went",
        ),
        peers().flat_map(|each| {
            let sessions = &each.peer.metrics.mcp_sessions;
            let events = [
                ("came", &sessions.came),
                ("ended", &sessions.ended),
                ("left", &sessions.left),
                ("opened", &sessions.opened),
            ];
            events.map(|(event, count)| (each.labels("event", event), count.get()))
        }),
    )
}

fn seen(
    encoder: &mut DescriptorEncoder<'_>,
    groups: &[Arc<Group>],
    views: &[GroupView],
    departed: &[(PeerView, Departed)],
) -> fmt::Result {
    let peers = || peers(groups, views, departed);
    gauges(
        encoder,
        (
            "backstay_peer_healthy",
            "0 when health checks say that it is down, else 1",
        ),
        peers().map(|each| {
            (
                each.label(),
                truth(each.view.health != HealthView::Unhealthy),
            )
        }),
    )?;
    gauges(
        encoder,
        ("backstay_peer_usable", "Whether it takes new requests"),
        peers().map(|each| (each.label(), truth(each.view.usable))),
    )?;
    gauges(
        encoder,
        (
            "backstay_peer_requests_active",
            "Requests in flight now, by peer",
        ),
        peers().map(|each| (each.label(), f64::from(each.view.in_flight))),
    )?;
    gauges(
        encoder,
        (
            "backstay_breaker_state",
            "1 for the state the breaker is in, 0 for the others",
        ),
        peers().flat_map(|each| {
            let state = breaker(each.view.breaker);
            STATES.map(|name| (each.labels("state", name), truth(state == name)))
        }),
    )?;
    gauges(
        encoder,
        (
            "backstay_peer_state",
            "1 for what operators and reloads let the peer do, 0 for the others",
        ),
        peers().flat_map(|each| {
            let state = admin(each.view.admin);
            ADMIN.map(|name| (each.labels("state", name), truth(state == name)))
        }),
    )
}

/// One peer, for its samples.
#[derive(Clone, Copy)]
struct Each<'a> {
    group: &'a str,
    peer: &'a Peer,
    view: &'a PeerView,
}

impl<'a> Each<'a> {
    fn label(self) -> Labels<'a> {
        vec![("group", self.group), ("peer", &self.view.name)]
    }

    fn labels(self, name: &'static str, value: &'a str) -> Labels<'a> {
        let mut labels = self.label();
        labels.push((name, value));
        labels
    }
}

fn peers<'a>(
    groups: &'a [Arc<Group>],
    views: &'a [GroupView],
    departed: &'a [(PeerView, Departed)],
) -> impl Iterator<Item = Each<'a>> {
    let departed = departed.iter().map(|(view, gone)| Each {
        group: gone.group.name(),
        peer: gone.group.peer(gone.peer),
        view,
    });
    let here = groups.iter().zip(views).flat_map(|(group, view)| {
        let both = group.peers.iter().zip(&view.peers);
        both.map(|(peer, view)| Each {
            group: group.name(),
            peer,
            view,
        })
    });
    here.chain(departed)
}

const ADMIN: [&str; 3] = ["disabled", "draining", "enabled"];
const STATES: [&str; 3] = ["closed", "half_open", "open"];
