//! What is counted of MCP for groups. Names that are not ours are OpenTelemetry's, in the words of
//! Prometheus (semantic conventions for generative AI, "MCP", in development).

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::DescriptorEncoder;
use proxy::group::Group;

use super::family::{counters, durations, gauges, number, truth};
use super::group::{label, labels};

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, groups: &[Arc<Group>]) -> fmt::Result {
    operations(encoder, groups)?;
    sessions(encoder, groups)?;
    migrations(encoder, groups)?;
    servers(encoder, groups)
}

/// Messages; a method that nobody has used has no samples.
fn operations(encoder: &mut DescriptorEncoder<'_>, groups: &[Arc<Group>]) -> fmt::Result {
    durations(
        encoder,
        (
            "mcp_server_operation_duration_seconds",
            "From a message of MCP to the end of its answer",
        ),
        groups.iter().flat_map(|group| {
            let methods = group.metrics.mcp_operations.each();
            let used = methods.filter(|(_, durations)| durations.buckets().iter().any(|&n| n > 0));
            used.map(|(method, durations)| {
                (labels(group, "mcp_method_name", method.name()), durations)
            })
        }),
    )
}

fn sessions(encoder: &mut DescriptorEncoder<'_>, groups: &[Arc<Group>]) -> fmt::Result {
    durations(
        encoder,
        (
            "mcp_server_session_duration_seconds",
            "From initialize to the DELETE of the client",
        ),
        groups
            .iter()
            .map(|group| (label(group), &group.metrics.mcp_sessions.duration)),
    )?;
    counters(
        encoder,
        (
            "backstay_mcp_sessions_refused",
            "Requests on MCP sessions that are not theirs to use, by why",
        ),
        groups.iter().flat_map(|group| {
            let sessions = &group.metrics.mcp_sessions;
            let reasons = [
                ("ended", &sessions.refused_ended),
                ("unknown", &sessions.refused_unknown),
            ];
            reasons.map(|(reason, count)| (labels(group, "reason", reason), count.get()))
        }),
    )?;
    counters(
        encoder,
        (
            "backstay_session_replay_dropped",
            "MCP session ids that would have been too long with what moving the session needs",
        ),
        groups
            .iter()
            .map(|group| (label(group), group.metrics.replay_dropped.get())),
    )
}

/// MCP sessions that lost their peer.
fn migrations(encoder: &mut DescriptorEncoder<'_>, groups: &[Arc<Group>]) -> fmt::Result {
    counters(
        encoder,
        (
            "backstay_mcp_session_migrations",
            "MCP sessions that lost their peer, by why and by what became of them",
        ),
        groups.iter().flat_map(|group| {
            let counts = &group.metrics.migrations;
            let outcomes = [
                ("denied", &counts.denied),
                ("failed", &counts.failed),
                ("moved", &counts.moved),
            ];
            outcomes.into_iter().flat_map(move |(outcome, losses)| {
                losses.each().map(move |(loss, count)| {
                    let mut labels = labels(group, "outcome", outcome);
                    labels.push(("reason", loss.name()));
                    (labels, count)
                })
            })
        }),
    )?;
    counters(
        encoder,
        (
            "backstay_mcp_stale_messages_dropped",
            "Answers of clients to servers that were gone: taken and dropped",
        ),
        groups
            .iter()
            .map(|group| (label(group), group.metrics.migrations.dropped.get())),
    )?;
    durations(
        encoder,
        (
            "backstay_mcp_session_migration_duration_seconds",
            "From the loss of the peer to the new place of the MCP session",
        ),
        groups
            .iter()
            .map(|group| (label(group), &group.metrics.migrations.duration)),
    )
}

/// What is known of the servers.
fn servers(encoder: &mut DescriptorEncoder<'_>, groups: &[Arc<Group>]) -> fmt::Result {
    counters(
        encoder,
        (
            "backstay_mcp_discover_recalled",
            "Answers to server/discover that were given from memory",
        ),
        groups
            .iter()
            .map(|group| (label(group), group.metrics.discover_recalled.get())),
    )?;
    counters(
        encoder,
        (
            "backstay_mcp_limits",
            "What was not remembered of MCP servers, or gave way to something else",
        ),
        groups.iter().flat_map(|group| {
            let limits = [
                ("answers", &group.metrics.answers_unread),
                ("discover", &group.metrics.discover_dropped),
                ("documents", &group.metrics.documents_unread),
                ("exchanges", &group.metrics.exchanges_forgotten),
                ("legacy_requests", &group.metrics.migrations.crowded),
                ("migrations", &group.metrics.migrations_waited),
                ("oauth_clients", &group.metrics.oauth_clients_dropped),
                ("subscriptions", &group.metrics.subscriptions_dropped),
                ("tasks", &group.metrics.tasks_forgotten),
                ("ties", &group.metrics.ties_unread),
                ("tools", &group.metrics.tools_dropped),
            ];
            limits.map(|(what, count)| (labels(group, "what", what), count.get()))
        }),
    )?;
    counters(
        encoder,
        (
            "backstay_mcp_listen_streams",
            "Streams of subscriptions/listen that lost their peer, by what became of them",
        ),
        groups.iter().flat_map(|group| {
            let counts = &group.metrics.listens;
            let outcomes = [("closed", &counts.closed), ("moved", &counts.moved)];
            outcomes.map(|(outcome, count)| (labels(group, "outcome", outcome), count.get()))
        }),
    )?;
    gauges(
        encoder,
        (
            "backstay_mcp_tasks",
            "Tasks of which it is known which peer has them",
        ),
        groups
            .iter()
            .map(|group| (label(group), number(group.tasks_known() as u64))),
    )?;
    gauges(
        encoder,
        (
            "backstay_mcp_eras_differ",
            "Whether some peers serve an era that others do not",
        ),
        groups
            .iter()
            .map(|group| (label(group), truth(group.eras_differ()))),
    )?;
    gauges(
        encoder,
        (
            "backstay_mcp_tools_differ",
            "Whether the peers show different tools",
        ),
        groups
            .iter()
            .map(|group| (label(group), truth(group.tools_differ()))),
    )
}
