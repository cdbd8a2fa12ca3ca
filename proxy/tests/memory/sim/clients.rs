//! Clients: each sends one request after another on a connection it keeps, and some leave.

use super::bodies::body;
use crate::support::{Ask, Broken, Client, Reply, Rng, World};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// What became of a request, as its client saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) number: u64,
    pub(super) method: &'static str,
    pub(super) body: usize,
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

    /// One client, until all of them have asked `total` times.
    pub(super) async fn client(
        self,
        world: Rc<World>,
        name: u8,
        mut rng: Rng,
        manner: Manner,
        total: u64,
    ) {
        let address = IpAddr::from([10, 0, 1, name]);
        let mut kept = None;
        tokio::time::sleep(rng.millis(0, manner.pause)).await;
        while self.asked() < total {
            let mut client = match kept.take() {
                Some(client) => client,
                None => Client::from(&world.network, world.address, address).await,
            };
            if self.ask(&mut client, &mut rng, manner).await == Next::Keep {
                kept = Some(client);
            } else {
                drop(client);
            }
            tokio::time::sleep(rng.millis(0, manner.pause)).await;
        }
    }

    async fn ask(&self, client: &mut Client, rng: &mut Rng, manner: Manner) -> Next {
        let number = self.number();
        let method = rng.of(&[
            "GET", "GET", "GET", "GET", "PUT", "PUT", "POST", "POST", "POST", "DELETE", "HEAD",
        ]);
        let mut ask = Ask::new(method, &target(number));
        let mut length = 0;
        if matches!(method, "PUT" | "POST") {
            length = rng.of(&[0, 1, 500, 3000, 12_000, manner.largest]);
            ask = ask.body(body(number, length));
            if rng.chance(40) {
                ask = ask.chunked(rng.of(&[100, 1500]));
            }
        }
        let leaves = rng.chance(manner.leave);
        let began = Instant::now();
        let what = if leaves {
            leave(client, &ask, rng).await;
            What::Left
        } else {
            stay(client, &ask).await
        };
        let next = match &what {
            What::Answer(reply) if !reply.closes() => Next::Keep,
            _ => Next::Close,
        };
        self.seen.borrow_mut().push(Seen {
            number,
            method,
            body: length,
            began,
            ended: Instant::now(),
            what,
        });
        next
    }
}

#[derive(Eq, PartialEq)]
enum Next {
    Keep,
    Close,
}

/// Sends a request and reads what comes.
pub(super) async fn stay(client: &mut Client, ask: &Ask) -> What {
    client.send(&ask.bytes()).await;
    let mut reply = match client.wire.reply_head(&ask.method).await {
        Ok(reply) => reply,
        Err(broken) => return What::Nothing(broken),
    };
    let mut read = Vec::new();
    let ended = client
        .wire
        .body(reply.framing, |piece| read.extend_from_slice(piece))
        .await;
    reply.body = read;
    match ended {
        Ok(_) => What::Answer(reply),
        Err(broken) => What::Cut(reply, broken),
    }
}

/// Sends a request, or a part of it, and waits a little.
async fn leave(client: &mut Client, ask: &Ask, rng: &mut Rng) {
    let bytes = ask.bytes();
    let part = if rng.chance(30) {
        1 + rng.below(bytes.len())
    } else {
        bytes.len()
    };
    let patience = rng.millis(0, 300);
    let leaving = async {
        client.send(&bytes[..part]).await;
        drop(client.wire.reply(&ask.method).await);
    };
    drop(tokio::time::timeout(patience, leaving).await);
}

pub(super) fn target(number: u64) -> String {
    format!("/r/{number}")
}

/// How long a crowd takes for `total` requests, more or less.
pub(super) fn pause(span: Duration, clients: u64, total: u64) -> u64 {
    let span = u64::try_from(span.as_millis()).unwrap();
    2 * span * clients / total
}
