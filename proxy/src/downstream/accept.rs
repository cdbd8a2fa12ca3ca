//! Accepting: one socket per address, each client to the least loaded thread.

use super::connection::{Client, serve_connection};
use super::registry::Registry;
use crate::hooks::Hooks;
use crate::metrics::ProxyMetrics;
use crate::network::Network;
use crate::settings::{Cidr, Limits};
use crate::thread::Thread;
use crate::tls::Terminator;
use crate::upstream::is_exhaustion;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Who may connect, and how many at once.
#[derive(Debug)]
pub(crate) struct Admission {
    most: usize,
    most_per_address: usize,
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
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            most: limits.connections,
            most_per_address: limits.connections_per_address,
            active: AtomicUsize::new(0),
            by_address: Mutex::default(),
        })
    }

    fn admit(self: &Arc<Self>, address: IpAddr, metrics: &Arc<ProxyMetrics>) -> Option<Admitted> {
        let over = |most: usize, count: usize| most > 0 && count >= most;
        if over(self.most, self.active.load(Ordering::Relaxed)) {
            metrics.limits.connections.increment();
            return None;
        }
        let counted = self.most_per_address > 0;
        if counted {
            let mut by_address = self
                .by_address
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let count = by_address.entry(address).or_default();
            if *count >= self.most_per_address {
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
            address: counted.then_some(address),
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

/// A client on its way to another thread.
#[derive(Debug)]
pub(crate) struct Arrival<N: Network> {
    parcel: N::Parcel,
    client: Client,
    admitted: Admitted,
    load: Load,
}

/// Connections of a thread, counted from the moment they are given to it.
#[derive(Debug)]
struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One thread that takes clients.
#[derive(Debug)]
pub(crate) struct Worker<N: Network> {
    pub(crate) load: Arc<AtomicUsize>,
    /// None for the accepting thread itself.
    pub(crate) arrivals: Option<UnboundedSender<Arrival<N>>>,
}

/// One listening address.
#[derive(Debug)]
pub(crate) struct Listening<N: Network> {
    pub(crate) listener: N::Listener,
    pub(crate) local: SocketAddr,
    pub(crate) half_close: bool,
    pub(crate) tls: Option<Arc<Terminator>>,
}

/// What accepting needs to know.
#[derive(Debug)]
pub(crate) struct Door<N: Network> {
    pub(crate) admission: Arc<Admission>,
    pub(crate) trusted: Arc<[Cidr]>,
    pub(crate) workers: Vec<Worker<N>>,
}

/// Accepts clients; never ends.
pub(crate) async fn accept_loop<N: Network, H: Hooks>(
    thread: Rc<Thread<N, H>>,
    registry: Rc<Registry>,
    listening: Listening<N>,
    door: Rc<Door<N>>,
) {
    let metrics = &thread.shared.metrics;
    loop {
        let (stream, address) = match thread.network.accept(&listening.listener).await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors: the clients wait in the backlog until some are free.
                // Other errors are those of a client that left before it was accepted.
                if is_exhaustion(&error) {
                    metrics.limits.descriptors.increment();
                    tracing::warn!(%error, "accept_paused");
                    tokio::time::sleep(PAUSE).await;
                }
                continue;
            }
        };
        let Some(admitted) = door.admission.admit(address.ip().to_canonical(), metrics) else {
            continue;
        };
        let client = Client {
            address,
            local: listening.local,
            trusted: door.trusted.iter().any(|cidr| cidr.contains(address.ip())),
            half_close: listening.half_close,
            tls: listening.tls.clone(),
        };
        let least = door
            .workers
            .iter()
            .min_by_key(|worker| worker.load.load(Ordering::Relaxed));
        let Some(worker) = least else { continue };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let load = Load(Arc::clone(&worker.load));
        match &worker.arrivals {
            None => spawn(&thread, &registry, stream, client, (admitted, load)),
            Some(arrivals) => {
                if let Ok(parcel) = thread.network.pack(stream) {
                    // A thread that has ended takes no more; the client sees a closed socket.
                    let arrival = Arrival {
                        parcel,
                        client,
                        admitted,
                        load,
                    };
                    drop(arrivals.send(arrival));
                }
            }
        }
    }
}

/// Serves what other threads accepted; ends when they do.
pub(crate) async fn arrive_loop<N: Network, H: Hooks>(
    thread: Rc<Thread<N, H>>,
    registry: Rc<Registry>,
    mut arrivals: tokio::sync::mpsc::UnboundedReceiver<Arrival<N>>,
) {
    while let Some(arrival) = arrivals.recv().await {
        if let Ok(stream) = thread.network.unpack(arrival.parcel) {
            let held = (arrival.admitted, arrival.load);
            spawn(&thread, &registry, stream, arrival.client, held);
        }
    }
}

fn spawn<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    registry: &Rc<Registry>,
    stream: N::Stream,
    client: Client,
    held: (Admitted, Load),
) {
    let serving = serve_connection(Rc::clone(thread), Rc::clone(registry), stream, client);
    tokio::task::spawn_local(async move {
        serving.await;
        drop(held);
    });
}

/// How long accepting pauses when descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);
