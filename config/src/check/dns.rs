//! `dns`.

use std::time::Duration;

use proxy::settings::{DnsResolver, DnsSettings, GroupSettings};

use super::{duration, shown};
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;

pub(super) fn dns(
    dns: Option<file::Dns>,
    groups: &[GroupSettings],
    found: &mut Findings,
) -> DnsSettings {
    let dns = dns.unwrap_or_default();
    let default = DnsSettings::default();
    let mut time =
        |key: &str, span, default| duration(span, default, SHORTEST, &format!("dns.{key}"), found);
    let settings = DnsSettings {
        resolver: match dns.resolver {
            Some(file::DnsResolver::System) => DnsResolver::System,
            Some(file::DnsResolver::Direct) | None => DnsResolver::Direct,
        },
        min_ttl: time("min_ttl", dns.min_ttl, default.min_ttl),
        max_ttl: time("max_ttl", dns.max_ttl, default.max_ttl),
        timeout: time("timeout", dns.timeout, default.timeout),
    };
    if settings.min_ttl > settings.max_ttl {
        let path = if found.has("dns.min_ttl") {
            "dns.min_ttl"
        } else {
            "dns.max_ttl"
        };
        let message = "`min_ttl` is longer than `max_ttl`";
        let finding = Finding::new(Code::Contradiction, path, message);
        let (least, most) = (shown(settings.min_ttl), shown(settings.max_ttl));
        found.add(finding.label(format!("`min_ttl` is {least}, `max_ttl` {most}")));
    }
    let mut peers = groups.iter().flat_map(|group| &group.peers);
    if settings.resolver == DnsResolver::System && peers.any(|peer| peer.url.service().is_some()) {
        let message = "the system looks up addresses only, and a peer is a service";
        let finding = Finding::new(Code::Contradiction, "dns.resolver", message);
        found.add(finding.help("write `resolver: direct`, or give the peer a host and a port"));
    }
    settings
}

/// Name servers are not ours alone.
const SHORTEST: Duration = Duration::from_millis(100);
