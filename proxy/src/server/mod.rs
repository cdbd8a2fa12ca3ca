//! The threads: how they start, change and stop.

mod control;
mod front;
mod seat;
mod survey;

pub use control::{Control, ReloadError, Reloaded, Running, Stage};
pub use survey::{Checked, Connected, Surveyed};

use crate::clock::ClockSource;
use crate::downstream::{Admission, Door, Worker, arrive_loop};
use crate::group::Group;
use crate::headers::Identity;
use crate::hooks::Hooks;
use crate::metrics::ProxyMetrics;
use crate::network::{Address, Network};
use crate::settings::{DnsSettings, Limits, ListenerSettings, TrustedProxy};
use crate::thread::{Rules, Shared};
use crate::upload::ReplayTotal;
use arc_swap::ArcSwap;
use control::Order;
use front::Front;
use seat::{Seat, Tasks, run};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::sync::{mpsc, oneshot, watch};

/// What a server needs besides its hooks.
#[derive(Clone, Debug, Default)]
pub struct ServerSettings {
    /// Worker threads, each with a runtime of its own; 0: one per core.
    pub threads: usize,
    /// Where clients connect.
    pub listeners: Vec<ListenerSettings>,
    /// Clients whose forwarding fields are believed.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Bounds on what clients and peers may cost.
    pub limits: Limits,
    /// How names of peers are looked up.
    pub dns: DnsSettings,
    /// The groups whose peers are probed.
    pub groups: Vec<Arc<Group>>,
}

/// A proxy whose sockets are open, but which serves nobody yet.
pub struct Server<N: Network, H: Hooks> {
    network: N,
    hooks: Arc<H>,
    clock: ClockSource,
    threads: usize,
    sockets: Vec<(Opened<N>, ListenerSettings)>,
    groups: Vec<Arc<Group>>,
    dns: DnsSettings,
    shared: Arc<Shared>,
    control: Control,
    orders: mpsc::Receiver<Order>,
}

/// An open listening socket.
struct Opened<N: Network> {
    socket: N::Socket,
    local: Address,
}

impl<N: Network, H: Hooks> Server<N, H> {
    /// Opens the listening sockets.
    ///
    /// # Errors
    /// An address that cannot be listened on; the message names it.
    pub fn bind(
        network: N,
        hooks: Arc<H>,
        clock: ClockSource,
        settings: &ServerSettings,
    ) -> io::Result<Self> {
        network.set_silence(settings.limits.silence);
        let mut sockets = Vec::new();
        for listener in &settings.listeners {
            sockets.push((open(&network, listener)?, listener.clone()));
        }
        let limits = &settings.limits;
        let rules = Rules {
            limits: Arc::new(limits.clone()),
            trusted: settings.trusted_proxies.clone(),
            open: sockets
                .iter()
                .map(|(opened, _)| opened.local.clone())
                .collect(),
            leaving: Vec::new(),
        };
        let shared = Shared {
            rules: ArcSwap::from_pointee(rules),
            identity: Identity::new(clock.clock(usize::MAX - 1).entropy()),
            replay: ReplayTotal::new(limits.replay_total),
            metrics: Arc::default(),
        };
        // One waits while another is done; more wait with their senders.
        let (sender, orders) = mpsc::channel(1);
        Ok(Self {
            network,
            hooks,
            clock,
            threads: settings.threads,
            sockets,
            groups: settings.groups.clone(),
            dns: settings.dns.clone(),
            shared: Arc::new(shared),
            control: Control {
                stage: watch::Sender::new(Stage::Serving),
                orders: sender,
            },
            orders,
        })
    }

    /// The addresses it listens on, in the order of the settings.
    pub fn addresses(&self) -> Vec<Address> {
        self.sockets
            .iter()
            .map(|(opened, _)| opened.local.clone())
            .collect()
    }

    /// What it counts.
    pub fn metrics(&self) -> Arc<ProxyMetrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// A handle that stops and changes it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Serves on threads of its own. It owns them, so it can be started from a program without a
    /// runtime and from one with any runtime alike; [`Running::wait`] blocks, and belongs on
    /// `spawn_blocking` there.
    ///
    /// # Errors
    /// A thread or its runtime cannot be made.
    pub fn start(self) -> io::Result<Running> {
        let count = match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let control = self.control();
        let metrics = self.metrics();
        let mut workers = Vec::new();
        let mut threads = Vec::new();
        for number in 1..count {
            let (sender, arrivals) = mpsc::unbounded_channel();
            let load = Arc::new(AtomicUsize::new(0));
            workers.push(Worker {
                load: Arc::clone(&load),
                arrivals: Some(sender),
            });
            let seat = self.seat(number);
            let name = format!("backstay-{number}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || {
                run(seat.serve(|thread, registry| {
                    let arriving = arrive_loop(Rc::clone(thread), Rc::clone(registry), arrivals);
                    Tasks {
                        coming: vec![tokio::task::spawn_local(arriving)],
                        lasting: None,
                    }
                }))
            })?);
        }
        workers.push(Worker {
            load: Arc::default(),
            arrivals: None,
        });
        let first = std::thread::Builder::new().name("backstay-0".to_owned());
        threads.push(first.spawn(move || run(self.serve_here(workers)))?);
        Ok(Running {
            control,
            metrics,
            threads,
        })
    }

    /// Serves on the current thread alone, within a `LocalSet` or a local runtime, until it is
    /// told to stop: for simulations, and for programs with one thread.
    pub async fn run_local(self) -> io::Result<()> {
        self.serve_here(vec![Worker {
            load: Arc::default(),
            arrivals: None,
        }])
        .await
    }

    fn seat(&self, number: usize) -> Seat<N, H> {
        Seat {
            network: self.network.clone(),
            hooks: Arc::clone(&self.hooks),
            clock: self.clock,
            number,
            shared: Arc::clone(&self.shared),
            stage: self.control.stage.subscribe(),
        }
    }

    /// The accepting thread: it also probes, and reloads.
    async fn serve_here(self, workers: Vec<Worker<N>>) -> io::Result<()> {
        let seat = self.seat(0);
        let stage = self.control.stage.subscribe();
        // Whoever controls the server from elsewhere keeps it; this one would keep itself.
        drop(self.control);
        let admission = Arc::new(Admission::default());
        let door = Door { admission, workers };
        let mut listeners = Vec::new();
        for (opened, settings) in self.sockets {
            let listener = self.network.listen(opened.socket)?;
            listeners.push((listener, opened.local, settings));
        }
        let (groups, dns, orders) = (self.groups, self.dns, self.orders);
        seat.serve(|thread, registry| {
            let mut front = Front::new(thread, registry, door, (groups, &dns));
            for (listener, local, settings) in listeners {
                front.open(listener, local, &settings);
            }
            let (ended, told) = oneshot::channel();
            let obeying = tokio::task::spawn_local(front.obey(orders, stage, told));
            Tasks {
                coming: Vec::new(),
                lasting: Some((ended, obeying)),
            }
        })
        .await
    }
}

/// Opens a listening socket.
fn open<N: Network>(network: &N, listener: &ListenerSettings) -> io::Result<Opened<N>> {
    let named = |error: io::Error| {
        let message = format!("cannot listen on {}: {error}", listener.listen);
        io::Error::new(error.kind(), message)
    };
    let socket = match &listener.listen {
        Address::Tcp(address) => network.bind(*address),
        Address::Unix(path) => network.bind_unix(path, listener.mode),
    };
    let socket = socket.map_err(named)?;
    let local = network.local_address(&socket).map_err(named)?;
    Ok(Opened { socket, local })
}

impl<N: Network, H: Hooks> std::fmt::Debug for Server<N, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses())
            .finish_non_exhaustive()
    }
}
