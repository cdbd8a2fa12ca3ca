//! Connecting to whichever address of a peer answers first (Happy Eyeballs, RFC 8305).

use super::connect::is_exhaustion;
use crate::network::Network;
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

/// Connects to one of the addresses: they are tried in order, each as soon as the one before has
/// failed or has had its time; the first to connect wins, and the others are given up.
///
/// # Errors
/// None can be connected to: what the last one said; or there is none.
pub(super) async fn race<N: Network>(
    network: &N,
    addresses: &[SocketAddr],
) -> io::Result<N::Stream> {
    if let [address] = addresses {
        return network.connect(*address).await;
    }
    let mut waiting = addresses.iter().take(MOST);
    let mut trying = Vec::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        if let Some(address) = waiting.next() {
            trying.push(Box::pin(network.connect(*address)));
        } else if trying.is_empty() {
            return Err(last);
        }
        let patience = async {
            if waiting.len() > 0 {
                tokio::time::sleep(STAGGER).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let ended = std::future::poll_fn(|cx| {
            for at in 0..trying.len() {
                if let Poll::Ready(result) = trying[at].as_mut().poll(cx) {
                    drop(trying.swap_remove(at));
                    return Poll::Ready(result);
                }
            }
            Poll::Pending
        });
        tokio::select! {
            biased;
            result = ended => match result {
                Ok(stream) => return Ok(stream),
                // Another address would not help.
                Err(error) if is_exhaustion(&error) => return Err(error),
                Err(error) => last = error,
            },
            () = patience => {}
        }
    }
}

/// RFC 8305 §5 recommends 250 ms.
const STAGGER: Duration = Duration::from_millis(250);
/// A name with more addresses than this does not fill the table of descriptors.
const MOST: usize = 16;
