//! `health_check`.

use std::time::Duration;

use lb::HealthPolicy;
use proxy::settings::{HealthCheck, HttpProbe, Probe};

use super::duration;
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;
use crate::urls;

pub(super) fn health(
    health: file::HealthCheck,
    group: &str,
    found: &mut Findings,
) -> (HealthPolicy, HealthCheck) {
    let at = format!("{group}.health_check");
    let policy = HealthPolicy::default();
    let policy = HealthPolicy {
        unhealthy_threshold: health
            .unhealthy_threshold
            .unwrap_or(policy.unhealthy_threshold),
        healthy_threshold: health.healthy_threshold.unwrap_or(policy.healthy_threshold),
    };
    let probe = probe(&health, &at, found);
    let default = HealthCheck::default();
    let mut time =
        |key: &str, span, default| duration(span, default, SHORTEST, &format!("{at}.{key}"), found);
    let interval = time("interval", health.interval, default.interval);
    let fast = time(
        "fast_interval",
        health.fast_interval,
        default.fast_interval.min(interval),
    );
    let timeout = time("timeout", health.timeout, default.timeout);
    if fast > interval {
        let finding = Finding::new(
            Code::Contradiction,
            &format!("{at}.fast_interval"),
            "`fast_interval` is longer than `interval`",
        );
        found.add(finding.label(format!("`interval` is {}", super::shown(interval))));
    }
    let check = HealthCheck {
        probe,
        interval,
        timeout,
        fast_interval: fast,
    };
    (policy, check)
}

fn probe(health: &file::HealthCheck, at: &str, found: &mut Findings) -> Option<Probe> {
    let keys = [
        ("path", health.path.is_some(), file::Probe::Http, "http"),
        (
            "service",
            health.service.is_some(),
            file::Probe::Grpc,
            "grpc",
        ),
        ("status", health.status.is_some(), file::Probe::Http, "http"),
    ];
    for (key, given, probe, name) in keys {
        if given && health.probe != Some(probe) {
            let article = if probe == file::Probe::Http {
                "an"
            } else {
                "a"
            };
            let message = format!("`{key}` belongs to {article} `{name}` probe");
            let finding =
                Finding::new(Code::Contradiction, &format!("{at}.{key}"), message).on_key();
            found.add(
                finding
                    .label("the probe here is another")
                    .help(format!("add `probe: {name}`")),
            );
        }
    }
    match health.probe? {
        file::Probe::Mcp => Some(Probe::Mcp),
        file::Probe::Tcp => Some(Probe::Tcp),
        file::Probe::None => Some(Probe::None),
        file::Probe::Grpc => {
            let service = health.service.clone().unwrap_or_default();
            if service.len() > LONGEST_SERVICE {
                let path = format!("{at}.service");
                let finding = Finding::new(Code::OutOfRange, &path, "this service is too long");
                found.add(finding.label(format!("at most {LONGEST_SERVICE} bytes")));
            }
            Some(Probe::Grpc(service))
        }
        file::Probe::Http => {
            let default = HttpProbe::default();
            let path = health.path.clone().unwrap_or(default.path);
            let (path_only, _) = path.split_once('?').unwrap_or((&path, ""));
            if !path.starts_with('/')
                || urls::path_problem(path_only).is_some()
                || !path.is_ascii()
                || path.contains([' ', '#'])
            {
                let finding =
                    Finding::new(Code::BadValue, &format!("{at}.path"), "this is not a path");
                found.add(finding.label("a path begins with `/` and is percent-encoded"));
            }
            Some(Probe::Http(HttpProbe {
                path,
                statuses: statuses(health.status.as_ref(), at, found).unwrap_or(default.statuses),
            }))
        }
    }
}

fn statuses(status: Option<&file::Status>, at: &str, found: &mut Findings) -> Option<(u16, u16)> {
    let range = match status? {
        file::Status::One(status) => Some((*status, *status)),
        file::Status::Range(text) => {
            let (low, high) = text.split_once('-').unwrap_or((text, text));
            low.trim().parse().ok().zip(high.trim().parse().ok())
        }
    };
    let sound =
        range.filter(|(low, high)| (100..=599).contains(low) && (*low..=599).contains(high));
    if sound.is_none() {
        let finding = Finding::new(
            Code::BadValue,
            &format!("{at}.status"),
            "this is not a range of statuses",
        );
        found.add(finding.label("expected `200` or `200-399`, within 100 to 599"));
    }
    sound
}

/// Names of services have a few words.
const LONGEST_SERVICE: usize = 256;
/// Ten probes a second are a load of their own.
const SHORTEST: Duration = Duration::from_millis(100);
