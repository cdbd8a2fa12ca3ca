//! What peers do to requests, by how they feel.

use super::bodies::{ANSWER, body, events};
use super::plan::Speaks;
use crate::support::{Answer, End, Form, Rng, Script, Step, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// How the peers feel. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Moods {
    peers: Rc<Vec<Cell<Mood>>>,
    /// The next request, whoever gets it, is read and then reset.
    pub(super) fail_once: Rc<Cell<bool>>,
    speaks: Speaks,
}

/// What a peer does to requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    Well,
    /// Answers, after a while.
    Slow,
    BadGateway,
    Broken,
    Busy,
    BusyFor1,
    CloseAfter,
    Cut,
    /// Answers before it has read, and reads no more.
    Early,
    Garbage,
    GoAway,
    Hang,
    Leave,
    PartialHead,
    Refuse,
    ResetAfter,
    ResetBefore,
    ResetWithin,
    TooMany,
}

impl Mood {
    /// Any that is not good.
    pub(super) fn any(speaks: Speaks, rng: &mut Rng) -> Self {
        const BOTH: [Mood; 13] = [
            Mood::BadGateway,
            Mood::Broken,
            Mood::Busy,
            Mood::BusyFor1,
            Mood::CloseAfter,
            Mood::Cut,
            Mood::Early,
            Mood::Garbage,
            Mood::Hang,
            Mood::ResetAfter,
            Mood::ResetBefore,
            Mood::ResetWithin,
            Mood::TooMany,
        ];
        let own: &[Self] = match speaks {
            Speaks::Http1 => &[Self::PartialHead],
            Speaks::Http2 => &[Self::GoAway, Self::GoAway, Self::Leave, Self::Refuse],
        };
        let at = rng.below(BOTH.len() + own.len());
        BOTH.get(at)
            .copied()
            .unwrap_or_else(|| own[at - BOTH.len()])
    }
}

impl Moods {
    /// Lets the peers of a world act by their moods.
    pub(super) fn rule(world: &World, speaks: Speaks, rng: &mut Rng) -> Self {
        let peers = world.peers.iter().map(|_| Cell::new(Mood::Well)).collect();
        let moods = Self {
            peers: Rc::new(peers),
            fail_once: Rc::default(),
            speaks,
        };
        for peer in &world.peers {
            let (moods, number) = (moods.clone(), peer.number);
            let ledger = world.ledger.clone();
            let rng = RefCell::new(rng.fork());
            peer.usually(move |entry| {
                let mood = moods.peers[number].get();
                let rng = &mut *rng.borrow_mut();
                if moods.fail_once.take() {
                    return script(Mood::ResetAfter, moods.speaks, false, entry, rng);
                }
                // HTTP/1.1 has not read the head yet: it answers all alike.
                let streams = ledger.entry(entry).method() == Some("GET") && rng.chance(6);
                // A bad peer is not always bad.
                let lucky = mood != Mood::Slow && rng.chance(15);
                let mood = if lucky { Mood::Well } else { mood };
                script(mood, moods.speaks, streams, entry, rng)
            });
        }
        moods
    }

    pub(super) fn set(&self, peer: usize, mood: Mood) {
        self.peers[peer].set(mood);
    }

    pub(super) fn all(&self, mood: Mood) {
        for peer in &*self.peers {
            peer.set(mood);
        }
    }
}

fn script(mood: Mood, speaks: Speaks, streams: bool, entry: usize, rng: &mut Rng) -> Script {
    let whole = answer(200, entry, rng);
    let read = |step| Script(vec![Step::Body, step]);
    match mood {
        Mood::Well if streams => read(Step::Answer(stream(entry, rng))),
        // Before it has read the body, which it then does.
        Mood::Well if whole.form != Form::Close && rng.chance(3) => {
            Script(vec![Step::Head, Step::Answer(whole), Step::Body])
        }
        Mood::Well => {
            let mut steps = vec![Step::Body];
            if rng.chance(10) {
                steps.push(Step::Interim(103));
            }
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
        Mood::Early if rng.chance(50) => Script(vec![Step::Head, Step::Answer(whole), Step::Body]),
        Mood::Early => Script(vec![Step::Head, Step::Answer(whole)]),
        Mood::Garbage => {
            // Over HTTP/2 that is a frame of 5 MB.
            let text = b"SSH-2.0-no http here\r\n\r\n".to_vec();
            match speaks {
                Speaks::Http1 => read(Step::Write(text)),
                Speaks::Http2 => Script(vec![Step::Body, Step::Write(text), Step::Hang]),
            }
        }
        Mood::GoAway => Script(vec![Step::GoAway]),
        Mood::Hang => read(Step::Hang),
        Mood::Leave => Script(vec![Step::Leave, Step::Body, Step::Answer(whole)]),
        Mood::PartialHead => Script(vec![
            Step::Body,
            Step::Write(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
            match rng.below(3) {
                0 => Step::Close,
                1 => Step::Hang,
                _ => Step::Reset,
            },
        ]),
        Mood::Refuse => Script(vec![Step::Refuse]),
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
    if answer.form == Form::Chunked && rng.chance(30) {
        answer.trailers = vec![("x-end".to_owned(), entry.to_string())];
        answer = answer.field("trailer", "x-end");
    }
    answer.field("x-length", &length.to_string())
}

/// A stream of events, some of which take their time.
fn stream(entry: usize, rng: &mut Rng) -> Answer {
    let length = rng.between(2, 5);
    let mut answer = Answer::new(200, Vec::new()).form(Form::Chunked);
    answer.pieces = events(entry as u64 | ANSWER, length);
    let (least, most) = rng.of(&[(10, 500), (10, 500), (1000, 40_000)]);
    answer.pace = rng.millis(least, most);
    answer
        .field("content-type", "text/event-stream")
        .field("x-length", &length.to_string())
}
