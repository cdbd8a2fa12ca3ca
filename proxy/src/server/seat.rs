//! One thread: what it runs while it serves, and how it ends.

use super::Stage;
use crate::clock::ClockSource;
use crate::downstream::Registry;
use crate::drain::{Drain, LAST, Step, until};
use crate::hooks::Hooks;
use crate::network::Network;
use crate::thread::{Shared, Thread};
use crate::ticker::{TICK, Ticker};
use crate::upstream::Pools;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// One thread's place.
pub(super) struct Seat<N: Network, H: Hooks> {
    pub(super) network: N,
    pub(super) hooks: Arc<H>,
    pub(super) clock: ClockSource,
    pub(super) number: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) stage: watch::Receiver<Stage>,
}

/// What a thread runs besides its connections.
#[derive(Default)]
pub(super) struct Tasks {
    /// What brings clients and changes; ends when the drain begins.
    pub(super) coming: Vec<JoinHandle<()>>,
    /// What goes on until the last request has ended: it is told so, and then ends.
    pub(super) lasting: Option<(oneshot::Sender<Infallible>, JoinHandle<()>)>,
}

impl<N: Network, H: Hooks> Seat<N, H> {
    /// What the requests of the thread share.
    pub(super) fn thread(&self, drain: &Arc<Drain>) -> Rc<Thread<N, H>> {
        Rc::new(Thread {
            network: self.network.clone(),
            hooks: Arc::clone(&self.hooks),
            clock: Rc::new(self.clock.clock(self.number)),
            ticker: Ticker::new(Arc::clone(drain)),
            drain: Arc::clone(drain),
            pools: Pools::new(),
            shared: Arc::clone(&self.shared),
        })
    }

    /// Serves until told to stop; `begin` starts what brings clients.
    pub(super) async fn serve(
        mut self,
        begin: impl FnOnce(&Rc<Thread<N, H>>, &Rc<Registry>) -> Tasks,
    ) -> io::Result<()> {
        let drain = Arc::new(Drain::default());
        let thread = self.thread(&drain);
        let clock = Rc::clone(&thread.clock);
        let registry = Registry::new();
        let ticker = Rc::clone(&thread.ticker);
        let ticking = tokio::task::spawn_local(async move { ticker.run(|| clock.now()).await });
        let looking = tokio::task::spawn_local(look(Rc::clone(&thread), Rc::clone(&registry)));
        let tasks = begin(&thread, &registry);
        // An error means that nobody can stop us any more: then we serve for ever.
        let told = self
            .stage
            .wait_for(|stage| *stage != Stage::Serving)
            .await
            .map(|stage| *stage);
        if told.is_err() {
            std::future::pending::<()>().await;
        }
        for task in tasks.coming {
            task.abort();
        }
        finish(self.stage, &drain, &thread, &registry).await;
        thread.pools.clear();
        if let Some((ended, task)) = tasks.lasting {
            drop(ended);
            // It is bounded; when it panicked, it has ended too.
            drop(task.await);
        }
        for task in [ticking, looking] {
            task.abort();
        }
        Ok(())
    }
}

/// Finishes requests, then streams, within their limits; then closes what is left.
async fn finish<N: Network, H: Hooks>(
    mut stage: watch::Receiver<Stage>,
    drain: &Drain,
    thread: &Thread<N, H>,
    registry: &Registry,
) {
    let limits = thread.shared.limits();
    let is_empty = || registry.len() == 0;
    let draining = async {
        let at = |step| match step {
            Step::Begun => {
                registry.drain();
                thread.pools.clear();
            }
            Step::RequestsOver => registry.close(false),
            // The ticker ends the streams; their connections then end by themselves.
            Step::Over | Step::Serving => {}
        };
        drain.run(&limits, is_empty, at).await;
        drop(tokio::time::timeout(LAST, until(is_empty)).await);
    };
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
    tokio::select! {
        biased;
        () = closing => {}
        () = draining => {}
    }
    registry.close(true);
    drop(tokio::time::timeout(LAST, until(is_empty)).await);
}

/// Looks after the connections of a thread, of clients and of peers.
async fn look<N: Network, H: Hooks>(thread: Rc<Thread<N, H>>, registry: Rc<Registry>) {
    let mut looks: u32 = 0;
    let mut known = thread.shared.rules.load_full();
    let mut unsettled = 0;
    loop {
        tokio::time::sleep(TICK).await;
        let now = thread.clock.now();
        let rules = thread.shared.rules.load_full();
        if !Arc::ptr_eq(&rules, &known) {
            known = Arc::clone(&rules);
            unsettled = SETTLING;
        }
        if unsettled > 0 {
            unsettled -= 1;
            registry.drain_unless(|origin| rules.allows(origin));
            for peer in &rules.leaving {
                thread.pools.close(*peer);
            }
        }
        if !thread.drain.is_serving() {
            // Who came in at the last moment, too.
            registry.drain();
        }
        registry.look(&rules.limits, &thread.shared.metrics.limits, now);
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(SWEEP) {
            thread.pools.sweep(now);
        }
    }
}

/// Runs a thread's future on a runtime of its own.
pub(super) fn run(serving: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?
        .block_on(serving)
}

/// Ticks between two sweeps of the idle connections to peers.
const SWEEP: u32 = 10;
/// Ticks for which a change is looked after: a client may be on its way between two threads.
const SETTLING: u32 = 10;
