//! Which path and which `Host` a peer sees.

use crate::group::Peer;
use crate::hooks::Target;
use crate::route::rewrite;
use crate::settings::HostPolicy;
use crate::upstream::UpstreamHead;
use http::{header, request};

/// Gives the head of an attempt the path and the `Host` of its peer.
pub(super) fn address(
    head: &mut UpstreamHead<'_>,
    request: &request::Parts,
    target: &Target,
    peer: lb::PeerIndex,
) {
    let Peer { url, authority, .. } = target.group.peer(peer);
    if let Some(prefix) = target.prefix
        && let Some(whole) = request.uri.path_and_query()
        && let Some(path) = rewrite(whole, prefix, &url.path, target.rewrite.as_deref())
    {
        head.set_path(path);
    }
    let policy = target.host.as_ref().unwrap_or(&target.group.settings.host);
    let host = match policy {
        HostPolicy::Auto if target.mcp => Some(authority),
        HostPolicy::Upstream => Some(authority),
        HostPolicy::Fixed(host) => Some(host),
        HostPolicy::Auto | HostPolicy::Preserve if !head.contains(&header::HOST) => Some(authority),
        HostPolicy::Auto | HostPolicy::Preserve => None,
    };
    if let Some(host) = host {
        head.set_host(host.clone());
    }
}
