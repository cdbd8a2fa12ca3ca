//! Accepting: one socket per address, each client to the least loaded thread.

use super::admission::{Admission, Admitted};
use super::close::Closed;
use super::connection::{Client, serve_connection};
use super::registry::Registry;
use crate::hooks::Hooks;
use crate::network::{Address, Network};
use crate::settings::ListenerSettings;
use crate::thread::Thread;
use crate::tls::Terminator;
use crate::upstream::is_exhaustion;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

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
    pub(crate) local: Address,
    /// A reload replaces them.
    pub(crate) terms: Rc<RefCell<Terms>>,
    pub(crate) closed: Closed,
}

/// What a listener grants its new clients.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) half_close: bool,
    pub(crate) tls: Option<Arc<Terminator>>,
}

impl Terms {
    /// Takes over what newer settings of the listener say. Its TLS stays the same and goes by
    /// other files, so that its clients can resume their sessions.
    pub(crate) fn renew(&mut self, settings: &ListenerSettings) {
        self.half_close = settings.half_close;
        match (&self.tls, &settings.tls) {
            (Some(tls), Some(newer)) => tls.adopt(newer),
            _ => self.tls.clone_from(&settings.tls),
        }
    }

    pub(crate) fn new(settings: &ListenerSettings) -> Self {
        Self {
            half_close: settings.half_close,
            tls: settings.tls.clone(),
        }
    }
}

/// What accepting needs to know.
#[derive(Debug)]
pub(crate) struct Door<N: Network> {
    pub(crate) admission: Arc<Admission>,
    pub(crate) workers: Vec<Worker<N>>,
}

impl<N: Network> Door<N> {
    /// The thread with the fewest connections, with one more counted for it.
    fn least_loaded(&self) -> Option<(&Worker<N>, Load)> {
        let workers = self.workers.iter();
        let worker = workers.min_by_key(|worker| worker.load.load(Ordering::Relaxed))?;
        worker.load.fetch_add(1, Ordering::Relaxed);
        Some((worker, Load(Arc::clone(&worker.load))))
    }
}

/// Accepts clients until the listener is closed.
pub(crate) async fn accept_loop<N: Network, H: Hooks>(
    thread: Rc<Thread<N, H>>,
    registry: Rc<Registry>,
    listening: Listening<N>,
    door: Rc<Door<N>>,
) {
    let metrics = &thread.shared.metrics;
    loop {
        let accepted = tokio::select! {
            // Who waits in the backlog comes in before the listener closes.
            biased;
            accepted = thread.network.accept(&listening.listener) => accepted,
            () = listening.closed.wait() => return,
        };
        let (stream, address) = match accepted {
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
        let rules = thread.shared.rules.load();
        let ip = address.map(|address| address.ip());
        let canonical = ip.as_ref().map(IpAddr::to_canonical);
        let Some(admitted) = door.admission.admit(canonical, &rules.limits, metrics) else {
            continue;
        };
        let terms = listening.terms.borrow().clone();
        let client = Client {
            address,
            local: listening.local.clone(),
            trusted: rules.trusts(ip),
            half_close: terms.half_close,
            tls: terms.tls.clone(),
        };
        let Some((worker, load)) = door.least_loaded() else {
            continue;
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::SystemNetwork;

    /// Which of the workers each of so many connections goes to.
    fn door(threads: usize) -> Door<SystemNetwork> {
        let worker = || Worker {
            load: Arc::default(),
            arrivals: None,
        };
        Door {
            admission: Arc::default(),
            workers: std::iter::repeat_with(worker).take(threads).collect(),
        }
    }

    fn loads(door: &Door<SystemNetwork>) -> Vec<usize> {
        let loads = door.workers.iter().map(|worker| &worker.load);
        loads.map(|load| load.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn long_lived_connections_are_given_out_evenly() {
        let door = door(2);
        let mut held: Vec<_> = (0..32).map(|_| door.least_loaded().unwrap().1).collect();
        assert_eq!(loads(&door), [16, 16]);
        // Those of one thread end, whatever it served: what comes next fills it up again.
        let mut at = 0;
        held.retain(|_| {
            at += 1;
            at % 2 == 0
        });
        assert_eq!(loads(&door), [0, 16]);
        held.extend((0..16).map(|_| door.least_loaded().unwrap().1));
        assert_eq!(loads(&door), [16, 16]);
        drop(held);
        assert_eq!(loads(&door), [0, 0]);
    }
}
