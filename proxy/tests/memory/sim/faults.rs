//! What goes wrong, when, and for how long.

use super::moods::{Mood, Moods};
use super::plan::{Cast, PORT, Speaks, name, second_home};
use crate::support::{PROXY, Rng, World};
use proxy::memory::{Connecting, Forgotten, Passage};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// A client's way, not a peer's.
    Client(Way),
    Freeze,
    HangConnect,
    /// The machine of the proxy stands still for so long.
    Jump(Duration),
    Kill,
    Mood(Mood),
    Name(Naming),
    Refuse,
    Way(Way),
}

/// Between two hosts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    CutBoth,
    CutFrom,
    CutTo,
    Forget(Forgotten),
    Slow(Passage),
}

/// With the name of a peer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Naming {
    /// An address where nobody is.
    Astray,
    Fails,
    /// The peer itself moves, and its name follows.
    Moves,
    Silent,
}

/// What goes wrong with whom, from when to when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// A peer, or a client.
    who: usize,
    fault: Fault,
    begin: Duration,
    end: Duration,
}

impl Event {
    /// Whether it concerns the way of a client.
    pub(super) fn troubles(&self, client: usize) -> bool {
        matches!(self.fault, Fault::Client(_)) && self.who == client
    }
}

/// At least three faults in the time that the clients are at it.
pub(super) fn events(rng: &mut Rng, cast: &Cast, span: Duration) -> Vec<Event> {
    let count = rng.between(3, 9);
    let span = u64::try_from(span.as_millis()).unwrap();
    (0..count)
        .map(|_| {
            let begin = rng.millis(200, span - 2000);
            let fault = fault(rng, cast);
            let harmless = matches!(fault, Fault::Name(Naming::Fails | Naming::Silent));
            let who = match fault {
                Fault::Client(_) => rng.below(cast.clients),
                _ => loop {
                    let peer = rng.below(cast.peers);
                    if harmless || cast.rock != Some(peer) {
                        break peer;
                    }
                },
            };
            Event {
                who,
                fault,
                begin,
                end: begin + rng.millis(300, 5000),
            }
        })
        .collect()
}

fn fault(rng: &mut Rng, cast: &Cast) -> Fault {
    let most = if cast.calm { 9 } else { 15 };
    match rng.below(most) {
        0 => Fault::Freeze,
        1 => Fault::HangConnect,
        2 | 3 => Fault::Kill,
        4 => Fault::Refuse,
        5..=8 => Fault::Mood(Mood::any(cast.speaks, rng)),
        9..=11 => Fault::Way(way(rng)),
        12 => Fault::Client(way(rng)),
        // Its deadlines all pass at once.
        13 if cast.rock.is_none() && rng.chance(30) => Fault::Jump(rng.millis(10, 100_000)),
        _ if cast.named => {
            Fault::Name(rng.of(&[Naming::Astray, Naming::Fails, Naming::Moves, Naming::Silent]))
        }
        _ => Fault::Way(way(rng)),
    }
}

fn way(rng: &mut Rng) -> Way {
    match rng.below(6) {
        0 => Way::CutBoth,
        1 => Way::CutFrom,
        2 => Way::CutTo,
        3 => Way::Forget(Forgotten::Resets),
        4 => Way::Forget(Forgotten::Swallows),
        _ => Way::Slow(Passage {
            latency: rng.millis(0, 400),
            jitter: rng.millis(0, 200),
            bytes_per_second: NonZeroU32::new(rng.of(&[0, 2000, 20_000])),
        }),
    }
}

/// Makes everything happen; ends with the last fault. Returns when the proxy stood still.
pub(super) async fn happen(
    world: &World,
    cast: &Cast,
    moods: &Moods,
    events: &[Event],
) -> Vec<Instant> {
    let origin = Instant::now();
    let mut jumps = Vec::new();
    let mut turns: Vec<(Duration, bool, Event)> = events
        .iter()
        .flat_map(|event| [(event.begin, true, *event), (event.end, false, *event)])
        .collect();
    turns.sort_by_key(|(at, ..)| *at);
    for (at, begins, event) in turns {
        sleep_until(origin + at).await;
        match event.fault {
            Fault::Client(way) => pave(world, cast, client(event.who), way, begins),
            Fault::Jump(by) if begins => {
                jumps.push(Instant::now());
                tokio::time::advance(by).await;
            }
            Fault::Jump(_) => {}
            Fault::Mood(mood) => moods.set(event.who, if begins { mood } else { Mood::Well }),
            Fault::Name(naming) => rename(world, cast, event.who, naming, begins),
            Fault::Way(way) => {
                let host = world.peers[event.who].ip();
                pave(world, cast, host, way, begins);
            }
            fault => power(world, event.who, fault, begins),
        }
    }
    // Faults of one kind may overlap: whatever was left behind ends here.
    for peer in &world.peers {
        world.network.thaw(peer.ip());
        world.network.set_connecting(peer.ip(), Connecting::Accept);
        if cast.named {
            rename(world, cast, peer.number, Naming::Moves, false);
        }
        restore(world, cast, peer.ip());
    }
    (0..cast.clients).for_each(|number| restore(world, cast, client(number)));
    moods.all(Mood::Well);
    jumps
}

/// Where a client is.
pub(super) fn client(number: usize) -> IpAddr {
    IpAddr::from([10, 0, 1, u8::try_from(number + 1).unwrap()])
}

fn power(world: &World, peer: usize, fault: Fault, begins: bool) {
    let (network, host) = (&world.network, world.peers[peer].ip());
    match (fault, begins) {
        (Fault::Freeze, true) => network.freeze(host),
        (Fault::Freeze, false) => network.thaw(host),
        (Fault::Kill, true) => network.kill(host),
        (Fault::Kill, false) => network.restart(host),
        (Fault::HangConnect, true) => network.set_connecting(host, Connecting::Hang),
        (Fault::Refuse, true) => network.set_connecting(host, Connecting::Refuse),
        _ => network.set_connecting(host, Connecting::Accept),
    }
}

/// Something happens to the ways between the proxy and a host, or is over.
fn pave(world: &World, cast: &Cast, host: IpAddr, way: Way, begins: bool) {
    let network = &world.network;
    match way {
        _ if !begins => restore(world, cast, host),
        Way::CutBoth => {
            network.sever(PROXY, host);
            network.sever(host, PROXY);
        }
        Way::CutFrom => network.sever(host, PROXY),
        Way::CutTo => network.sever(PROXY, host),
        Way::Forget(how) => network.forget(host, PROXY, how),
        Way::Slow(passage) => {
            network.set_passage(PROXY, host, passage);
            network.set_passage(host, PROXY, passage);
        }
    }
}

fn restore(world: &World, cast: &Cast, host: IpAddr) {
    for (from, to) in [(PROXY, host), (host, PROXY)] {
        world.network.heal(from, to);
        world.network.set_passage(from, to, cast.passage);
    }
}

fn rename(world: &World, cast: &Cast, peer: usize, naming: Naming, begins: bool) {
    let (network, host, name) = (&world.network, world.peers[peer].ip(), name(peer));
    match naming {
        _ if !begins => {
            network.restart(host);
            network.set_answer(&name, &[host], cast.ttl);
        }
        Naming::Astray => network.set_answer(&name, &[IpAddr::from([10, 0, 7, 7])], cast.ttl),
        Naming::Fails => network.forget_name(&name),
        Naming::Moves => {
            network.kill(host);
            network.set_answer(&name, &[second_home(peer)], cast.ttl);
        }
        Naming::Silent => network.silence_name(&name),
    }
}

/// Lets the peers listen wherever they may be looked for.
pub(super) fn settle_down(world: &World, cast: &Cast) {
    for peer in &world.peers {
        peer.keep_alive.set(cast.keep_alive);
        let mut homes = vec![peer.ip()];
        if cast.named {
            homes.push(second_home(peer.number));
        }
        for home in homes {
            let address = std::net::SocketAddr::new(home, PORT);
            match cast.speaks {
                Speaks::Http1 => peer.listen(&world.network, address, &cast.connections, None),
                Speaks::Http2 => super::streams::listen(world, peer, address, cast.streams),
            }
            for (from, to) in [(PROXY, home), (home, PROXY)] {
                world.network.set_passage(from, to, cast.passage);
            }
        }
        if cast.named {
            world
                .network
                .set_answer(&name(peer.number), &[peer.ip()], cast.ttl);
        }
    }
    for number in 0..cast.clients {
        restore(world, cast, client(number));
    }
}
