//! Clients: what each asks, how it behaves, and what became of it.

use super::bodies::body;
use super::faults::client;
use super::http1;
use super::http2;
use crate::support::{Ask, Broken, Reply, Rng, World};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What became of a request, as its client saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) number: u64,
    pub(super) method: &'static str,
    pub(super) body: usize,
    /// Asked for the trailers of the answer.
    pub(super) trailers: bool,
    pub(super) habit: Habit,
    /// The client's own way is not to be trusted.
    pub(super) troubled: bool,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// A whole answer.
    Answer(Reply),
    /// A head, and not all of the body.
    Cut(Reply, Broken),
    /// The client left.
    Left,
    /// Not even a head.
    Nothing(Broken),
    /// Nothing happened for longer than any deadline.
    Stuck,
}

/// What a client does with an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Habit {
    /// Sends what it sends in three parts, with pauses.
    Dribbles(Duration),
    /// Sends only a part, if so many bytes are given, and leaves so much later.
    Leaves(Option<usize>, Duration),
    /// Reads the head, and the rest after a while.
    Lingers(Duration),
    Reads,
}

/// Who asks what. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Askers {
    next: Rc<Cell<u64>>,
    pub(super) seen: Rc<RefCell<Vec<Seen>>>,
}

/// How a crowd of clients behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// In a hundred: how many leave before they have their answer.
    pub(super) leave: u64,
    /// The longest pause between two requests.
    pub(super) pause: u64,
    /// The longest body.
    pub(super) largest: usize,
    /// When all of them have asked so often, they stop.
    pub(super) total: u64,
}

/// One client.
pub(super) struct Asker {
    pub(super) world: Rc<World>,
    pub(super) askers: Askers,
    pub(super) number: usize,
    pub(super) rng: Rng,
    pub(super) manner: Manner,
    pub(super) troubled: bool,
    /// Speaks HTTP/2.
    pub(super) modern: bool,
}

/// One request of a client.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) number: u64,
    pub(super) ask: Ask,
    method: &'static str,
    pub(super) habit: Habit,
    pub(super) began: Instant,
}

impl Askers {
    pub(super) fn asked(&self) -> u64 {
        self.next.get()
    }

    /// Takes the number of a new request.
    pub(super) fn number(&self) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }
}

impl Asker {
    /// Asks until all have asked enough.
    pub(super) async fn run(mut self) {
        sleep(self.rng.millis(0, self.manner.pause)).await;
        if self.modern {
            http2::run(&mut self).await;
        } else {
            http1::run(&mut self).await;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.askers.asked() >= self.manner.total
    }

    pub(super) async fn pause(&mut self) {
        sleep(self.rng.millis(0, self.manner.pause)).await;
    }

    pub(super) fn address(&self) -> std::net::IpAddr {
        client(self.number)
    }

    /// What it asks next.
    pub(super) fn order(&mut self, methods: &[&'static str]) -> Order {
        let number = self.askers.number();
        let rng = &mut self.rng;
        let method = rng.of(methods);
        let mut ask = Ask::new(method, &target(number));
        if matches!(method, "PUT" | "POST") {
            let length = rng.of(&[0, 1, 500, 3000, 12_000, self.manner.largest]);
            ask = ask.body(body(number, length));
            if rng.chance(40) {
                ask = ask.chunked(rng.of(&[100, 1500]));
            }
        }
        if rng.chance(40) {
            ask = ask.field("te", "trailers");
        }
        let habit = if rng.chance(self.manner.leave) {
            let length = ask.bytes().len();
            let part = rng.chance(30).then(|| 1 + rng.below(length));
            Habit::Leaves(part, rng.millis(0, 300))
        } else if rng.chance(3) {
            Habit::Lingers(rng.millis(100, 8000))
        } else if rng.chance(8) {
            Habit::Dribbles(rng.millis(1, 1500))
        } else {
            Habit::Reads
        };
        Order {
            number,
            ask,
            method,
            habit,
            began: Instant::now(),
        }
    }

    /// Notes what became of a request.
    pub(super) fn saw(&self, order: &Order, what: What) {
        note(&self.askers, order, self.troubled, what);
    }
}

pub(super) fn note(askers: &Askers, order: &Order, troubled: bool, what: What) {
    askers.seen.borrow_mut().push(Seen {
        number: order.number,
        method: order.method,
        body: order.ask.body.as_ref().map_or(0, Vec::len),
        trailers: order.ask.fields.iter().any(|(name, _)| name == "te"),
        habit: order.habit,
        troubled,
        began: order.began,
        ended: Instant::now(),
        what,
    });
}

pub(super) fn target(number: u64) -> String {
    format!("/r/{number}")
}

/// How long a crowd takes for `total` requests, more or less.
pub(super) fn pause(span: Duration, clients: usize, total: u64) -> u64 {
    let span = u64::try_from(span.as_millis()).unwrap();
    2 * span * clients as u64 / total
}

/// What is asked.
pub(super) const METHODS: [&str; 11] = [
    "GET", "GET", "GET", "GET", "PUT", "PUT", "POST", "POST", "POST", "DELETE", "HEAD",
];
/// Longer than any deadline, and than any stream of events.
pub(super) const PATIENCE: Duration = Duration::from_secs(400);
