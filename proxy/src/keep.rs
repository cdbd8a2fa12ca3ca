//! What becomes of a connection to a peer when a response on it has ended.

use crate::attempts::Answer;
use crate::group::Group;
use crate::hooks::Hooks;
use crate::network::Network;
use crate::thread::Thread;
use crate::transaction::Transaction;
use crate::upstream::Connection;
use http::response;
use lb::{PeerIndex, Pick};

/// Puts a connection back into its pool, if another request may follow on it.
pub(crate) fn keep<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    group: &Group,
    peer: PeerIndex,
    mut connection: Connection<N::Stream>,
) {
    let stays = group.peer(peer).drain.is_serving() && thread.drain.is_serving();
    if !stays || !connection.is_idle() {
        return;
    }
    let settings = &group.settings;
    thread.pools.put(
        group.peer(peer).number,
        connection,
        thread.clock.recent(),
        settings.pool_idle,
        settings.pool_size,
    );
}

/// Ends a response without a body: its connection may serve another request at once.
pub(crate) fn finish<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    transaction: &mut Transaction<H>,
    answer: Answer<N>,
    pick: &Pick,
) -> response::Parts {
    transaction.complete();
    if let Some(group) = &transaction.group {
        keep(thread, group, pick.peer(), answer.connection);
    }
    answer.head
}
