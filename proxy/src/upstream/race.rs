//! Connecting to whichever address of a peer answers first (Happy Eyeballs, RFC 8305).

use super::connect::is_exhaustion;
use crate::network::Network;
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

/// Connects to one of the addresses: they are tried in order, families in turn, each as soon as
/// the one before has failed or has had its time; the first to connect wins, and the others are
/// given up.
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
    let mut waiting = interleaved(addresses).into_iter();
    let mut trying = Vec::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        if let Some(address) = waiting.next() {
            trying.push(Box::pin(network.connect(address)));
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

/// The families in turn, each in the order it came, the family of the first one first
/// (RFC 8305 §4).
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) = addresses
        .iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut order = Vec::with_capacity(addresses.len());
    let mut second = second.into_iter();
    for address in first {
        order.push(address);
        order.extend(second.next());
    }
    order.extend(second);
    order.truncate(MOST);
    order
}

/// RFC 8305 §5 recommends 250 ms.
const STAGGER: Duration = Duration::from_millis(250);
/// A name with more addresses than this does not fill the table of descriptors.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_none_is_lost() {
        let rows = [
            (
                &["[::1]:1", "[::2]:1", "1.1.1.1:1"][..],
                "[::1]:1 1.1.1.1:1 [::2]:1",
            ),
            (
                &["1.1.1.1:1", "[::1]:1", "[::2]:1"],
                "1.1.1.1:1 [::1]:1 [::2]:1",
            ),
            (&["1.1.1.1:1", "2.2.2.2:1"], "1.1.1.1:1 2.2.2.2:1"),
            (&[], ""),
        ];
        for (addresses, expected) in rows {
            let addresses: Vec<SocketAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
            let order = interleaved(&addresses);
            let order: Vec<_> = order.iter().map(SocketAddr::to_string).collect();
            assert_eq!(order.join(" "), expected);
        }
    }
}
