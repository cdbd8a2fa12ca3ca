//! `routes`.

use proxy::settings::{GroupSettings, RouteSettings};

use super::matches::matches;
use super::route;
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;
use crate::suggest;

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
    // Which of the file's routes each of the settings' is.
    let mut lines = Vec::new();
    for (i, mut route) in routes.into_iter().enumerate() {
        let at = format!("routes[{i}]");
        let matches = matches(route.matches.take().unwrap_or_default(), &at, found);
        if !one_answer(&route, &at, found) {
            all_sound = false;
            continue;
        }
        if let Some(first) = settings.iter().position(|other| other.matches == matches) {
            let finding = Finding::new(
                Code::NoEffect,
                &at,
                "an earlier route matches the same requests",
            );
            let first = lines.get(first).copied().unwrap_or_default();
            let line = found.line(&format!("routes[{first}]")).unwrap_or_default();
            found.add(
                finding
                    .on_key()
                    .label("is never taken")
                    .help(format!("the earlier one is on line {line}")),
            );
        }
        let Some(name) = route.group.take() else {
            let answered = route::answered(route, matches, &at, found);
            lines.extend(answered.is_some().then_some(i));
            settings.extend(answered);
            continue;
        };
        let Some(position) = groups.iter().position(|group| group.name == name) else {
            all_sound = false;
            if !nameless(groups, found) {
                unknown(&name, groups, &at, found);
            }
            continue;
        };
        if let Some(used) = used.get_mut(position) {
            *used = true;
        }
        if let Some(group) = groups.get(position) {
            let group = (position, group);
            settings.push(route::to_group(route, matches, group, &at, found));
            lines.push(i);
        }
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

/// Whether a route says who answers, and only once.
fn one_answer(route: &file::Route, at: &str, found: &mut Findings) -> bool {
    let given = [
        ("group", route.group.is_some()),
        ("redirect", route.redirect.is_some()),
        ("respond", route.respond.is_some()),
    ];
    let mut given = given
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key));
    match (given.next(), given.next()) {
        (Some(_), None) => true,
        (Some(_), Some(second)) => {
            let message = "a route has one of `group`, `redirect` and `respond`";
            let finding = Finding::new(Code::Contradiction, &format!("{at}.{second}"), message);
            found.add(finding.on_key().label("a second one"));
            false
        }
        (None, _) => {
            if !found.touched(at) {
                let message = format!("`{at}` has no `group`");
                let finding = Finding::new(Code::MissingKey, at, message).on_key();
                found.add(
                    finding
                        .label("`group` is missing here")
                        .help("for example `group: search`; or `redirect` or `respond`"),
                );
            }
            false
        }
    }
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
