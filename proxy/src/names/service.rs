//! Where the targets of a service are, and in which order they are tried (RFC 2782).

use super::families::interleaved;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the targets of a service are.
#[derive(Debug)]
pub(crate) struct Service {
    /// By priority, the lowest first; then by weight, those of weight 0 first.
    targets: Vec<Target>,
    seed: u64,
    /// Orders so far.
    orders: AtomicU64,
}

/// One target of a service. Ordered as they stand in it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Target {
    /// The lowest is tried first.
    pub(crate) priority: u16,
    /// The share of the connections among those of equal priority; 0: hardly any.
    pub(crate) weight: u16,
    /// Where it is.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Service {
    /// A service whose orders follow from a random seed.
    pub(crate) fn new(targets: Vec<Target>, seed: u64) -> Self {
        let mut targets = targets;
        for target in &mut targets {
            target.addresses = interleaved(&target.addresses);
        }
        targets.sort_unstable();
        Self {
            targets,
            seed,
            orders: AtomicU64::new(0),
        }
    }

    /// The addresses for one connection, in the order in which to try them: by priority, and
    /// among equals drawn by weight (RFC 2782 "Weight").
    pub(crate) fn order(&self) -> Vec<SocketAddr> {
        let number = self.orders.fetch_add(1, Ordering::Relaxed);
        let mut random = self.seed.wrapping_add(number);
        let mut order = Vec::new();
        for equals in self.targets.chunk_by(|a, b| a.priority == b.priority) {
            let mut left: Vec<&Target> = equals.iter().collect();
            while !left.is_empty() {
                random = lb::hash64(&random.to_be_bytes());
                let next = left.remove(drawn(&left, random));
                order.extend_from_slice(&next.addresses);
            }
        }
        order
    }

    /// Whether the targets are the same, wherever each of them is.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.targets == other.targets
    }

    pub(crate) fn addresses(&self) -> usize {
        self.targets
            .iter()
            .map(|target| target.addresses.len())
            .sum()
    }
}

/// Which of these a random number means: the first whose running sum of weights reaches it. Those of
/// weight 0 come first, so that they have a chance as well, if a small one.
fn drawn(targets: &[&Target], random: u64) -> usize {
    let weight = |target: &&Target| u64::from(target.weight);
    let sum: u64 = targets.iter().map(weight).sum();
    if sum == 0 {
        // There is nothing to go by, and any order will do.
        let place = random % targets.len().max(1) as u64;
        return usize::try_from(place).unwrap_or_default();
    }
    let random = random % (sum + 1);
    let mut running = 0;
    let reached = targets.iter().position(|target| {
        running += weight(target);
        running >= random
    });
    // The last one reaches the sum.
    reached.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn service(targets: &[(u16, u16, &str)]) -> Service {
        let targets = targets.iter().map(|(priority, weight, address)| Target {
            priority: *priority,
            weight: *weight,
            addresses: vec![address.parse().unwrap()],
        });
        Service::new(targets.collect(), 7)
    }

    #[test]
    fn a_lower_priority_comes_first_and_all_come() {
        let service = service(&[
            (20, 65535, "3.3.3.3:1"),
            (10, 0, "1.1.1.1:1"),
            (10, 0, "2.2.2.2:1"),
            (30, 0, "4.4.4.4:1"),
        ]);
        let mut firsts = BTreeMap::new();
        for _ in 0..100 {
            let order = service.order();
            assert_eq!(order.len(), 4);
            assert_eq!(
                order[2..],
                ["3.3.3.3:1", "4.4.4.4:1"].map(|a| a.parse().unwrap())
            );
            *firsts.entry(order[0]).or_insert(0) += 1;
        }
        assert!(firsts.values().all(|first| *first > 30), "{firsts:?}");
    }

    #[test]
    fn weights_are_shares_and_0_is_next_to_none() {
        let service = service(&[
            (1, 0, "1.1.1.1:1"),
            (1, 10, "2.2.2.2:1"),
            (1, 30, "3.3.3.3:1"),
        ]);
        let mut firsts: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..10_000 {
            *firsts.entry(service.order()[0].to_string()).or_default() += 1;
        }
        let share = |address: &str| firsts.get(address).copied().unwrap_or_default();
        // One, ten and thirty of 41.
        for (address, expected) in [
            ("1.1.1.1:1", 244),
            ("2.2.2.2:1", 2_439),
            ("3.3.3.3:1", 7_317),
        ] {
            let share = share(address);
            assert!(share.abs_diff(expected) < 150, "{address}: {share}");
        }
    }

    #[test]
    fn two_proxies_do_not_begin_alike() {
        let target = |address: &str| Target {
            priority: 1,
            weight: 1,
            addresses: vec![address.parse().unwrap()],
        };
        let targets = vec![target("1.1.1.1:1"), target("2.2.2.2:1")];
        let first = |seed| Service::new(targets.clone(), seed).order()[0];
        assert!((0..20).any(|seed| first(seed) != first(0)));
    }
}
