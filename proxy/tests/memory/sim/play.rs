//! One seed, from the first request to the last connection.

use super::bodies::body;
use super::clients::{Asker, Askers, Manner, What, pause, target};
use super::faults::{events, happen, settle_down};
use super::http1::stay;
use super::invariants::Evidence;
use super::moods::{Mood, Moods};
use super::plan::{Cast, plan};
use super::story::tell;
use super::watch::Watcher;
use crate::support::{Ask, Client, PROXY, Rng, World, run_within, settle};
use lb::Change;
use proxy::memory::Forgotten;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// What a seed came to.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) requests: u64,
    pub(super) faults: usize,
    /// Virtual time.
    pub(super) took: Duration,
    /// Invariants that did not hold.
    pub(super) broken: Vec<String>,
    /// All that happened, in order.
    pub(super) text: String,
    pub(super) hash: u64,
}

/// Plays a seed.
pub(super) fn play(seed: u64) -> Story {
    run_within(TOO_LONG, async {
        let mut rng = Rng::new(seed);
        let (mut plan, cast) = plan(seed, &mut rng);
        let watcher = Watcher::default();
        plan.wish.watch = Some(Box::new(watcher.clone()));
        let origin = Instant::now();
        let world = Rc::new(plan.start());
        settle_down(&world, &cast);
        let moods = Moods::rule(&world, cast.speaks, &mut rng);
        let mut stage = Stage {
            origin,
            world,
            cast,
            moods,
            watcher,
            askers: Askers::default(),
            jumps: Vec::new(),
            broken: Vec::new(),
        };
        let faults = stage.trouble(&mut rng).await;
        let requests = stage.askers.asked();
        stage.idle(&mut rng).await;
        stage.recover().await;
        stage.replay_room().await;
        stage.leavers(&mut rng).await;
        stage.end(requests, faults).await
    })
}

struct Stage {
    origin: Instant,
    world: Rc<World>,
    cast: Cast,
    moods: Moods,
    watcher: Watcher,
    askers: Askers,
    /// When the proxy's machine stood still.
    jumps: Vec<Instant>,
    broken: Vec<String>,
}

impl Stage {
    /// Faults, and clients in the middle of them.
    async fn trouble(&mut self, rng: &mut Rng) -> usize {
        let events = events(rng, &self.cast, SPAN);
        let total = rng.between(200, 230);
        let manner = Manner {
            leave: rng.of(&[0, 10, 25]),
            pause: pause(SPAN, self.cast.clients, total),
            largest: match self.cast.rock {
                Some(_) => self.cast.replay,
                None => self.cast.replay + 5000,
            },
            total,
        };
        let troubled: Vec<_> = (0..self.cast.clients)
            .map(|client| events.iter().any(|event| event.troubles(client)))
            .collect();
        let crowd = self.crowd(rng, manner, &troubled);
        let (world, moods) = (&self.world, &self.moods);
        let jumps = happen(world, &self.cast, moods, &events).await;
        self.jumps.extend(jumps);
        for one in crowd {
            one.await.unwrap();
        }
        events.len()
    }

    fn crowd(
        &self,
        rng: &mut Rng,
        manner: Manner,
        troubled: &[bool],
    ) -> Vec<tokio::task::JoinHandle<()>> {
        let clients = 0..self.cast.clients;
        clients
            .map(|number| {
                let asker = Asker {
                    world: Rc::clone(&self.world),
                    askers: self.askers.clone(),
                    number,
                    modern: rng.chance(self.cast.modern),
                    rng: rng.fork(),
                    manner,
                    troubled: troubled[number],
                };
                tokio::task::spawn_local(asker.run())
            })
            .collect()
    }

    /// A long time without requests, in which connections are forgotten; then some more.
    async fn idle(&mut self, rng: &mut Rng) {
        if self.cast.idle.is_zero() {
            return;
        }
        if !self.cast.calm {
            for peer in &self.world.peers {
                let how = rng.of(&[None, Some(Forgotten::Resets), Some(Forgotten::Swallows)]);
                if let Some(how) = how
                    && self.cast.rock != Some(peer.number)
                {
                    self.world.network.forget(peer.ip(), PROXY, how);
                }
            }
        }
        settle(self.cast.idle).await;
        let manner = Manner {
            leave: 10,
            pause: 500,
            largest: 1000,
            total: self.askers.asked() + 40,
        };
        for one in self.crowd(rng, manner, &vec![false; self.cast.clients]) {
            one.await.unwrap();
        }
    }

    /// When the faults have ended, everything works again in bounded time, by itself.
    async fn recover(&mut self) {
        let check = &self.world.group.settings.health_check;
        let mut wait = RECOVERY + check.interval * 3;
        if !self.cast.calm {
            // What was forgotten without a word is noticed by the system.
            wait += Duration::from_secs(60);
        }
        settle(wait).await;
        for method in ["POST", "GET", "PUT", "GET", "POST", "DELETE", "GET", "POST"] {
            let mut client = Client::new(&self.world).await;
            let number = self.askers.number();
            let mut ask = Ask::new(method, &target(number));
            if matches!(method, "POST" | "PUT") {
                ask = ask.body(body(number, 100));
            }
            match stay(&mut client, &ask).await {
                What::Answer(reply) if reply.status == 200 => {}
                what => self
                    .broken
                    .push(format!("no recovery: {method} got {what:?}")),
            }
        }
    }

    /// All the room for replays is free again: a body as large as may be is sent twice.
    async fn replay_room(&mut self) {
        let policy = &self.world.group.lb.policy().retry;
        let view = self.world.group.lb.view(self.world.clock.now());
        let repeats = policy.attempts > 1 && policy.when.reset && view.retry_tokens > 0;
        if !repeats || self.cast.rock.is_some() {
            return;
        }
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(Client::new(&self.world).await);
        }
        // Four at once take all the room there is; the last is the one that needs it.
        let number = self.askers.number();
        let ask = Ask::new("PUT", &target(number)).body(body(number, self.cast.replay));
        self.moods.fail_once.set(true);
        match stay(&mut clients[0], &ask).await {
            What::Answer(reply) if reply.status == 200 => {}
            what => self.broken.push(format!("not replayed: {what:?}")),
        }
        self.moods.fail_once.set(false);
    }

    /// Clients that leave say nothing about the peers.
    async fn leavers(&mut self, rng: &mut Rng) {
        self.moods.all(Mood::Slow);
        let opened = |world: &World| {
            let changes = world.spy.changes();
            let opened = |change: &&Change| matches!(change, Change::BreakerOpened { .. });
            changes.iter().filter(opened).count()
        };
        let failures =
            |world: &World| -> Vec<u32> { world.view().iter().map(|peer| peer.failures).collect() };
        let before = (opened(&self.world), failures(&self.world));
        let methods = ["GET", "POST", "PUT", "DELETE", "GET", "POST", "HEAD", "GET"];
        let mut waiting = Vec::new();
        for _ in methods {
            waiting.push(Client::new(&self.world).await);
        }
        for (client, method) in waiting.iter_mut().zip(methods) {
            let number = self.askers.number();
            let mut ask = Ask::new(method, &target(number));
            if matches!(method, "POST" | "PUT") {
                ask = ask.body(body(number, 300));
            }
            let bytes = ask.bytes();
            let part = bytes.len() - rng.below(3);
            client.send(&bytes[..part]).await;
        }
        settle(Duration::from_millis(100)).await;
        drop(waiting);
        settle(Duration::from_secs(1)).await;
        let after = (opened(&self.world), failures(&self.world));
        // A success that was on its way may make it better.
        let worse = before
            .1
            .iter()
            .zip(&after.1)
            .any(|(before, after)| before < after);
        if worse || before.0 != after.0 {
            let what = format!("clients that left changed breakers: {before:?} -> {after:?}");
            self.broken.push(what);
        }
        self.moods.all(Mood::Well);
    }

    /// Nothing is left, and the server ends at once.
    async fn end(mut self, requests: u64, faults: usize) -> Story {
        settle(Duration::from_secs(1)).await;
        self.nothing_is_left();
        self.pools_empty().await;
        let world = &self.world;
        world.control.shutdown();
        // Looks, ten virtual milliseconds apart.
        let mut looks = 0;
        while !world.serving.is_finished() {
            settle(Duration::from_millis(10)).await;
            looks += 1;
        }
        if looks > 20 {
            self.broken.push(format!("it took {looks} looks to end"));
        }
        // Peers that write events to nobody are done by then.
        settle(Duration::from_secs(200)).await;
        let left = world.network.connections(PROXY);
        if left != 0 {
            self.broken.push(format!("{left} connections are left"));
        }
        let tasks = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        let listeners = self.cast.listeners() + world.peers.len();
        if tasks != listeners {
            let what = format!("{tasks} tasks are left, {listeners} of them listeners");
            self.broken.push(what);
        }
        Evidence {
            world,
            cast: &self.cast,
            watcher: &self.watcher,
            seen: &self.askers.seen.borrow(),
            jumps: &self.jumps,
        }
        .judge(&mut self.broken);
        let text = tell(world, &self.askers, self.origin);
        Story {
            requests,
            faults,
            took: self.origin.elapsed(),
            broken: self.broken,
            hash: lb::hash64(text.as_bytes()),
            text,
        }
    }

    /// Connections to peers that nobody uses are closed in time, but for a probe's.
    async fn pools_empty(&mut self) {
        let idle = self.world.group.settings.pool_idle;
        if idle > Duration::from_secs(60) {
            return;
        }
        settle(idle + Duration::from_secs(2)).await;
        let mut looks = 0;
        while self.world.network.connections(PROXY) > 0 {
            if looks == 100 {
                let left = self.world.network.connections(PROXY);
                self.broken
                    .push(format!("{left} idle connections are kept"));
                return;
            }
            settle(Duration::from_millis(37)).await;
            looks += 1;
        }
    }

    fn nothing_is_left(&mut self) {
        let world = &self.world;
        let open = world.metrics.connections_active.get();
        if open != 0 {
            self.broken
                .push(format!("{open} client connections are left"));
        }
        let active = (
            world.metrics.requests_active.get(),
            world.group.metrics.active.get(),
        );
        if active != (0, 0) {
            self.broken.push(format!("requests are left: {active:?}"));
        }
        for peer in world.view() {
            if peer.in_flight != 0 {
                let what = format!("{} in flight at {}", peer.in_flight, peer.name);
                self.broken.push(what);
            }
        }
    }
}

/// How long clients and faults are at it, more or less.
const SPAN: Duration = Duration::from_secs(15);
/// The longest a breaker stays open (four seconds and half as much jitter), twice, with some
/// health checks.
const RECOVERY: Duration = Duration::from_secs(15);
/// In virtual time; longer than any run.
const TOO_LONG: Duration = Duration::from_secs(30 * 24 * 3600);
