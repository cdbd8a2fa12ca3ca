//! One seed, from the first request to the last connection.

use super::bodies::body;
use super::clients::{Askers, Manner, What, pause, stay, target};
use super::faults::{Mood, Moods, events, happen};
use super::invariants::Evidence;
use super::plan::plan;
use super::watch::Watcher;
use crate::support::{Ask, Client, PROXY, Rng, World, run, settle};
use lb::Change;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// What a seed came to.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) requests: u64,
    pub(super) faults: usize,
    /// Invariants that did not hold.
    pub(super) broken: Vec<String>,
    /// All that happened, in order.
    pub(super) text: String,
    pub(super) hash: u64,
}

/// Plays a seed.
pub(super) fn play(seed: u64) -> Story {
    run(async {
        let mut rng = Rng::new(seed);
        let mut plan = plan(seed, &mut rng);
        let watcher = Watcher::default();
        plan.wish.watch = Some(Box::new(watcher.clone()));
        let replay = plan.limits.replay_body;
        let world = Rc::new(plan.start());
        let moods = Moods::rule(&world, &mut rng);
        let mut stage = Stage {
            origin: Instant::now(),
            world,
            moods,
            watcher,
            askers: Askers::default(),
            broken: Vec::new(),
        };
        let faults = stage.trouble(&mut rng, replay).await;
        let requests = stage.askers.asked();
        stage.recover().await;
        stage.replay_room(replay).await;
        stage.leavers(&mut rng).await;
        stage.end(requests, faults).await
    })
}

struct Stage {
    origin: Instant,
    world: Rc<World>,
    moods: Moods,
    watcher: Watcher,
    askers: Askers,
    broken: Vec<String>,
}

impl Stage {
    /// Faults, and clients in the middle of them.
    async fn trouble(&mut self, rng: &mut Rng, replay: usize) -> usize {
        let events = events(rng, self.world.peers.len(), SPAN);
        let total = rng.between(200, 230);
        let clients = rng.between(4, 12);
        let manner = Manner {
            leave: rng.of(&[0, 10, 25]),
            pause: pause(SPAN, clients, total),
            largest: replay + 5000,
        };
        let tasks: Vec<_> = (1..=clients)
            .map(|name| {
                let name = u8::try_from(name).unwrap();
                let world = Rc::clone(&self.world);
                let asking = self
                    .askers
                    .clone()
                    .client(world, name, rng.fork(), manner, total);
                tokio::task::spawn_local(asking)
            })
            .collect();
        happen(&self.world, &self.moods, &events).await;
        for task in tasks {
            task.await.unwrap();
        }
        events.len()
    }

    /// When the faults have ended, everything works again in bounded time, by itself.
    async fn recover(&mut self) {
        settle(RECOVERY).await;
        let mut client = Client::new(&self.world).await;
        for method in ["POST", "GET", "PUT", "GET", "POST", "DELETE", "GET", "POST"] {
            let number = self.askers.number();
            let mut ask = Ask::new(method, &target(number));
            if matches!(method, "POST" | "PUT") {
                ask = ask.body(body(number, 100));
            }
            match stay(&mut client, &ask).await {
                What::Answer(reply) if reply.status == 200 => {
                    if reply.closes() {
                        client = Client::new(&self.world).await;
                    }
                }
                what => {
                    self.broken
                        .push(format!("no recovery: {method} got {what:?}"));
                    client = Client::new(&self.world).await;
                }
            }
        }
    }

    /// All the room for replays is free again: a body as large as may be is sent twice.
    async fn replay_room(&mut self, room: usize) {
        let policy = &self.world.group.lb.policy().retry;
        let tokens = self
            .world
            .group
            .lb
            .view(self.world.clock.now())
            .retry_tokens;
        if policy.attempts < 2 || !policy.when.reset || tokens == 0 {
            return;
        }
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(Client::new(&self.world).await);
        }
        // Four at once take all the room there is; the last is the one that needs it.
        let number = self.askers.number();
        let ask = Ask::new("PUT", &target(number)).body(body(number, room));
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
        let mut waiting = Vec::new();
        for method in ["GET", "POST", "PUT", "DELETE", "GET", "POST", "HEAD", "GET"] {
            let number = self.askers.number();
            let mut client = Client::new(&self.world).await;
            let mut ask = Ask::new(method, &target(number));
            if matches!(method, "POST" | "PUT") {
                ask = ask.body(body(number, 300));
            }
            let bytes = ask.bytes();
            let part = bytes.len() - rng.below(3);
            client.send(&bytes[..part]).await;
            waiting.push(client);
        }
        settle(Duration::from_millis(100)).await;
        drop(waiting);
        settle(Duration::from_secs(1)).await;
        let after = (opened(&self.world), failures(&self.world));
        if before != after {
            let what = format!("clients that left changed breakers: {before:?} -> {after:?}");
            self.broken.push(what);
        }
        self.moods.all(Mood::Well);
    }

    /// Nothing is left, and the server ends at once.
    async fn end(mut self, requests: u64, faults: usize) -> Story {
        settle(Duration::from_secs(1)).await;
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
        settle(Duration::from_secs(1)).await;
        let left = world.network.connections(PROXY);
        if left != 0 {
            self.broken.push(format!("{left} connections are left"));
        }
        Evidence {
            world,
            watcher: &self.watcher,
            seen: &self.askers.seen.borrow(),
        }
        .judge(&mut self.broken);
        let text = self.text();
        Story {
            requests,
            faults,
            broken: self.broken,
            hash: lb::hash64(text.as_bytes()),
            text,
        }
    }

    /// All that happened, in order.
    fn text(&self) -> String {
        let mut text = String::new();
        let at = |instant: Instant| instant.duration_since(self.origin).as_micros();
        for entry in self.world.ledger.entries().iter() {
            let start = entry.head.as_ref().map_or("", |head| &head.start);
            let (peer, connection, bytes) = (entry.peer, entry.connection, entry.body.len());
            let hash = lb::hash64(&entry.body);
            let (complete, answered) = (entry.complete, entry.answered);
            writeln!(
                text,
                "{:>9} peer {peer} on {connection}: {start} {bytes} {hash:x} complete={complete} answered={answered:?}",
                at(entry.at)
            )
            .unwrap();
        }
        for seen in self.askers.seen.borrow().iter() {
            let what = match &seen.what {
                What::Answer(reply) | What::Cut(reply, _) => {
                    let mut fields = reply.head.fields.clone();
                    // The only thing in a run that is of the real world.
                    fields.retain(|(name, _)| name != "date");
                    let hash = lb::hash64(&reply.body);
                    format!("{} {} {hash:x} {fields:?}", reply.status, reply.body.len())
                }
                other => format!("{other:?}"),
            };
            writeln!(
                text,
                "{:>9} {:>9} client: {} {} {} -> {what}",
                at(seen.began),
                at(seen.ended),
                seen.method,
                seen.number,
                seen.body
            )
            .unwrap();
        }
        for logged in self.world.spy.logged() {
            writeln!(text, "{logged:?}").unwrap();
        }
        for change in self.world.spy.changes() {
            writeln!(text, "{change:?}").unwrap();
        }
        text
    }
}

/// How long clients and faults are at it, more or less.
const SPAN: Duration = Duration::from_secs(15);
/// The longest a breaker stays open (four seconds and half as much jitter), twice, with some
/// health checks.
const RECOVERY: Duration = Duration::from_secs(15);
