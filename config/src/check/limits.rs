//! `limits`.

use std::time::Duration;

use proxy::settings::{Http2Limits, LegacyStreamLimits, Limits};

use super::duration;
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;
use crate::units::Size;

pub(super) fn limits(limits: file::Limits, found: &mut Findings) -> Limits {
    let default = Limits::default();
    let checked = Limits {
        connections: limits.connections.unwrap_or(default.connections),
        connections_per_address: limits
            .connections_per_address
            .unwrap_or(default.connections_per_address),
        body_min_rate: limits
            .body_min_rate
            .map_or(default.body_min_rate, |rate| rate.0),
        requests_per_connection: limits
            .requests_per_connection
            .unwrap_or(default.requests_per_connection),
        headers: limits.headers.unwrap_or(default.headers),
        interim_responses: limits
            .interim_responses
            .unwrap_or(default.interim_responses),
        ..default
    };
    let checked = times(&limits, checked, found);
    let checked = sizes(&limits, checked, found);
    Limits {
        http2: http2(&limits.http2.unwrap_or_default(), found),
        ..checked
    }
}

fn http2(bounds: &file::Http2, found: &mut Findings) -> Http2Limits {
    let default = Http2Limits::default();
    let path = |key: &str| format!("limits.http2.{key}");
    let mut window = |key: &str, size, default: u32, least, most| {
        let size = sized(size, default as usize, (least, most), &path(key), found);
        u32::try_from(size).unwrap_or(default)
    };
    let stream_window = window(
        "stream_window",
        bounds.stream_window,
        default.stream_window,
        KIB,
        GIB,
    );
    // Below 64 KiB - 1 a connection cannot go (RFC 9113 §6.9.2).
    let connection_window = window(
        "connection_window",
        bounds.connection_window,
        default.connection_window,
        64 * KIB,
        GIB,
    );
    let header_list = window(
        "header_list",
        bounds.header_list,
        default.header_list,
        4 * KIB,
        MIB,
    );
    Http2Limits {
        idle: duration(bounds.idle, default.idle, SHORTEST, &path("idle"), found),
        // Never asking is a choice here.
        ping: bounds.ping.map_or(default.ping, |span| span.0),
        streams: bounds.streams.unwrap_or(default.streams),
        stream_window,
        connection_window,
        header_list,
        pending_resets: bounds.pending_resets.unwrap_or(default.pending_resets),
        local_resets: bounds.local_resets.unwrap_or(default.local_resets),
        control_frames: bounds.control_frames.unwrap_or(default.control_frames),
    }
}

fn times(limits: &file::Limits, default: Limits, found: &mut Findings) -> Limits {
    let mut time = |key: &str, span, default| {
        duration(span, default, SHORTEST, &format!("limits.{key}"), found)
    };
    Limits {
        tls_handshake: time("tls_handshake", limits.tls_handshake, default.tls_handshake),
        head_timeout: time("head_timeout", limits.head_timeout, default.head_timeout),
        body_idle: time("body_idle", limits.body_idle, default.body_idle),
        write_stall: time("write_stall", limits.write_stall, default.write_stall),
        linger: time("linger", limits.linger, default.linger),
        keep_alive: time("keep_alive", limits.keep_alive, default.keep_alive),
        silence: duration(
            limits.silence,
            default.silence,
            SILENCE,
            "limits.silence",
            found,
        ),
        // No patience at all is a choice here.
        drain_requests: limits
            .drain_requests
            .map_or(default.drain_requests, |span| span.0),
        drain_streams: limits
            .drain_streams
            .map_or(default.drain_streams, |span| span.0),
        ..default
    }
}

fn sizes(limits: &file::Limits, default: Limits, found: &mut Findings) -> Limits {
    let mut size = |key: &str, size, default, least, most| {
        sized(
            size,
            default,
            (least, most),
            &format!("limits.{key}"),
            found,
        )
    };
    // hyper reads heads into a buffer that has at least 8 KiB.
    let head = (8 * KIB, MIB);
    let checked = Limits {
        head_size: size(
            "head_size",
            limits.head_size,
            default.head_size,
            head.0,
            head.1,
        ),
        target_size: size(
            "target_size",
            limits.target_size,
            default.target_size,
            256,
            MIB,
        ),
        upstream_head_size: size(
            "upstream_head_size",
            limits.upstream_head_size,
            default.upstream_head_size,
            head.0,
            head.1,
        ),
        chunk_extensions: size(
            "chunk_extensions",
            limits.chunk_extensions,
            default.chunk_extensions,
            0,
            MIB,
        ),
        trailers: size("trailers", limits.trailers, default.trailers, KIB, MIB),
        replay_body: size(
            "replay_body",
            limits.replay_body,
            default.replay_body,
            0,
            64 * MIB,
        ),
        replay_total: size(
            "replay_total",
            limits.replay_total,
            default.replay_total,
            0,
            usize::MAX,
        ),
        oauth_clients: limits.oauth_clients.unwrap_or(default.oauth_clients),
        legacy_stream: LegacyStreamLimits {
            requests: limits
                .legacy_requests
                .unwrap_or(default.legacy_stream.requests),
            bodies: size(
                "legacy_bodies",
                limits.legacy_bodies,
                default.legacy_stream.bodies,
                0,
                64 * MIB,
            ),
        },
        mcp_sessions: limits.mcp_sessions.unwrap_or(default.mcp_sessions),
        mcp_tasks: limits.mcp_tasks.unwrap_or(default.mcp_tasks),
        mcp_body: size("mcp_body", limits.mcp_body, default.mcp_body, KIB, 64 * MIB),
        ..default
    };
    within(
        ("target_size", checked.target_size),
        ("head_size", checked.head_size),
        found,
    );
    within(
        ("replay_body", checked.replay_body),
        ("replay_total", checked.replay_total),
        found,
    );
    checked
}

/// Reports a part that is larger than the whole.
fn within(part: (&str, usize), whole: (&str, usize), found: &mut Findings) {
    if part.1 > whole.1 {
        let path = format!("limits.{}", part.0);
        let path = if found.has(&path) {
            path
        } else {
            format!("limits.{}", whole.0)
        };
        let message = format!("`{}` is larger than `{}`", part.0, whole.0);
        let finding = Finding::new(Code::Contradiction, &path, message);
        let label = format!(
            "`{}` is {}, `{}` {}",
            part.0,
            shown(part.1),
            whole.0,
            shown(whole.1)
        );
        found.add(finding.label(label));
    }
}

pub(super) fn sized(
    size: Option<Size>,
    default: usize,
    (least, most): (usize, usize),
    path: &str,
    found: &mut Findings,
) -> usize {
    let Some(bytes) = size.map(Size::bytes) else {
        return default;
    };
    if (least..=most).contains(&bytes) {
        return bytes;
    }
    let message = format!("`{}` is out of range", crate::shape::last(path));
    let finding = Finding::new(Code::OutOfRange, path, message);
    found.add(finding.label(format!("from {} to {}", shown(least), shown(most))));
    default
}

fn shown(bytes: usize) -> String {
    match bytes {
        _ if bytes >= MIB && bytes.is_multiple_of(MIB) => format!("{}MiB", bytes / MIB),
        _ if bytes >= KIB && bytes.is_multiple_of(KIB) => format!("{}KiB", bytes / KIB),
        _ => format!("{bytes}B"),
    }
}

pub(super) const KIB: usize = 1024;
pub(super) const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;

/// The system asks three times in the second half, at whole seconds.
const SILENCE: Duration = Duration::from_secs(6);
/// The coarse tick that watches these deadlines.
const SHORTEST: Duration = Duration::from_millis(100);
