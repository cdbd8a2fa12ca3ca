//! Requests of one client to one peer, where the protocol has no session to go by (mcp-rules 28).

use crate::group::Group;
use crate::session::Session;
use lb::{PeerIndex, hash64};

/// The usable peer that owns the client's address: by rendezvous, so that a peer that leaves moves
/// only its own clients. None if no peer is usable.
pub(super) fn peer(group: &Group, session: &Session) -> Option<PeerIndex> {
    // Those without an address are one client: together they stay where one of them was.
    let client = session.connection.client;
    let client = client.map_or_else(String::new, |client| client.ip().to_string());
    let view = group.lb.view(session.clock().recent());
    let usable = view
        .peers
        .iter()
        .enumerate()
        .filter(|(_, peer)| peer.usable);
    let owner = usable.max_by_key(|(_, peer)| hash64(format!("{client} {}", peer.name).as_bytes()));
    owner
        .and_then(|(index, _)| u16::try_from(index).ok())
        .map(PeerIndex)
}
