//! The `http` probe.

use super::{Failed, Finding, exchange::exchange};
use crate::group::Peer;
use crate::hooks::Hooks;
use crate::network::Network;
use crate::settings::HttpProbe;
use crate::thread::Thread;
use bytes::Bytes;
use http::Request;

/// Asks for the path and looks at the status.
pub(super) async fn probe<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    probe: &HttpProbe,
) -> Result<Finding, Failed> {
    let request = Request::get(&probe.path)
        .header("user-agent", "backstay-probe")
        .body(Bytes::new())
        .map_err(|error| Failed(error.to_string()))?;
    let status = exchange(thread, peer, request).await?.status().as_u16();
    if (probe.statuses.0..=probe.statuses.1).contains(&status) {
        Ok(Finding::Passed)
    } else {
        Err(Failed(format!("status {status}")))
    }
}
