//! The addresses of peers that have a name: looked up off the path of requests, and again when
//! what was learned has aged.

mod families;
mod places;
mod service;

pub(crate) use places::{Place, Places};
use service::{Service, Target};

use crate::group::Group;
use crate::hooks::Hooks;
use crate::metrics::ProxyMetrics;
use crate::network::{Network, Resolved, ServiceTarget};
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
                        is_service: peer.url.service().is_some(),
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
    /// Its name is that of a service, whose records name the ports.
    is_service: bool,
    places: Arc<Places>,
}

impl Subject {
    /// Looks its name up, again and again.
    async fn look<N: Network, H: Hooks>(&self, thread: &Thread<N, H>, settings: &DnsSettings) {
        let mut failures: u32 = 0;
        loop {
            let answer = if self.is_service {
                self.ask_service(thread, settings).await
            } else {
                self.ask(thread, settings).await
            };
            let wait = match answer {
                Ok(ttl) => {
                    failures = 0;
                    thread.shared.metrics.names.answered.increment();
                    ttl.clamp(settings.min_ttl, settings.max_ttl)
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

    /// Takes over what is answered. How long that is good.
    async fn ask<N: Network, H: Hooks>(
        &self,
        thread: &Thread<N, H>,
        settings: &DnsSettings,
    ) -> io::Result<Duration> {
        let resolved = resolve(&thread.network, (&self.host, self.port), settings).await?;
        let changed = self.places.set(&resolved.addresses);
        self.found(changed, resolved.addresses.len());
        Ok(resolved.ttl)
    }

    /// The same for a service and the addresses of its targets.
    async fn ask_service<N: Network, H: Hooks>(
        &self,
        thread: &Thread<N, H>,
        settings: &DnsSettings,
    ) -> io::Result<Duration> {
        let asking = thread.network.resolve_service(&self.host);
        let mut records = in_time(settings, asking).await?;
        // What is left out is what nobody should try first.
        records.targets.sort_by_key(|target| target.priority);
        records.targets.truncate(MOST);
        if let [ServiceTarget { host, .. }] = &records.targets[..]
            && host == "."
        {
            // RFC 2782 "Target": decidedly not available. That is no failure of a name server, so
            // what was known before no longer holds.
            let none = io::Error::new(io::ErrorKind::NotFound, "there is no such service");
            self.places.clear(&none);
            return Err(none);
        }
        let mut ttl = records.ttl;
        let mut targets = Vec::new();
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the service has no target");
        for target in records.targets {
            // One whose name fails is not waited for: the others serve.
            match resolve(&thread.network, (&target.host, target.port), settings).await {
                Ok(resolved) => {
                    ttl = ttl.min(resolved.ttl);
                    targets.push(Target {
                        priority: target.priority,
                        weight: target.weight,
                        addresses: resolved.addresses,
                    });
                }
                Err(error) => failed = error,
            }
        }
        if targets.is_empty() {
            return Err(failed);
        }
        let service = Service::new(targets, thread.clock.entropy());
        let addresses = service.addresses();
        let changed = self.places.set_service(service);
        self.found(changed, addresses);
        Ok(ttl)
    }

    fn found(&self, changed: bool, addresses: usize) {
        if changed {
            let (group, peer, host) = (&self.group, &self.peer, &self.host);
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

/// The addresses of a name, of which there are some.
async fn resolve<N: Network>(
    network: &N,
    (host, port): (&str, u16),
    settings: &DnsSettings,
) -> io::Result<Resolved> {
    let resolved = in_time(settings, network.resolve(host, port, settings.resolver)).await?;
    if resolved.addresses.is_empty() {
        let none = "the name has no address";
        return Err(io::Error::new(io::ErrorKind::NotFound, none));
    }
    Ok(resolved)
}

async fn in_time<T>(
    settings: &DnsSettings,
    asking: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::time::timeout(settings.timeout, asking)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))
}

/// As many as are tried for one connection: a name server may say anything.
const MOST: usize = 16;
/// After the first failure: soon, since it may be ours.
const FIRST: Duration = Duration::from_secs(1);
/// Between two tries while a name fails.
const LONGEST: Duration = Duration::from_secs(30);
