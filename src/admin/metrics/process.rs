//! What is counted for the process.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use proxy::server::Stage;

use super::super::observed::Observed;
use super::family::{counter, counters, gauge, gauges, number, truth};

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
    let limits = &metrics.limits;
    let hits = [
        ("body_timeout", &limits.body_timeout),
        ("connections", &limits.connections),
        ("connections_per_address", &limits.connections_per_address),
        ("descriptors", &limits.descriptors),
        ("head", &limits.head),
        ("head_timeout", &limits.head_timeout),
        ("keep_alive", &limits.keep_alive),
        ("parse", &limits.parse),
        ("replay", &limits.replay),
        ("requests_per_connection", &limits.requests),
        ("write_stall", &limits.write_stall),
    ];
    counters(
        encoder,
        ("backstay_limit_hits", "How often each limit bit"),
        hits.map(|(limit, counter)| (vec![("limit", limit)], counter.get())),
    )?;
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
