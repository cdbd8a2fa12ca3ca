//! What the schema cannot say: names, addresses, ranges between keys. Comes to the checked types.

mod breaker;
mod cors;
mod credentials;
mod dialect;
mod dns;
mod group;
mod headers;
mod health;
mod limits;
mod listeners;
mod matches;
mod mcp_limits;
mod names;
mod peers;
mod process;
mod public_url;
mod retry;
mod route;
mod routes;
mod session;
mod tls;
mod upgrades;

pub(crate) use dialect::dialect;

use std::path::Path;
use std::time::Duration;

use proxy::settings::Settings;

use crate::file::File;
use crate::finding::{Finding, Findings};
use crate::loaded::Loaded;
use crate::problem::Code;
use crate::units::Span;

/// The checked types. Sound only if no error was found by the end. Paths begin at `folder`.
pub(crate) fn file(file: File, folder: &Path, found: &mut Findings) -> Loaded {
    let listeners = listeners::listeners(file.listeners, folder, found);
    let admin = listeners::admin(file.admin, found);
    let groups = group::groups(file.groups.unwrap_or_default(), folder, found);
    let routes = routes::routes(file.routes, &groups, found);
    let dns = dns::dns(file.dns, &groups, found);
    let settings = Settings {
        threads: file.threads.unwrap_or_default(),
        listeners,
        groups,
        routes,
        trusted_proxies: listeners::trusted(file.trusted_proxies, found),
        cors: file.cors.map(|cors| cors::cors(cors, found)),
        public_url: public_url::public_url(file.public_url, found),
        dns,
        limits: limits::limits(file.limits.unwrap_or_default(), found),
        session: session::session(file.session, file.session_binding, found),
    };
    Loaded {
        settings,
        admin,
        log: process::log(file.log.unwrap_or_default()),
        access_log: process::access_log(file.access_log),
        watching: process::reload(file.reload, found),
        warnings: Vec::new(),
    }
}

/// The value of a key, or its default; reports a duration that is out of range.
fn duration(
    span: Option<Span>,
    default: Duration,
    least: Duration,
    path: &str,
    found: &mut Findings,
) -> Duration {
    match span {
        Some(Span(value)) if value < least => {
            let message = format!("`{}` is too short", crate::shape::last(path));
            let finding = Finding::new(Code::OutOfRange, path, message);
            found.add(finding.label(format!("at least {}", shown(least))));
            default
        }
        Some(Span(value)) => value,
        None => default,
    }
}

/// A duration as the file would have it.
fn shown(duration: Duration) -> String {
    match duration.as_millis() {
        millis if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}
