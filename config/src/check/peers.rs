//! `peers`, and what depends on which peers there are.

use std::collections::{BTreeMap, BTreeSet};

use proxy::settings::{GroupSettings, HttpVersion, PeerSettings, Probe, Scheme};

use super::{credentials, names};
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;
use crate::urls;

/// The peers with a sound URL.
pub(super) fn peers(
    peers: Vec<file::Peer>,
    group: &str,
    found: &mut Findings,
) -> Vec<PeerSettings> {
    let mut settings = Vec::new();
    let mut named = Vec::new();
    for (i, peer) in peers.into_iter().enumerate() {
        let at = format!("{group}.peers[{i}]");
        let url = peer.url.and_then(|text| match urls::parse(&text) {
            Ok(url) => Some(url),
            Err(bad) => {
                let finding = Finding::new(bad.code, &format!("{at}.url"), bad.message);
                found.add(finding.help(bad.help));
                None
            }
        });
        let credential = credentials::credentials(peer.credentials, &at, found);
        let path = format!("{at}.name");
        let name = match (peer.name, &url) {
            (Some(name), _) => names::checked(name, ":", &path, found),
            (None, Some(url)) => urls::name_of(url),
            (None, None) => continue,
        };
        let path = if found.has(&path) {
            path
        } else {
            format!("{at}.url")
        };
        named.push((path, name.clone()));
        let Some(url) = url else {
            continue;
        };
        let peer = lb::Peer {
            priority: peer.priority.unwrap_or(1),
            weight: peer.weight.unwrap_or(1),
            region: peer.region,
            ..lb::Peer::new(name)
        };
        settings.push(PeerSettings {
            peer,
            url,
            credential,
        });
    }
    let named = named
        .iter()
        .map(|(path, name)| (path.clone(), name.as_str()));
    names::unique("peer", named, found);
    settings
}

/// What the policy of a group asks of its peers. Only for groups whose peers are all sound.
pub(super) fn together(group: &GroupSettings, at: &str, found: &mut Findings) {
    tiers(group, at, found);
    grpc(group, at, found);
    weights(group, at, found);
    regions(group, at, found);
}

fn tiers(group: &GroupSettings, at: &str, found: &mut Findings) {
    let mut tiers: BTreeMap<u32, usize> = BTreeMap::new();
    for peer in &group.peers {
        *tiers.entry(peer.peer.priority).or_default() += 1;
    }
    let needed = usize::try_from(group.policy.min_healthy).unwrap_or(usize::MAX);
    let small = tiers.iter().find(|(_, peers)| **peers < needed);
    if let Some((priority, peers)) = small {
        let has = if *peers == 1 {
            "1 peer".to_owned()
        } else {
            format!("{peers} peers")
        };
        let message =
            format!("the tier of priority {priority} has {has}, so it can never be active");
        let finding = Finding::new(Code::Contradiction, &format!("{at}.min_healthy"), message);
        found.add(
            finding
                .label("more than the tier has")
                .help(format!("write {peers} or less, or add peers to the tier")),
        );
    }
}

/// gRPC needs HTTP/2, and without TLS only the file can say that a peer speaks it.
fn grpc(group: &GroupSettings, at: &str, found: &mut Findings) {
    let asks = matches!(group.health_check.probe, Some(Probe::Grpc(_)));
    let clear = group
        .peers
        .iter()
        .any(|peer| peer.url.scheme == Scheme::Http);
    let speaks = match group.http_version {
        HttpVersion::Auto => !clear,
        HttpVersion::Http1 => false,
        HttpVersion::Http2 => true,
    };
    if asks && !speaks {
        let path = format!("{at}.health_check.probe");
        let message = "a `grpc` probe is of no use where requests go by HTTP/1.1";
        let finding = Finding::new(Code::Contradiction, &path, message);
        found.add(
            finding
                .label("gRPC needs HTTP/2")
                .help("write `http_version: http2` in the group"),
        );
    }
}

fn weights(group: &GroupSettings, at: &str, found: &mut Findings) {
    if !group.peers.is_empty() && group.peers.iter().all(|peer| peer.peer.weight == 0) {
        let finding = Finding::new(
            Code::Contradiction,
            &format!("{at}.peers"),
            "every peer has weight 0, so none takes traffic",
        );
        found.add(
            finding
                .on_key()
                .help("give at least one peer a weight of 1 or more"),
        );
    }
    let equal = matches!(
        group.policy.strategy,
        lb::Strategy::RoundRobin | lb::Strategy::Priority
    );
    let weighted = group.peers.iter().position(|peer| peer.peer.weight > 1);
    if let Some(i) = weighted.filter(|_| equal) {
        let path = format!("{at}.peers[{i}].weight");
        let finding = Finding::new(
            Code::NoEffect,
            &path,
            "this strategy does not go by weights",
        );
        found.add(
            finding
                .label("has no effect")
                .help("write `strategy: weighted_round_robin`"),
        );
    }
}

fn regions(group: &GroupSettings, at: &str, found: &mut Findings) {
    let known: BTreeSet<&str> = group
        .peers
        .iter()
        .filter_map(|peer| peer.peer.region.as_deref())
        .collect();
    let local = group.policy.local_region.iter();
    let local = local.map(|region| (format!("{at}.region.local"), region));
    let fallback = group.policy.region_fallback.iter().enumerate();
    let fallback = fallback.map(|(i, region)| (format!("{at}.region.fallback[{i}]"), region));
    for (path, region) in local.chain(fallback) {
        if !known.contains(region.as_str()) {
            let message = format!("no peer is in the region `{region}`");
            let finding = Finding::new(Code::Doubtful, &path, message).label("has no effect");
            let words: Vec<String> = known.iter().map(|region| format!("`{region}`")).collect();
            found.add(if words.is_empty() {
                finding.help("give the peers a `region`")
            } else {
                finding.help(format!("the regions of the peers are {}", words.join(", ")))
            });
        }
    }
}
