//! What goes wrong, when, and for how long.

use super::bodies::{ANSWER, body};
use crate::support::{Answer, End, Form, Rng, Script, Step, World};
use proxy::memory::Connecting;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How the peers feel. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Moods {
    peers: Rc<Vec<Cell<Mood>>>,
    /// The next request, whoever gets it, is read and then reset.
    pub(super) fail_once: Rc<Cell<bool>>,
}

/// What a peer does to requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    Well,
    /// Answers, after a while.
    Slow,
    Busy,
    BusyFor1,
    BadGateway,
    Broken,
    CloseAfter,
    Cut,
    Garbage,
    Hang,
    PartialHead,
    ResetAfter,
    ResetBefore,
    ResetWithin,
    TooMany,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Freeze,
    HangConnect,
    Kill,
    Mood(Mood),
    Refuse,
}

/// What goes wrong at one peer, from when to when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    peer: usize,
    fault: Fault,
    begin: Duration,
    end: Duration,
}

/// At least three faults in the time that the clients are at it.
pub(super) fn events(rng: &mut Rng, peers: usize, span: Duration) -> Vec<Event> {
    let count = rng.between(3, 9);
    let span = u64::try_from(span.as_millis()).unwrap();
    (0..count)
        .map(|_| {
            let begin = rng.millis(200, span - 2000);
            Event {
                peer: rng.below(peers),
                fault: fault(rng),
                begin,
                end: begin + rng.millis(300, 5000),
            }
        })
        .collect()
}

fn fault(rng: &mut Rng) -> Fault {
    match rng.below(9) {
        0 => Fault::Freeze,
        1 => Fault::HangConnect,
        2 | 3 => Fault::Kill,
        4 => Fault::Refuse,
        _ => Fault::Mood(rng.of(&[
            Mood::Busy,
            Mood::BusyFor1,
            Mood::BadGateway,
            Mood::Broken,
            Mood::CloseAfter,
            Mood::Cut,
            Mood::Garbage,
            Mood::Hang,
            Mood::PartialHead,
            Mood::ResetAfter,
            Mood::ResetBefore,
            Mood::ResetWithin,
            Mood::TooMany,
        ])),
    }
}

/// Makes everything happen; ends with the last fault.
pub(super) async fn happen(world: &World, moods: &Moods, events: &[Event]) {
    let origin = Instant::now();
    let mut turns: Vec<(Duration, bool, Event)> = events
        .iter()
        .flat_map(|event| [(event.begin, true, *event), (event.end, false, *event)])
        .collect();
    turns.sort_by_key(|(at, ..)| *at);
    for (at, begins, event) in turns {
        sleep_until(origin + at).await;
        let host = world.peers[event.peer].ip();
        let network = &world.network;
        match (event.fault, begins) {
            (Fault::Freeze, true) => network.freeze(host),
            (Fault::Freeze, false) => network.thaw(host),
            (Fault::Kill, true) => network.kill(host),
            (Fault::Kill, false) => network.restart(host),
            (Fault::HangConnect, true) => network.set_connecting(host, Connecting::Hang),
            (Fault::Refuse, true) => network.set_connecting(host, Connecting::Refuse),
            (Fault::HangConnect | Fault::Refuse, false) => {
                network.set_connecting(host, Connecting::Accept);
            }
            (Fault::Mood(mood), true) => moods.peers[event.peer].set(mood),
            (Fault::Mood(_), false) => moods.peers[event.peer].set(Mood::Well),
        }
    }
    // Faults of one kind may overlap at one peer: whatever was left behind ends here.
    for peer in &world.peers {
        world.network.thaw(peer.ip());
        world.network.set_connecting(peer.ip(), Connecting::Accept);
    }
    moods.all(Mood::Well);
}

impl Moods {
    /// Lets the peers of a world act by their moods.
    pub(super) fn rule(world: &World, rng: &mut Rng) -> Self {
        let peers = world.peers.iter().map(|_| Cell::new(Mood::Well)).collect();
        let moods = Self {
            peers: Rc::new(peers),
            fail_once: Rc::default(),
        };
        for peer in &world.peers {
            let (moods, number) = (moods.clone(), peer.number);
            let rng = RefCell::new(rng.fork());
            peer.usually(move |entry| {
                let mood = moods.peers[number].get();
                let rng = &mut *rng.borrow_mut();
                if moods.fail_once.take() {
                    return script(Mood::ResetAfter, entry, rng);
                }
                // A bad peer is not always bad.
                let lucky = mood != Mood::Slow && rng.chance(15);
                let mood = if lucky { Mood::Well } else { mood };
                script(mood, entry, rng)
            });
        }
        moods
    }

    pub(super) fn all(&self, mood: Mood) {
        for peer in &*self.peers {
            peer.set(mood);
        }
    }
}

fn script(mood: Mood, entry: usize, rng: &mut Rng) -> Script {
    let whole = answer(200, entry, rng);
    let read = |step| Script(vec![Step::Body, step]);
    match mood {
        Mood::Well => {
            let mut steps = vec![Step::Body];
            if rng.chance(50) {
                steps.push(Step::Wait(rng.millis(0, 60)));
            }
            steps.push(Step::Answer(whole));
            Script(steps)
        }
        Mood::Slow => Script(vec![
            Step::Body,
            Step::Wait(Duration::from_millis(400)),
            Step::Answer(whole),
        ]),
        Mood::Busy => read(Step::Answer(answer(503, entry, rng))),
        Mood::BusyFor1 => read(Step::Answer(
            answer(503, entry, rng).field("retry-after", "1"),
        )),
        Mood::BadGateway => read(Step::Answer(answer(502, entry, rng))),
        Mood::Broken => read(Step::Answer(answer(500, entry, rng))),
        Mood::TooMany => read(Step::Answer(answer(429, entry, rng))),
        Mood::CloseAfter => read(Step::Close),
        Mood::Cut => {
            let end = rng.of(&[End::Close, End::Reset]);
            let pieces: Vec<_> = (0..3).map(|part| body(part, 300)).collect();
            let mut cut = whole;
            cut.pieces = pieces;
            cut.form = rng.of(&[Form::Length, Form::Chunked]);
            let after = rng.below(3);
            read(Step::Answer(cut.cut(after, end)))
        }
        Mood::Garbage => read(Step::Write(b"SSH-2.0-no http here\r\n\r\n".to_vec())),
        Mood::Hang => read(Step::Hang),
        Mood::PartialHead => Script(vec![
            Step::Body,
            Step::Write(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
            match rng.below(3) {
                0 => Step::Close,
                1 => Step::Hang,
                _ => Step::Reset,
            },
        ]),
        Mood::ResetAfter => read(Step::Reset),
        Mood::ResetBefore => Script(vec![Step::Reset]),
        Mood::ResetWithin => Script(vec![Step::Head, Step::Reset]),
    }
}

/// An answer whose body says which it is.
fn answer(status: u16, entry: usize, rng: &mut Rng) -> Answer {
    let length = rng.of(&[0, 10, 700, 3000]);
    let whole = body(entry as u64 | ANSWER, length);
    let mut answer = Answer::new(status, Vec::new());
    answer.form = rng.of(&[Form::Length, Form::Chunked, Form::Chunked, Form::Close]);
    let size = rng.of(&[1000, 5000]);
    answer.pieces = whole.chunks(size).map(<[u8]>::to_vec).collect();
    if rng.chance(30) {
        answer.pace = rng.millis(1, 40);
    }
    answer.field("x-length", &length.to_string())
}
