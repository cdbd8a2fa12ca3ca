//! `routes`.

use http::{HeaderName, HeaderValue};
use proxy::settings::{GroupSettings, RouteMatch, RouteSettings};

use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;
use crate::{suggest, urls};

pub(super) fn routes(
    routes: Option<Vec<file::Route>>,
    groups: &[GroupSettings],
    found: &mut Findings,
) -> Vec<RouteSettings> {
    let routes = routes.unwrap_or_default();
    if routes.is_empty() && !found.has("routes") {
        without(groups, found);
        return Vec::new();
    }
    if routes.is_empty() && !found.touched("routes") {
        let finding = Finding::new(
            Code::MissingKey,
            "routes",
            "`routes` is empty, so every request would be a 404",
        );
        found.add(
            finding
                .on_key()
                .help("add a route, or delete `routes` to let the one group take every path"),
        );
    }
    let mut settings: Vec<RouteSettings> = Vec::new();
    let mut used = vec![false; groups.len()];
    let mut all_sound = true;
    for (i, route) in routes.into_iter().enumerate() {
        let at = format!("routes[{i}]");
        let matches = matches(route.matches.unwrap_or_default(), &at, found);
        let Some(name) = route.group else {
            all_sound = false;
            continue;
        };
        let Some(group) = groups.iter().position(|group| group.name == name) else {
            all_sound = false;
            if !nameless(groups, found) {
                unknown(&name, groups, &at, found);
            }
            continue;
        };
        if let Some(used) = used.get_mut(group) {
            *used = true;
        }
        if let Some(first) = settings
            .iter()
            .position(|other| same(&other.matches, &matches))
        {
            let finding = Finding::new(
                Code::NoEffect,
                &at,
                "an earlier route matches the same requests",
            );
            let line = found
                .line(&format!("routes[{first}].group"))
                .unwrap_or_default();
            found.add(
                finding
                    .on_key()
                    .label("is never taken")
                    .help(format!("the earlier one is on line {line}")),
            );
        }
        settings.push(RouteSettings { matches, group });
    }
    if all_sound {
        for (i, group) in groups.iter().enumerate().filter(|(i, _)| !used[*i]) {
            let message = format!("no route leads to the group `{}`", group.name);
            let finding = Finding::new(Code::NoEffect, &format!("groups[{i}].name"), message);
            found.add(finding.label("is never used"));
        }
    }
    settings
}

/// A group has a bad name, or none where a problem may have swallowed it: it may be the one that a
/// route means.
fn nameless(groups: &[GroupSettings], found: &Findings) -> bool {
    let mut paths = (0..groups.len()).map(|i| format!("groups[{i}]"));
    let doubtful = paths.any(|path| {
        let name = format!("{path}.name");
        found.touched(&name) || (!found.has(&name) && found.touched(&path))
    });
    doubtful || (groups.is_empty() && found.touched("groups"))
}

/// Without routes, one group takes every path unchanged.
fn without(groups: &[GroupSettings], found: &mut Findings) {
    if groups.len() > 1 {
        let finding = Finding::new(
            Code::MissingKey,
            "groups",
            "several groups need `routes` to tell which request goes where",
        );
        let first = groups.first().map_or("", |group| group.name.as_str());
        found.add(finding.on_key().help(format!(
            "for example `routes: [{{match: {{path: /{first}}}, group: {first}}}]`"
        )));
        return;
    }
    let peers = groups
        .first()
        .map_or(&[][..], |group| group.peers.as_slice());
    let Some(first) = peers.first() else {
        return;
    };
    let other = peers
        .iter()
        .position(|peer| peer.url.path != first.url.path);
    if let Some(i) = other.filter(|_| !found.touched("groups[0].peers")) {
        let path = format!("groups[0].peers[{i}].url");
        let finding = Finding::new(
            Code::Contradiction,
            &path,
            "without `routes` the paths of a group's peers must be the same",
        );
        let help = "add a route: the prefix it matches is replaced by the path of the chosen peer";
        found.add(
            finding
                .label("differs from that of the first peer")
                .help(help),
        );
    }
}

fn unknown(name: &str, groups: &[GroupSettings], at: &str, found: &mut Findings) {
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let finding = Finding::new(
        Code::UnknownName,
        &format!("{at}.group"),
        format!("there is no group `{name}`"),
    );
    let words: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let finding = match suggest::nearest(name, &names) {
        Some(meant) => finding.label(format!("did you mean `{meant}`?")),
        None => finding.label("no group has this name"),
    };
    found.add(if words.is_empty() {
        finding
    } else {
        finding.help(format!("the groups are {}", words.join(", ")))
    });
}

fn matches(matches: file::Match, route: &str, found: &mut Findings) -> RouteMatch {
    let at = format!("{route}.match");
    let path = matches.path.unwrap_or_else(|| "/".to_owned());
    let problem = if path.starts_with('/') {
        urls::path_problem(&path)
    } else {
        Some("the path does not begin with `/`")
    };
    if let Some(problem) = problem {
        let finding = Finding::new(Code::BadValue, &format!("{at}.path"), problem);
        found.add(finding.label("expected a path such as `/search`"));
    }
    let host = matches.host.map(|host| {
        if !urls::is_host_pattern(&host) {
            let finding = Finding::new(Code::BadValue, &format!("{at}.host"), "this is not a host");
            found.add(finding.label("expected `example.com` or `*.example.com`, without a port"));
        }
        host.to_ascii_lowercase()
    });
    let mut headers = Vec::new();
    for (name, value) in matches.headers.into_iter().flatten() {
        let at = format!("{at}.headers.{name}");
        match (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            (Err(_), _) => {
                let finding = Finding::new(Code::BadValue, &at, "this is not the name of a header");
                found.add(finding.on_key().label("letters, digits and `-`"));
            }
            (_, Err(_)) => {
                let finding = Finding::new(Code::BadValue, &at, "no header can have this value");
                found.add(finding.label("has a control character"));
            }
        }
    }
    RouteMatch {
        // Prefixes end on segment boundaries, so the last `/` says nothing.
        path: match path.trim_end_matches('/') {
            "" => "/".to_owned(),
            path => path.to_owned(),
        },
        host,
        headers,
        mcp_method: matches.mcp_method,
        mcp_name: matches.mcp_name,
    }
}

fn same(one: &RouteMatch, other: &RouteMatch) -> bool {
    one.path == other.path
        && one.host == other.host
        && one.headers == other.headers
        && one.mcp_method == other.mcp_method
        && one.mcp_name == other.mcp_name
}
