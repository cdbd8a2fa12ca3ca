//! The order in which the addresses of a name are tried.

use std::net::SocketAddr;

/// The families in turn, each in the order it came, the family of the first one first
/// (RFC 8305 §4).
pub(super) fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
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
    order
}

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
