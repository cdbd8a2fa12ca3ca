//! What is counted for the process.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use proxy::metrics::{LimitMetrics, NameMetrics, TlsMetrics};
use proxy::server::Stage;

use super::super::observed::Observed;
use super::family::{counter, counters, gauge, gauges, number, truth};
use crate::reload::ReloadStatus;

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, observed: &Observed) -> fmt::Result {
    let metrics = &observed.metrics;
    gauges(
        encoder,
        ("backstay_build_info", "The version that runs"),
        [(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)],
    )?;
    gauge(
        encoder,
        (
            "backstay_draining",
            "Whether it finishes what it has and takes no new clients",
        ),
        truth(observed.control.stage() != Stage::Serving),
    )?;
    counter(
        encoder,
        ("backstay_connections", "Client connections accepted"),
        metrics.connections.get(),
    )?;
    gauge(
        encoder,
        ("backstay_connections_active", "Client connections open now"),
        number(metrics.connections_active.get()),
    )?;
    gauge(
        encoder,
        ("backstay_requests_active", "Requests in flight now"),
        number(metrics.requests_active.get()),
    )?;
    counter(
        encoder,
        (
            "backstay_requests_refused",
            "Requests that the proxy answered before any group was asked",
        ),
        metrics.refused.get(),
    )?;
    counter(
        encoder,
        (
            "backstay_requests_answered",
            "Requests that a route answered by itself",
        ),
        metrics.answered.get(),
    )?;
    counter(
        encoder,
        (
            "backstay_requests_unrouted",
            "Requests that matched no route",
        ),
        metrics.unrouted.get(),
    )?;
    counter(
        encoder,
        ("backstay_hook_panics", "Hooks that panicked"),
        metrics.panics.get(),
    )?;
    names(encoder, &metrics.names)?;
    let forgotten = observed.gateway.mcp_sessions_forgotten();
    limits(encoder, &metrics.limits, forgotten)?;
    tls(encoder, &metrics.tls)?;
    reloads(encoder, &observed.reloads)?;
    if let Some(dropped) = &observed.access_log {
        counter(
            encoder,
            (
                "backstay_access_log_dropped",
                "Lines of the access log that were not written",
            ),
            dropped.count(),
        )?;
    }
    Ok(())
}

fn limits(
    encoder: &mut DescriptorEncoder<'_>,
    limits: &LimitMetrics,
    forgotten: u64,
) -> fmt::Result {
    let hits = [
        ("body_timeout", &limits.body_timeout),
        ("chunk_extensions", &limits.chunk_extensions),
        ("connections", &limits.connections),
        ("connections_per_address", &limits.connections_per_address),
        ("descriptors", &limits.descriptors),
        ("head", &limits.head),
        ("head_timeout", &limits.head_timeout),
        ("http2_frames", &limits.http2_frames),
        ("http2_resets", &limits.http2_resets),
        ("interim_responses", &limits.interim_responses),
        ("keep_alive", &limits.keep_alive),
        ("linger", &limits.linger),
        ("max_body", &limits.max_body),
        ("parse", &limits.parse),
        ("replay", &limits.replay),
        ("requests_per_connection", &limits.requests),
        ("silence", &limits.silence),
        ("tls_handshake", &limits.tls_handshake),
        ("trailers", &limits.trailers),
        ("upstream_head", &limits.upstream_head),
        ("write_stall", &limits.write_stall),
    ];
    counters(
        encoder,
        ("backstay_limit_hits", "How often each limit bit"),
        hits.map(|(limit, counter)| (vec![("limit", limit)], counter.get()))
            .into_iter()
            .chain([(vec![("limit", "mcp_sessions")], forgotten)]),
    )
}

fn tls(encoder: &mut DescriptorEncoder<'_>, metrics: &TlsMetrics) -> fmt::Result {
    let handshakes = [
        ("failed", metrics.failed.get()),
        ("succeeded", metrics.handshakes.get()),
    ];
    counters(
        encoder,
        ("backstay_tls_handshakes", "TLS handshakes with clients"),
        handshakes.map(|(result, count)| (vec![("result", result)], count)),
    )?;
    counter(
        encoder,
        (
            "backstay_tls_resumed",
            "TLS handshakes with clients that resumed a session",
        ),
        metrics.resumed.get(),
    )?;
    let certificates = metrics.certificates();
    let certificates: Vec<_> = certificates
        .iter()
        .map(|(listener, certificate)| (listener.to_string(), certificate))
        .collect();
    let samples = certificates.iter().map(|(listener, certificate)| {
        let name = certificate.names.first().map_or("", String::as_str);
        let labels = vec![
            ("listener", listener.as_str()),
            ("certificate", certificate.source.as_str()),
            ("name", name),
        ];
        (labels, seconds(certificate.not_after))
    });
    gauges(
        encoder,
        (
            "backstay_tls_cert_not_after_seconds",
            "When a certificate expires, in seconds since 1970",
        ),
        samples,
    )
}

/// Seconds since 1970 are exact in a double for longer than certificates are valid.
#[expect(clippy::cast_precision_loss, reason = "as above")]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

fn names(encoder: &mut DescriptorEncoder<'_>, metrics: &NameMetrics) -> fmt::Result {
    let names = [("answered", &metrics.answered), ("failed", &metrics.failed)];
    counters(
        encoder,
        (
            "backstay_name_lookups",
            "Names of peers looked up, by what came of it",
        ),
        names.map(|(result, counter)| (vec![("result", result)], counter.get())),
    )
}

fn reloads(encoder: &mut DescriptorEncoder<'_>, status: &ReloadStatus) -> fmt::Result {
    let counts = status.counts();
    counters(
        encoder,
        (
            "backstay_config_reloads",
            "Reloads; those that failed changed nothing",
        ),
        counts.map(|(result, count)| (vec![("result", result)], count)),
    )?;
    let last = status.last();
    gauge(
        encoder,
        (
            "backstay_config_last_reload_successful",
            "Whether the last reload, or the start, counted",
        ),
        truth(!last.failed),
    )?;
    gauge(
        encoder,
        (
            "backstay_config_in_force_since_seconds",
            "When what is in force was read, in seconds since 1970",
        ),
        number(last.since),
    )?;
    let hash = last.hash.as_deref().map(|hash| (vec![("hash", hash)], 1.0));
    gauges(
        encoder,
        (
            "backstay_config_info",
            "What is in force, by its hash; absent without a file",
        ),
        hash,
    )
}
