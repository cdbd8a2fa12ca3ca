//! `groups`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use http::HeaderValue;
use lb::{FailbackMode, FailbackPolicy, GroupPolicy, Strategy};
use proxy::settings::{
    GroupSettings, HostPolicy, HttpVersion, PeerLoss, Protocol, RegionKey, RegionSettings,
    Timeouts, TunnelLoss,
};

use super::mcp_limits::mcp_limits;
use super::{breaker, credentials, duration, headers, health, names, peers, retry, tls, upgrades};
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;
use crate::units::Bound;
use crate::urls;

/// Every group, at its position in the file.
pub(super) fn groups(
    groups: Vec<file::Group>,
    folder: &Path,
    found: &mut Findings,
) -> Vec<GroupSettings> {
    let many = groups.len() > 1;
    let groups = groups.into_iter().enumerate();
    let groups: Vec<GroupSettings> = groups
        .map(|(i, file)| group(file, &format!("groups[{i}]"), folder, found))
        .collect();
    let named = groups.iter().enumerate().map(|(i, group)| {
        let path = format!("groups[{i}].name");
        (path, group.name.as_str())
    });
    if many {
        names::unique("group", named, found);
    }
    groups
}

fn group(file: file::Group, at: &str, folder: &Path, found: &mut Findings) -> GroupSettings {
    let name = file.name.unwrap_or_else(|| "default".to_owned());
    let name = names::checked(name, "", &format!("{at}.name"), found);
    let peers = peers::peers(file.peers.unwrap_or_default(), at, found);
    let tls = tls::group(file.tls, &peers, at, folder, found);
    let default = GroupSettings::new(name, peers);
    let (retry, retry_tools) = retry::retry(file.retry.unwrap_or_default(), at, found);
    let (health, health_check) = health::health(file.health_check.unwrap_or_default(), at, found);
    let hash = file.hash.unwrap_or_default();
    let region = file.region.unwrap_or_default();
    let region_by = named_region(region.key, region.map, at, found);
    let settings = GroupSettings {
        protocol: file
            .protocol
            .map_or(default.protocol, |protocol| match protocol {
                file::Protocol::Auto => Protocol::Auto,
                file::Protocol::Mcp => Protocol::Mcp,
                file::Protocol::Http => Protocol::Http,
            }),
        http_version: match file.http_version {
            None => default.http_version,
            Some(file::HttpVersion::Auto) => HttpVersion::Auto,
            Some(file::HttpVersion::Http1) => HttpVersion::Http1,
            Some(file::HttpVersion::Http2) => HttpVersion::Http2,
        },
        policy: GroupPolicy {
            strategy: file.strategy.map_or_else(Strategy::default, strategy),
            min_healthy: file.min_healthy.unwrap_or(default.policy.min_healthy),
            failback: failback(file.failback.unwrap_or_default()),
            breaker: breaker::breaker(file.circuit_breaker, at, found),
            health,
            retry,
            max_in_flight: file.max_in_flight.unwrap_or(default.policy.max_in_flight),
            local_region: region.local,
            region_fallback: region.fallback.unwrap_or_default(),
            bounded_load: bounded_load(&hash, at, found),
        },
        hash: hash
            .key
            .and_then(|text| names::hash_key(&text, &format!("{at}.hash.key"), found)),
        region: region_by,
        health_check,
        retry_tools,
        on_peer_loss: match file.on_peer_loss {
            Some(file::Lost::Fail) => PeerLoss::Fail,
            Some(file::Lost::Migrate) => PeerLoss::Migrate,
            None => default.on_peer_loss,
        },
        shared_state: file.shared_state.unwrap_or(default.shared_state),
        mcp_limits: mcp_limits(&file.mcp_limits.unwrap_or_default(), at, found),
        timeouts: timeouts(
            &file.timeouts.unwrap_or_default(),
            default.timeouts,
            at,
            found,
        ),
        sse_keepalive: bound(
            file.sse.unwrap_or_default().keepalive,
            default.sse_keepalive,
            Duration::from_secs(1),
            &format!("{at}.sse.keepalive"),
            found,
        ),
        tls,
        host: file
            .host
            .map_or_else(HostPolicy::default, |text| host(&text, at, found)),
        headers: headers::headers(file.headers, at, found),
        credential: credentials::credentials(file.credentials, at, found),
        max_body: file.max_body.and_then(max_body),
        upgrades: match file.upgrades {
            Some(names) => upgrades::upgrades(&names, at, found),
            None => default.upgrades,
        },
        tunnel_loss: match file.tunnels.unwrap_or_default().on_peer_loss {
            Some(file::TunnelLost::Close) => TunnelLoss::Close,
            Some(file::TunnelLost::Keep) => TunnelLoss::Keep,
            None => default.tunnel_loss,
        },
        pool_idle: default.pool_idle,
        pool_size: default.pool_size,
        ..default
    };
    let pool = file.pool.unwrap_or_default();
    let settings = GroupSettings {
        pool_idle: duration(
            pool.idle,
            settings.pool_idle,
            Duration::from_millis(100),
            &format!("{at}.pool.idle"),
            found,
        ),
        pool_size: pool.size.unwrap_or(settings.pool_size),
        ..settings
    };
    hashing(&settings, at, found);
    if !found.touched(&format!("{at}.peers")) {
        peers::together(&settings, at, found);
    }
    settings
}

fn strategy(strategy: file::Strategy) -> Strategy {
    match strategy {
        file::Strategy::RoundRobin => Strategy::RoundRobin,
        file::Strategy::WeightedRoundRobin => Strategy::WeightedRoundRobin,
        file::Strategy::LeastConnections => Strategy::LeastConnections,
        file::Strategy::Random => Strategy::Random,
        file::Strategy::P2c => Strategy::PowerOfTwo,
        file::Strategy::ConsistentHash => Strategy::ConsistentHash,
        file::Strategy::Priority => Strategy::Priority,
    }
}

/// A hash strategy needs a key, and a key a hash strategy.
fn hashing(group: &GroupSettings, at: &str, found: &mut Findings) {
    let hashes = group.policy.strategy == Strategy::ConsistentHash;
    let path = format!("{at}.hash");
    if hashes && group.hash.is_none() && !found.has(&path) {
        let finding = Finding::new(
            Code::MissingKey,
            &format!("{at}.strategy"),
            "`consistent_hash` needs to know what to hash",
        );
        found.add(
            finding
                .label("needs a `hash` key")
                .help("add `hash: {key: header:x-tenant}` to the group"),
        );
    }
    if !hashes && group.hash.is_some() {
        let finding = Finding::new(
            Code::NoEffect,
            &path,
            "only `strategy: consistent_hash` goes by `hash`",
        );
        found.add(finding.on_key().label("has no effect"));
    }
}

fn bounded_load(hash: &file::Hash, at: &str, found: &mut Findings) -> Option<u32> {
    let share = hash.bounded_load?.0;
    if share < 100 {
        let path = format!("{at}.hash.bounded_load");
        let finding = Finding::new(Code::OutOfRange, &path, "`bounded_load` is out of range");
        found.add(finding.label("from 100% to 1000%"));
    }
    Some(share)
}

fn failback(failback: file::Failback) -> FailbackPolicy {
    let default = FailbackPolicy::default();
    FailbackPolicy {
        mode: match failback.mode {
            None => default.mode,
            Some(file::FailbackMode::Auto) => FailbackMode::Auto,
            Some(file::FailbackMode::Manual) => FailbackMode::Manual,
        },
        hold: failback.hold.map_or(default.hold, |hold| hold.0),
        ramp: failback.ramp.map_or(default.ramp, |ramp| ramp.0),
    }
}

/// How long things may take; what is not given is as in `default`.
pub(super) fn timeouts(
    timeouts: &file::Timeouts,
    default: Timeouts,
    at: &str,
    found: &mut Findings,
) -> Timeouts {
    let least = Duration::from_millis(1);
    let at = format!("{at}.timeouts");
    let connect = duration(
        timeouts.connect,
        default.connect,
        least,
        &format!("{at}.connect"),
        found,
    );
    let mut bound =
        |key: &str, value, default| bound(value, default, least, &format!("{at}.{key}"), found);
    Timeouts {
        connect,
        first_byte: bound("first_byte", timeouts.first_byte, default.first_byte),
        first_byte_for_tools: timeouts.first_byte.is_some() || default.first_byte_for_tools,
        idle: bound("idle", timeouts.idle, default.idle),
        total: bound("total", timeouts.total, default.total),
        tunnel_idle: bound("tunnel_idle", timeouts.tunnel_idle, default.tunnel_idle),
    }
}

fn bound(
    bound: Option<Bound>,
    default: Option<Duration>,
    least: Duration,
    path: &str,
    found: &mut Findings,
) -> Option<Duration> {
    match bound {
        None => default,
        Some(Bound(None)) => None,
        Some(Bound(Some(value))) => {
            let span = Some(crate::units::Span(value));
            Some(duration(span, value, least, path, found))
        }
    }
}

/// How requests name their region, if they may.
fn named_region(
    key: Option<String>,
    map: Option<BTreeMap<String, String>>,
    at: &str,
    found: &mut Findings,
) -> Option<RegionSettings> {
    Some(RegionSettings {
        key: region_key(&key?, at, found)?,
        map: map.unwrap_or_default(),
    })
}

fn region_key(text: &str, at: &str, found: &mut Findings) -> Option<RegionKey> {
    let path = format!("{at}.region.key");
    if text == "mcp:name" {
        return Some(RegionKey::McpName);
    }
    if let Some(name) = text.strip_prefix("mcp:param:") {
        let name = format!("mcp-param-{name}");
        return names::header(&name, &path, found).map(RegionKey::Header);
    }
    if let Some(name) = text.strip_prefix("header:") {
        return names::header(name, &path, found).map(RegionKey::Header);
    }
    let finding = Finding::new(Code::BadValue, &path, "this names no part of a request");
    found.add(
        finding
            .label("expected `header:NAME`, `mcp:param:NAME` or `mcp:name`")
            .help("for example `key: header:mcp-param-region`"),
    );
    None
}

/// The longest body, in bytes.
pub(super) fn max_body(most: file::MaxBody) -> Option<u64> {
    match most {
        file::MaxBody::Absent(_) => None,
        file::MaxBody::Size(size) => Some(u64::from(size.0)),
    }
}

/// What `Host` the peers see.
pub(super) fn host(text: &str, at: &str, found: &mut Findings) -> HostPolicy {
    match text {
        "auto" => HostPolicy::Auto,
        "preserve" => HostPolicy::Preserve,
        "upstream" => HostPolicy::Upstream,
        _ => {
            let value = urls::parse(&format!("http://{text}/"))
                .ok()
                .filter(|url| url.path.is_empty() && !text.contains('/'));
            let value = value.and_then(|_| HeaderValue::from_str(text).ok());
            if value.is_none() {
                let finding =
                    Finding::new(Code::BadValue, &format!("{at}.host"), "this is not a host");
                found.add(finding.label(
                    "expected `auto`, `preserve`, `upstream` or a host, as in `example.com:8080`",
                ));
            }
            value.map_or(HostPolicy::Auto, HostPolicy::Fixed)
        }
    }
}
