//! Who may connect, and how many at once.

use crate::metrics::ProxyMetrics;
use crate::settings::Limits;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Who may connect, and how many at once.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    active: AtomicUsize,
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
}

/// Leave to be connected; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
    metrics: Arc<ProxyMetrics>,
}

impl Admission {
    /// Lets a client in, or counts the limit that keeps it out. One without an address came over a
    /// socket in the file system, mostly from a proxy in front: the limit of an address is not for it.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        limits: &Limits,
        metrics: &Arc<ProxyMetrics>,
    ) -> Option<Admitted> {
        let over = |most: usize, count: usize| most > 0 && count >= most;
        if over(limits.connections, self.active.load(Ordering::Relaxed)) {
            metrics.limits.connections.increment();
            return None;
        }
        let counted = address.filter(|_| limits.connections_per_address > 0);
        if let Some(address) = counted {
            let mut by_address = self
                .by_address
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let count = by_address.entry(address).or_default();
            if *count >= limits.connections_per_address {
                metrics.limits.connections_per_address.increment();
                return None;
            }
            *count += 1;
        }
        self.active.fetch_add(1, Ordering::Relaxed);
        metrics.connections.increment();
        metrics.connections_active.increment();
        Some(Admitted {
            admission: Arc::clone(self),
            address: counted,
            metrics: Arc::clone(metrics),
        })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.metrics.connections_active.decrement();
        self.admission.active.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = self.address {
            let by_address = &self.admission.by_address;
            let mut by_address = by_address.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = by_address.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    by_address.remove(&address);
                }
            }
        }
    }
}
