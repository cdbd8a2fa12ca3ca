//! One route: its answer, and what is different on its way.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use lb::RetryPolicy;
use proxy::settings::{
    FixedResponse, GroupSettings, Part, Redirect, RouteAnswer, RouteMatch, RouteSettings, Template,
};

use super::{group, headers, matches, retry, upgrades};
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;

/// What a route that leads to a group has of its own.
pub(super) fn to_group(
    route: file::Route,
    matches: RouteMatch,
    (position, group): (usize, &GroupSettings),
    at: &str,
    found: &mut Findings,
) -> RouteSettings {
    let timeouts = route
        .timeouts
        .map(|timeouts| group::timeouts(&timeouts, group.timeouts, at, found));
    let retry = route
        .retry
        .map(|retry| self::retry(retry, group, at, found));
    RouteSettings {
        headers: headers::headers(route.headers, at, found),
        host: route.host.map(|text| group::host(&text, at, found)),
        rewrite: rewrite(route.strip_prefix, route.rewrite, at, found),
        timeouts,
        retry,
        max_body: route
            .max_body
            .map(group::max_body)
            .map(|most| most.unwrap_or(u64::MAX)),
        upgrades: route
            .upgrades
            .map(|names| upgrades::upgrades(&names, at, found)),
        ..RouteSettings::new(matches, RouteAnswer::Group(position))
    }
}

/// A route that answers itself.
pub(super) fn answered(
    route: file::Route,
    matches: RouteMatch,
    at: &str,
    found: &mut Findings,
) -> Option<RouteSettings> {
    for (key, given) in [
        ("host", route.host.is_some()),
        ("max_body", route.max_body.is_some()),
        ("retry", route.retry.is_some()),
        ("rewrite", route.rewrite.is_some()),
        ("strip_prefix", route.strip_prefix.is_some()),
        ("timeouts", route.timeouts.is_some()),
        ("upgrades", route.upgrades.is_some()),
    ] {
        if given {
            let message = format!("`{key}` is for routes that lead to a group");
            let finding = Finding::new(Code::NoEffect, &format!("{at}.{key}"), message);
            found.add(finding.on_key().label("has no effect"));
        }
    }
    let answer = match (route.redirect, route.respond) {
        (Some(redirect), _) => RouteAnswer::Redirect(self::redirect(redirect, at, found)?),
        (None, Some(respond)) => RouteAnswer::Respond(self::respond(respond, at, found)?),
        (None, None) => return None,
    };
    Some(RouteSettings {
        headers: headers::headers(route.headers, at, found),
        ..RouteSettings::new(matches, answer)
    })
}

fn retry(
    retry: file::RouteRetry,
    group: &GroupSettings,
    at: &str,
    found: &mut Findings,
) -> Arc<RetryPolicy> {
    let policy = group.policy.retry.clone();
    Arc::new(match retry {
        file::RouteRetry::Absent(_) => RetryPolicy {
            attempts: 1,
            ..policy
        },
        file::RouteRetry::Numbers(numbers) => {
            let attempts = numbers.attempts.unwrap_or(policy.attempts);
            RetryPolicy {
                attempts,
                hard_cap: policy.hard_cap.max(attempts),
                per_try: match numbers.per_try {
                    Some(bound) => retry::per_try(bound, &format!("{at}.retry"), found),
                    None => policy.per_try,
                },
                when: numbers
                    .when
                    .map_or_else(|| policy.when.clone(), |when| retry::conditions(&when)),
                ..policy
            }
        }
    })
}

fn rewrite(
    strip: Option<bool>,
    rewrite: Option<file::Rewrite>,
    at: &str,
    found: &mut Findings,
) -> Option<Arc<str>> {
    let prefix = rewrite.and_then(|rewrite| rewrite.prefix);
    if strip == Some(true) && prefix.is_some() {
        let path = format!("{at}.strip_prefix");
        let message = "`strip_prefix` and `rewrite` exclude each other";
        let finding = Finding::new(Code::Contradiction, &path, message);
        found.add(finding.on_key().label("delete one of them"));
    }
    let Some(prefix) = prefix else {
        return (strip == Some(true)).then(|| Arc::from(""));
    };
    matches::path_of(&prefix, "/v2", &format!("{at}.rewrite.prefix"), found);
    Some(Arc::from(prefix.trim_end_matches('/')))
}

fn redirect(redirect: file::Redirect, at: &str, found: &mut Findings) -> Option<Redirect> {
    let at = format!("{at}.redirect");
    let status = redirect.status.unwrap_or(308);
    if !matches!(status, 301..=303 | 307 | 308) {
        let finding = Finding::new(
            Code::OutOfRange,
            &format!("{at}.status"),
            "this status is no redirect",
        );
        found.add(finding.label("301, 302, 303, 307 or 308"));
    }
    let path = format!("{at}.to");
    let to = headers::template(&redirect.to?, &path, found)?;
    if !is_address(&to) {
        let finding = Finding::new(Code::BadValue, &path, "nobody can be sent there");
        found.add(
            finding
                .label("expected `http://…`, `https://…` or a path such as `/new{rest}`")
                .help("a variable where the host or the first segment belongs would let clients choose the site"),
        );
    }
    let status = StatusCode::from_u16(status).ok()?;
    Some(Redirect { status, to })
}

/// Whether a client is sent where the operator says, whatever it asks for: `//evil.example` is an
/// address of another site (RFC 3986 §4.2), and so is `https:/{path}`.
fn is_address(to: &Template) -> bool {
    let sample = to.fill(|_| Some("x")).unwrap_or_default();
    let visible = sample.bytes().all(|byte| byte.is_ascii_graphic());
    let Some(Part::Text(first)) = to.parts().first() else {
        return false;
    };
    let host = first
        .strip_prefix("https://")
        .or_else(|| first.strip_prefix("http://"));
    let sound = match host {
        // `{host}` is one that was checked, or a name is written out up to the next `/`.
        Some("") => matches!(
            to.parts().get(1),
            Some(Part::Variable(proxy::settings::Variable::Host))
        ),
        Some(host) => !host.starts_with('/') && (host.contains('/') || path_follows(to)),
        // Browsers take `\` for `/`.
        None if first == "/" => to.parts().len() == 1,
        None => first.starts_with('/') && !first.starts_with("//") && !first.starts_with("/\\"),
    };
    visible && sound
}

/// Whether what follows the first text, if anything, begins with a `/` by itself.
fn path_follows(to: &Template) -> bool {
    use proxy::settings::Variable::{Path, Query, Rest};
    matches!(
        to.parts().get(1),
        None | Some(Part::Variable(Path | Query | Rest))
    )
}

fn respond(respond: file::Respond, at: &str, found: &mut Findings) -> Option<FixedResponse> {
    let at = format!("{at}.respond");
    let status = respond.status.unwrap_or(200);
    let body = respond.body.unwrap_or_default();
    // RFC 9110 §6.4.1, §15.3.6.
    if matches!(status, 204 | 205 | 304) && !body.is_empty() {
        let message = format!("a response of status {status} has no body");
        let finding = Finding::new(Code::Contradiction, &format!("{at}.body"), message);
        found.add(
            finding
                .on_key()
                .label("delete it, or choose another status"),
        );
    }
    let kind = respond
        .content_type
        .unwrap_or_else(|| "text/plain; charset=utf-8".to_owned());
    let Ok(content_type) = HeaderValue::from_str(&kind) else {
        let path = format!("{at}.content_type");
        let finding = Finding::new(Code::BadValue, &path, "no header can have this value");
        found.add(finding.label("has a control character"));
        return None;
    };
    Some(FixedResponse {
        status: StatusCode::from_u16(status).ok()?,
        body: body.into(),
        content_type,
    })
}
