//! The accepting thread: the listeners, the probers, and what a reload does to them.

use super::control::{Order, ReloadError, Reloaded};
use super::{Opened, ServerSettings, Stage};
use crate::downstream::{Close, Door, Listening, Registry, Terms, accept_loop};
use crate::drain::{Drain, LAST, Step, until};
use crate::group::Group;
use crate::hooks::Hooks;
use crate::names::Names;
use crate::network::{Address, Network};
use crate::prober::Probers;
use crate::settings::{DnsSettings, Limits, ListenerSettings};
use crate::thread::{Rules, Thread};
use lb::{Admin, PeerIndex};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// What the accepting thread has besides its connections.
pub(super) struct Front<N: Network, H: Hooks> {
    thread: Rc<Thread<N, H>>,
    registry: Rc<Registry>,
    door: Rc<Door<N>>,
    listeners: Vec<Listener>,
    groups: Vec<Arc<Group>>,
    names: Names<N, H>,
    probers: Probers<N, H>,
    /// Peers that are gone from the settings and still have something to do.
    departing: Vec<Departing>,
    tasks: JoinSet<()>,
}

/// An address that is listened on.
struct Listener {
    listen: Address,
    local: Address,
    terms: Rc<RefCell<Terms>>,
    close: Close,
    task: JoinHandle<()>,
}

impl Listener {
    /// Takes over what newer settings say of an address that stays.
    fn renew<N: Network>(&self, settings: &ListenerSettings, network: &N) {
        self.terms.borrow_mut().renew(settings);
        if let Address::Unix(path) = &self.local
            && let Err(error) = network.set_mode(path, settings.mode)
        {
            // Its clients of so far still come in.
            tracing::warn!(address = %self.local, %error, "listener_mode_not_set");
        }
    }
}

struct Departing {
    number: usize,
    drain: Arc<Drain>,
}

impl<N: Network, H: Hooks> Front<N, H> {
    pub(super) fn new(
        thread: &Rc<Thread<N, H>>,
        registry: &Rc<Registry>,
        door: Door<N>,
        (groups, dns): (Vec<Arc<Group>>, &DnsSettings),
    ) -> Self {
        let mut names = Names::new(thread);
        names.follow(&groups, dns);
        let mut probers = Probers::new(thread);
        probers.watch(&groups);
        Self {
            thread: Rc::clone(thread),
            registry: Rc::clone(registry),
            door: Rc::new(door),
            listeners: Vec::new(),
            groups,
            names,
            probers,
            departing: Vec::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Accepts at an address.
    pub(super) fn open(
        &mut self,
        listener: N::Listener,
        local: Address,
        settings: &ListenerSettings,
    ) {
        if let Some(tls) = &settings.tls {
            self.thread.shared.metrics.tls.watch(&local, tls);
        }
        let terms = Rc::new(RefCell::new(Terms::new(settings)));
        let (close, closed) = Close::new();
        let listening = Listening {
            listener,
            local: local.clone(),
            terms: Rc::clone(&terms),
            closed,
        };
        let accepting = accept_loop(
            Rc::clone(&self.thread),
            Rc::clone(&self.registry),
            listening,
            Rc::clone(&self.door),
        );
        self.listeners.push(Listener {
            listen: settings.listen.clone(),
            local,
            terms,
            close,
            task: tokio::task::spawn_local(accepting),
        });
    }

    /// Does what it is told, one reload after another. When the server stops, nobody is let in
    /// any more, but probing goes on: who still waits may have to move.
    pub(super) async fn obey(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        mut stage: watch::Receiver<Stage>,
        ended: oneshot::Receiver<Infallible>,
    ) {
        loop {
            let order = tokio::select! {
                biased;
                // An error means that nobody can stop us any more.
                Ok(_) = stage.wait_for(|stage| *stage != Stage::Serving) => break,
                Some(order) = orders.recv() => order,
                else => std::future::pending().await,
            };
            let result = self.reload(order.settings, order.commit);
            // Whoever asked may have left.
            drop(order.done.send(result));
        }
        drop(orders);
        self.shut();
        // Nothing is ever sent: the other end goes when the last request has ended.
        drop(ended.await);
        self.probers.end().await;
    }

    /// Closes all listeners at once.
    fn shut(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.task.abort();
        }
    }

    fn reload(
        &mut self,
        settings: ServerSettings,
        commit: impl FnOnce(lb::Time),
    ) -> Result<Reloaded, ReloadError> {
        let mut fresh = Vec::new();
        for wanted in &settings.listeners {
            if !self
                .listeners
                .iter()
                .any(|open| open.listen == wanted.listen)
            {
                let Opened { socket, local } =
                    super::open(&self.thread.network, wanted).map_err(ReloadError::Listen)?;
                let listener = self.thread.network.listen(socket);
                let listener = listener.map_err(ReloadError::Listen)?;
                fresh.push((listener, local, wanted));
            }
        }
        commit(self.thread.clock.now());
        let mut reloaded = Reloaded::default();
        let (kept, gone) = std::mem::take(&mut self.listeners)
            .into_iter()
            .partition::<Vec<_>, _>(|open| {
                let mut wanted = settings.listeners.iter();
                wanted.any(|wanted| wanted.listen == open.listen)
            });
        self.listeners = kept;
        for listener in &self.listeners {
            let mut wanted = settings.listeners.iter();
            if let Some(wanted) = wanted.find(|wanted| wanted.listen == listener.listen) {
                listener.renew(wanted, &self.thread.network);
            }
        }
        for listener in gone {
            listener.close.close();
            reloaded.closed.push(listener.local);
        }
        let gone = std::mem::replace(&mut self.groups, settings.groups);
        self.depart(&gone, &settings.limits, &mut reloaded);
        let open = self.listeners.iter().map(|listener| &listener.local);
        let open = open.chain(fresh.iter().map(|(_, local, _)| local));
        let rules = Rules {
            open: open.cloned().collect(),
            leaving: self.departing.iter().map(|peer| peer.number).collect(),
            trusted: settings.trusted_proxies,
            limits: Arc::new(settings.limits),
        };
        self.thread
            .shared
            .replay
            .set_limit(rules.limits.replay_total);
        self.thread.network.set_silence(rules.limits.silence);
        self.thread.shared.rules.store(Arc::new(rules));
        for (listener, local, wanted) in fresh {
            reloaded.opened.push(local.clone());
            self.open(listener, local, wanted);
        }
        self.names.follow(&self.groups, &settings.dns);
        self.probers.watch(&self.groups);
        Ok(reloaded)
    }

    /// Drains the peers that are in `old` and no longer in the groups; those that are back stay.
    fn depart(&mut self, old: &[Arc<Group>], limits: &Limits, reloaded: &mut Reloaded) {
        let here: BTreeSet<usize> = self
            .groups
            .iter()
            .flat_map(|group| group.peers.iter().map(|peer| peer.number))
            .collect();
        self.departing.retain(|peer| {
            let back = here.contains(&peer.number);
            if back {
                peer.drain.cancel();
            }
            // One that is idle for good is forgotten with the next reload.
            !back && peer.drain.step() < Step::Over
        });
        while self.tasks.try_join_next().is_some() {}
        for group in old {
            for (index, peer) in (0..).map(PeerIndex).zip(&group.peers) {
                if here.contains(&peer.number) {
                    continue;
                }
                let name = group.peer_name(index).to_owned();
                tracing::info!(group = group.name(), peer = name, "peer_draining");
                reloaded.removed.push((group.name().to_owned(), name));
                self.departing.push(Departing {
                    number: peer.number,
                    drain: Arc::clone(&peer.drain),
                });
                let group = Arc::clone(group);
                let (thread, limits) = (Rc::clone(&self.thread), limits.clone());
                self.tasks
                    .spawn_local(async move { leave(&thread, &group, index, &limits).await });
            }
        }
    }
}

impl<N: Network, H: Hooks> Drop for Front<N, H> {
    fn drop(&mut self) {
        self.shut();
    }
}

/// Drains one peer.
async fn leave<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    group: &Group,
    index: PeerIndex,
    limits: &Limits,
) {
    let peer = group.peer(index);
    let admin = |admin| group.lb.set_admin(index, admin, thread.clock.now());
    admin(Admin::Draining);
    let is_idle = || group.lb.in_flight(index) == 0;
    // MCP sessions are pinned to it, which nobody counts: they have all the time there is.
    let is_done = || is_idle() && !peer.known.has_spoken();
    peer.drain.run(limits, is_done, |_| ()).await;
    if peer.drain.is_serving() {
        admin(Admin::Enabled);
        return;
    }
    drop(tokio::time::timeout(LAST, until(is_idle)).await);
    peer.drain.end();
    admin(Admin::Disabled);
    tracing::info!(
        group = group.name(),
        peer = group.peer_name(index),
        "peer_drained"
    );
}
