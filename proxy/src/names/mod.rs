//! The addresses of peers that have a name: looked up off the path of requests, and again when
//! what was learned has aged.

mod places;

pub(crate) use places::{Place, Places};

use crate::group::Group;
use crate::hooks::Hooks;
use crate::metrics::ProxyMetrics;
use crate::network::{Network, Resolved};
use crate::settings::DnsSettings;
use crate::thread::Thread;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Whose name is looked up, each in a task of its own; dropping it ends them.
pub(crate) struct Names<N: Network, H: Hooks> {
    thread: Rc<Thread<N, H>>,
    settings: DnsSettings,
    /// By the number of the peer.
    lookups: BTreeMap<usize, Lookup>,
}

struct Lookup(JoinHandle<()>);

impl Drop for Lookup {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<N: Network, H: Hooks> Names<N, H> {
    pub(crate) fn new(thread: &Rc<Thread<N, H>>) -> Self {
        Self {
            thread: Rc::clone(thread),
            settings: DnsSettings::default(),
            lookups: BTreeMap::new(),
        }
    }

    /// Looks up the peers of these groups from now on, and no others.
    pub(crate) fn follow(&mut self, groups: &[Arc<Group>], settings: &DnsSettings) {
        let mut before = std::mem::take(&mut self.lookups);
        if self.settings != *settings {
            self.settings = settings.clone();
            before.clear();
        }
        for group in groups {
            for (peer, named) in group.peers.iter().zip(&group.settings.peers) {
                if peer.places.is_fixed() {
                    continue;
                }
                let lookup = before.remove(&peer.number).unwrap_or_else(|| {
                    let subject = Subject {
                        group: group.name().to_owned(),
                        peer: named.peer.name.clone(),
                        host: peer.url.host.clone(),
                        port: peer.url.port,
                        places: Arc::clone(&peer.places),
                    };
                    let (thread, settings) = (Rc::clone(&self.thread), settings.clone());
                    let looking = async move { subject.look(&thread, &settings).await };
                    Lookup(tokio::task::spawn_local(looking))
                });
                self.lookups.insert(peer.number, lookup);
            }
        }
    }
}

/// A peer that has a name.
struct Subject {
    group: String,
    peer: String,
    host: String,
    port: u16,
    places: Arc<Places>,
}

impl Subject {
    /// Looks its name up, again and again.
    async fn look<N: Network, H: Hooks>(&self, thread: &Thread<N, H>, settings: &DnsSettings) {
        let mut failures: u32 = 0;
        loop {
            let asking = thread
                .network
                .resolve(&self.host, self.port, settings.resolver);
            let answer = match tokio::time::timeout(settings.timeout, asking).await {
                Ok(answer) => answer.and_then(some),
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
            };
            let wait = match answer {
                Ok(resolved) => {
                    failures = 0;
                    self.found(&resolved, &thread.shared.metrics);
                    resolved.ttl.clamp(settings.min_ttl, settings.max_ttl)
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.failed(&error, failures, &thread.shared.metrics);
                    // 1, 2, 4 … seconds.
                    let wait = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10));
                    wait.clamp(settings.min_ttl, settings.max_ttl.min(LONGEST))
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn found(&self, resolved: &Resolved, metrics: &ProxyMetrics) {
        metrics.names.answered.increment();
        if self.places.set(&resolved.addresses) {
            let (group, peer, host) = (&self.group, &self.peer, &self.host);
            let addresses = resolved.addresses.len();
            tracing::info!(group, peer, host, addresses, "peer_resolved");
        }
    }

    /// The last good answer is kept: names come and go with their servers, machines less so.
    fn failed(&self, error: &io::Error, failures: u32, metrics: &ProxyMetrics) {
        metrics.names.failed.increment();
        self.places.fail(error);
        if failures == 1 {
            let (group, peer, host) = (&self.group, &self.peer, &self.host);
            tracing::warn!(group, peer, host, %error, "peer_not_resolved");
        }
    }
}

fn some(resolved: Resolved) -> io::Result<Resolved> {
    if resolved.addresses.is_empty() {
        let none = "the name has no address";
        return Err(io::Error::new(io::ErrorKind::NotFound, none));
    }
    Ok(resolved)
}

/// After the first failure: soon, since it may be ours.
const FIRST: Duration = Duration::from_secs(1);
/// Between two tries while a name fails.
const LONGEST: Duration = Duration::from_secs(30);
