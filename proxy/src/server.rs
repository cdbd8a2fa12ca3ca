//! The threads, and how they start and stop.

use crate::clock::ClockSource;
use crate::downstream::{Admission, Door, Listening, Registry, Worker, accept_loop, arrive_loop};
use crate::group::Group;
use crate::headers::Identity;
use crate::hooks::Hooks;
use crate::metrics::ProxyMetrics;
use crate::network::Network;
use crate::prober;
use crate::settings::{Cidr, Limits, ListenerSettings};
use crate::thread::{Shared, Thread};
use crate::ticker::{TICK, Ticker};
use crate::upload::ReplayTotal;
use crate::upstream::Pools;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What a server needs besides its hooks.
#[derive(Clone, Debug, Default)]
pub struct ServerSettings {
    /// Worker threads, each with a runtime of its own; 0: one per core.
    pub threads: usize,
    /// Where clients connect.
    pub listeners: Vec<ListenerSettings>,
    /// Clients whose forwarding fields are believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Bounds on what clients and peers may cost.
    pub limits: Limits,
    /// The groups whose peers are probed.
    pub groups: Vec<Arc<Group>>,
}

/// A proxy whose sockets are open, but which serves nobody yet.
pub struct Server<N: Network, H: Hooks> {
    network: N,
    hooks: Arc<H>,
    clock: ClockSource,
    threads: usize,
    sockets: Vec<(N::Socket, SocketAddr, ListenerSettings)>,
    groups: Vec<Arc<Group>>,
    trusted: Arc<[Cidr]>,
    shared: Arc<Shared>,
    stage: watch::Sender<Stage>,
}

/// How far a server is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// It serves.
    Serving,
    /// It takes no new clients and finishes what it has.
    Draining,
    /// It closes everything.
    Closing,
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
        let mut sockets = Vec::new();
        for listener in &settings.listeners {
            let named = |error: io::Error| {
                io::Error::new(
                    error.kind(),
                    format!("cannot listen on {}: {error}", listener.listen),
                )
            };
            let socket = network.bind(listener.listen).map_err(named)?;
            let address = network.local_address(&socket).map_err(named)?;
            sockets.push((socket, address, listener.clone()));
        }
        let shared = Shared {
            limits: Arc::new(settings.limits.clone()),
            identity: Identity::new(clock.clock(usize::MAX - 1).entropy()),
            replay: ReplayTotal::new(settings.limits.replay_total),
            metrics: Arc::default(),
        };
        Ok(Self {
            network,
            hooks,
            clock,
            threads: settings.threads,
            sockets,
            groups: settings.groups.clone(),
            trusted: settings.trusted_proxies.clone().into(),
            shared: Arc::new(shared),
            stage: watch::Sender::new(Stage::Serving),
        })
    }

    /// The addresses it listens on, in the order of the settings.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets
            .iter()
            .map(|(_, address, _)| *address)
            .collect()
    }

    /// What it counts.
    pub fn metrics(&self) -> Arc<ProxyMetrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// A handle that stops it.
    pub fn control(&self) -> Control {
        Control {
            stage: self.stage.clone(),
        }
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
                run(seat.serve(|thread, registry, tasks| {
                    tasks.push(tokio::task::spawn_local(arrive_loop(
                        thread, registry, arrivals,
                    )));
                    Vec::new()
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
            stage: self.stage.subscribe(),
        }
    }

    /// The accepting thread: it also probes.
    async fn serve_here(self, workers: Vec<Worker<N>>) -> io::Result<()> {
        let seat = self.seat(0);
        let door = Rc::new(Door {
            admission: Admission::new(&self.shared.limits),
            trusted: self.trusted,
            workers,
        });
        let mut listening = Vec::new();
        for (socket, local, settings) in self.sockets {
            let listener = self.network.listen(socket)?;
            if let Some(tls) = &settings.tls {
                self.shared.metrics.tls.watch(local, tls);
            }
            listening.push(Listening {
                listener,
                local,
                half_close: settings.half_close,
                tls: settings.tls,
            });
        }
        let groups = self.groups;
        seat.serve(|thread, registry, tasks| {
            for listening in listening {
                let (thread, registry) = (Rc::clone(&thread), Rc::clone(&registry));
                let accepting = accept_loop(thread, registry, listening, Rc::clone(&door));
                tasks.push(tokio::task::spawn_local(accepting));
            }
            drop(door);
            prober::start(&thread, &groups)
        })
        .await
    }
}

impl<N: Network, H: Hooks> std::fmt::Debug for Server<N, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses())
            .finish_non_exhaustive()
    }
}

/// Stops a server.
#[derive(Clone, Debug)]
pub struct Control {
    stage: watch::Sender<Stage>,
}

impl Control {
    /// Takes no new clients, and finishes what there is within the drain limits.
    pub fn shutdown(&self) {
        self.stage.send_if_modified(|stage| {
            let serving = *stage == Stage::Serving;
            if serving {
                *stage = Stage::Draining;
            }
            serving
        });
    }

    /// Closes everything at once.
    pub fn close(&self) {
        self.stage.send_replace(Stage::Closing);
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }
}

/// A server that serves. Dropping it does not stop it.
#[derive(Debug)]
pub struct Running {
    control: Control,
    metrics: Arc<ProxyMetrics>,
    threads: Vec<std::thread::JoinHandle<io::Result<()>>>,
}

impl Running {
    /// The handle that stops it.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// What it counts.
    pub fn metrics(&self) -> &Arc<ProxyMetrics> {
        &self.metrics
    }

    /// Waits until it has stopped.
    ///
    /// # Errors
    /// A listener could not be used, or a thread panicked.
    pub fn wait(self) -> io::Result<()> {
        let mut result = Ok(());
        for thread in self.threads {
            let ended = thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a thread panicked")));
            result = result.and(ended);
        }
        result
    }
}

/// One thread's place.
struct Seat<N: Network, H: Hooks> {
    network: N,
    hooks: Arc<H>,
    clock: ClockSource,
    number: usize,
    shared: Arc<Shared>,
    stage: watch::Receiver<Stage>,
}

type Tasks = Vec<tokio::task::JoinHandle<()>>;

impl<N: Network, H: Hooks> Seat<N, H> {
    /// Serves until told to stop. `begin` starts what brings clients, whose tasks end when it is
    /// told, and returns the probes, which go on until the last request has ended.
    async fn serve(
        mut self,
        begin: impl FnOnce(Rc<Thread<N, H>>, Rc<Registry>, &mut Tasks) -> Vec<prober::Watch>,
    ) -> io::Result<()> {
        let clock = Rc::new(self.clock.clock(self.number));
        let thread = Rc::new(Thread {
            network: self.network,
            hooks: self.hooks,
            clock: Rc::clone(&clock),
            ticker: Ticker::new(),
            pools: Pools::new(),
            shared: self.shared,
        });
        let registry = Registry::new();
        let ticker = Rc::clone(&thread.ticker);
        let ticking = tokio::task::spawn_local(async move { ticker.run(|| clock.now()).await });
        let looking = tokio::task::spawn_local(look(Rc::clone(&thread), Rc::clone(&registry)));
        let mut coming = Vec::new();
        let probing = begin(Rc::clone(&thread), Rc::clone(&registry), &mut coming);
        // An error means that nobody can stop us any more: then we serve for ever.
        let told = self
            .stage
            .wait_for(|stage| *stage != Stage::Serving)
            .await
            .map(|stage| *stage);
        if told.is_err() {
            std::future::pending::<()>().await;
        }
        for task in coming {
            task.abort();
        }
        drain(self.stage, &thread.shared.limits, &registry).await;
        thread.pools.clear();
        prober::end(probing).await;
        for task in [ticking, looking] {
            task.abort();
        }
        Ok(())
    }
}

/// Finishes requests, then streams, within their limits; then closes what is left.
async fn drain(mut stage: watch::Receiver<Stage>, limits: &Limits, registry: &Registry) {
    registry.drain();
    let closing = async {
        // Without a sender nobody can ask for haste.
        if stage
            .wait_for(|stage| *stage == Stage::Closing)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    };
    let finishing = async {
        let streams = limits.drain_streams.max(limits.drain_requests);
        let requests = limits.drain_requests;
        if tokio::time::timeout(requests, empty(registry))
            .await
            .is_ok()
        {
            return;
        }
        registry.close(false);
        drop(tokio::time::timeout(streams.saturating_sub(requests), empty(registry)).await);
    };
    tokio::select! {
        biased;
        () = closing => {}
        () = finishing => {}
    }
    registry.close(true);
    drop(tokio::time::timeout(CLOSE, empty(registry)).await);
}

async fn empty(registry: &Registry) {
    while registry.len() > 0 {
        tokio::time::sleep(TICK).await;
    }
}

/// Looks after the connections of a thread.
async fn look<N: Network, H: Hooks>(thread: Rc<Thread<N, H>>, registry: Rc<Registry>) {
    let mut looks: u32 = 0;
    loop {
        tokio::time::sleep(TICK).await;
        let now = thread.clock.now();
        let shared = &thread.shared;
        registry.look(&shared.limits, &shared.metrics.limits, now);
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(SWEEP) {
            thread.pools.sweep(now);
        }
    }
}

/// Runs a thread's future on a runtime of its own.
fn run(serving: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?
        .block_on(serving)
}

/// Ticks between two sweeps of the idle connections to peers.
const SWEEP: u32 = 10;
/// How long closed connections may take to let go.
const CLOSE: Duration = Duration::from_secs(2);
