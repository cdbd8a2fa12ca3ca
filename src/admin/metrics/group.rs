//! What is counted for groups.

use std::fmt;
use std::sync::Arc;

use lb::{GroupView, Time};
use prometheus_client::encoding::DescriptorEncoder;
use proxy::group::Group;
use proxy::grpc::Status;

use super::super::group_status::primary;
use super::family::{Labels, counters, durations, gauges, number, truth};
use super::mcp;

pub(super) fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    groups: &[Arc<Group>],
    views: &[GroupView],
    now: Time,
) -> fmt::Result {
    requests(encoder, groups)?;
    calls(encoder, groups)?;
    failures(encoder, groups)?;
    tunnels(encoder, groups)?;
    mcp::encode(encoder, groups)?;
    peers(encoder, groups, views)?;
    tiers(encoder, groups, views, now)
}

fn requests(encoder: &mut DescriptorEncoder<'_>, groups: &[Arc<Group>]) -> fmt::Result {
    counters(
        encoder,
        (
            "backstay_requests",
            "Requests that ended, by the class of their status",
        ),
        groups.iter().flat_map(|group| {
            let classes = CLASSES.iter().zip(&group.metrics.responses);
            classes.map(|(class, count)| (labels(group, "code", class), count.get()))
        }),
    )?;
    durations(
        encoder,
        (
            "backstay_request_duration_seconds",
            "From the request head to the end of the response",
        ),
        groups
            .iter()
            .map(|group| (label(group), &group.metrics.duration)),
    )?;
    gauges(
        encoder,
        (
            "backstay_group_requests_active",
            "Requests in flight now, by group",
        ),
        groups
            .iter()
            .map(|group| (label(group), number(group.metrics.active.get()))),
    )?;
    counters(
        encoder,
        (
            "backstay_requests_cancelled",
            "Requests whose client left before the end",
        ),
        groups
            .iter()
            .map(|group| (label(group), group.metrics.cancelled.get())),
    )
}

/// Calls of gRPC; a group that has none has no samples.
fn calls(encoder: &mut DescriptorEncoder<'_>, groups: &[Arc<Group>]) -> fmt::Result {
    counters(
        encoder,
        (
            "backstay_grpc_responses",
            "Calls of gRPC that ended, by the code of their status",
        ),
        groups.iter().flat_map(|group| {
            let counts = Status::all().zip(&group.metrics.calls);
            counts
                .filter(|(_, count)| count.get() > 0)
                .map(|(status, count)| (labels(group, "code", status.name()), count.get()))
        }),
    )
}

fn failures(encoder: &mut DescriptorEncoder<'_>, groups: &[Arc<Group>]) -> fmt::Result {
    counters(
        encoder,
        (
            "backstay_retries",
            "Attempts after the first; those after nothing was sent cost no budget",
        ),
        groups.iter().flat_map(|group| {
            let retries = &group.metrics.retries;
            let kinds = [
                ("charged", &retries.charged),
                ("not_sent", &retries.not_sent),
            ];
            kinds.map(|(kind, count)| (labels(group, "kind", kind), count.get()))
        }),
    )?;
    counters(
        encoder,
        (
            "backstay_retries_refused",
            "Attempts not made, because the budget was spent",
        ),
        groups
            .iter()
            .map(|group| (label(group), group.metrics.retries.budget.get())),
    )?;
    counters(
        encoder,
        (
            "backstay_failures",
            "Requests without a whole answer from a peer, by why",
        ),
        groups.iter().flat_map(|group| {
            let failures = &group.metrics.failures;
            let reasons = [
                ("all_open", &failures.all_open),
                ("cut", &failures.cut),
                ("no_peer", &failures.no_peer),
                ("not_sent", &failures.not_sent),
                ("unknown", &failures.unknown),
            ];
            reasons.map(|(reason, count)| (labels(group, "reason", reason), count.get()))
        }),
    )
}

/// Connections that were switched to another protocol.
fn tunnels(encoder: &mut DescriptorEncoder<'_>, groups: &[Arc<Group>]) -> fmt::Result {
    gauges(
        encoder,
        (
            "backstay_tunnels_active",
            "Connections switched to another protocol, such as WebSocket, open now",
        ),
        groups.iter().map(|group| {
            let active = group.metrics.tunnels.active.get();
            (label(group), number(active))
        }),
    )?;
    counters(
        encoder,
        ("backstay_tunnels", "Tunnels that ended, by how"),
        groups.iter().flat_map(|group| {
            let tunnels = &group.metrics.tunnels;
            let ends = [
                ("client", &tunnels.client),
                ("complete", &tunnels.complete),
                ("drained", &tunnels.drained),
                ("idle", &tunnels.idle),
                ("lost", &tunnels.lost),
                ("peer", &tunnels.peer),
            ];
            ends.map(|(end, count)| (labels(group, "end", end), count.get()))
        }),
    )?;
    counters(
        encoder,
        (
            "backstay_tunnel_bytes",
            "Bytes that went through tunnels, up to peers and down to clients",
        ),
        groups.iter().flat_map(|group| {
            let tunnels = &group.metrics.tunnels;
            let ways = [("down", &tunnels.received), ("up", &tunnels.sent)];
            ways.map(|(way, count)| (labels(group, "direction", way), count.get()))
        }),
    )
}

fn peers(
    encoder: &mut DescriptorEncoder<'_>,
    groups: &[Arc<Group>],
    views: &[GroupView],
) -> fmt::Result {
    let both = || groups.iter().zip(views);
    let usable = |view: &GroupView| view.peers.iter().filter(|peer| peer.usable).count();
    let count = |count: usize| number(count as u64);
    gauges(
        encoder,
        ("backstay_healthy_peers", "Peers that take new requests"),
        both().map(|(group, view)| (label(group), count(usable(view)))),
    )?;
    gauges(
        encoder,
        (
            "backstay_unhealthy_peers",
            "Peers that take no new requests",
        ),
        both().map(|(group, view)| (label(group), count(view.peers.len() - usable(view)))),
    )?;
    gauges(
        encoder,
        (
            "backstay_primary",
            "1 for the peer that is put first, 0 for the others",
        ),
        both().flat_map(|(group, view)| {
            let first = primary(view);
            let peers = view.peers.iter().enumerate();
            peers.map(move |(index, peer)| {
                let is = truth(first == Some(index));
                (labels(group, "peer", &peer.name), is)
            })
        }),
    )?;
    gauges(
        encoder,
        (
            "backstay_retry_tokens",
            "Retries that the budget would allow now",
        ),
        both().map(|(group, view)| (label(group), f64::from(view.retry_tokens))),
    )?;
    gauges(
        encoder,
        (
            "backstay_panic",
            "Whether health checks are ignored, because by them no peer is left",
        ),
        both().map(|(group, view)| (label(group), truth(view.panic))),
    )
}

fn tiers(
    encoder: &mut DescriptorEncoder<'_>,
    groups: &[Arc<Group>],
    views: &[GroupView],
    now: Time,
) -> fmt::Result {
    let both = || groups.iter().zip(views);
    gauges(
        encoder,
        ("backstay_active_tier", "The priority of the tier in use"),
        both().map(|(group, view)| (label(group), f64::from(view.active))),
    )?;
    counters(
        encoder,
        ("backstay_failovers", "How often the tier in use changed"),
        groups
            .iter()
            .map(|group| (label(group), group.metrics.failovers.get())),
    )?;
    gauges(
        encoder,
        (
            "backstay_seconds_since_failover",
            "Since a tier last failed; absent when none has",
        ),
        both().filter_map(|(group, view)| {
            let since = now.since(view.last_failover?);
            Some((label(group), since.as_secs_f64()))
        }),
    )
}

pub(super) fn label(group: &Group) -> Labels<'_> {
    vec![("group", group.name())]
}

pub(super) fn labels<'a>(group: &'a Group, name: &'static str, value: &'a str) -> Labels<'a> {
    vec![("group", group.name()), (name, value)]
}

/// By the hundreds of the status; the first is for requests that ended without one.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
