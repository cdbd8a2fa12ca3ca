//! Which path and which `Host` a peer sees.

use crate::group::Peer;
use crate::hooks::Target;
use crate::route::rewrite;
use crate::settings::HostPolicy;
use http::{Uri, header, request};

/// Gives the head of an attempt the path and the `Host` of its peer.
pub(super) fn address(head: &mut request::Parts, target: &Target, peer: lb::PeerIndex) {
    let Peer { url, authority, .. } = target.group.peer(peer);
    let whole = head.uri.path_and_query();
    let rewritten = match (whole, target.prefix) {
        (Some(whole), Some(prefix)) => rewrite(whole, prefix, &url.path),
        _ => None,
    };
    if let Some(path) = rewritten {
        head.uri = path.into();
    } else if head.uri.authority().is_some() {
        // Origin form, whatever the client sent (RFC 9112 §3.2.1).
        head.uri = whole.cloned().map_or_else(Uri::default, Uri::from);
    }
    let host = match &target.group.settings.host {
        HostPolicy::Auto if target.mcp => Some(authority),
        HostPolicy::Upstream => Some(authority),
        HostPolicy::Fixed(host) => Some(host),
        HostPolicy::Auto | HostPolicy::Preserve if !head.headers.contains_key(header::HOST) => {
            Some(authority)
        }
        HostPolicy::Auto | HostPolicy::Preserve => None,
    };
    if let Some(host) = host {
        head.headers.insert(header::HOST, host.clone());
    }
}
