//! Clients that speak HTTP/1.1: one request after another, now and then two at once.

use super::clients::{Asker, Habit, METHODS, Order, PATIENCE, What};
use crate::support::{Ask, Client};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Asks until all have asked enough.
pub(super) async fn run(asker: &mut Asker) {
    let mut kept = None;
    while !asker.is_done() {
        let mut client = match kept.take() {
            Some(client) => client,
            None => Client::from(&asker.world.network, asker.world.address, asker.address()).await,
        };
        let next = if asker.rng.chance(4) {
            pipeline(asker, &mut client).await
        } else {
            let order = asker.order(&METHODS);
            let what = ask(&mut client, &order).await;
            let next = follows(&what);
            asker.saw(&order, what);
            next
        };
        if next == Next::Keep {
            kept = Some(client);
        } else {
            drop(client);
        }
        asker.pause().await;
    }
}

#[derive(Eq, PartialEq)]
enum Next {
    Keep,
    Close,
}

fn follows(what: &What) -> Next {
    match what {
        What::Answer(reply) if !reply.closes() => Next::Keep,
        _ => Next::Close,
    }
}

/// Two requests before the first answer (RFC 9112 §9.3.2).
async fn pipeline(asker: &mut Asker, client: &mut Client) -> Next {
    let mut orders = [0, 1].map(|_| {
        let mut order = asker.order(&["GET"]);
        order.habit = Habit::Reads;
        order
    });
    let bytes: Vec<u8> = orders.iter().flat_map(|order| bytes(&order.ask)).collect();
    client.send(&bytes).await;
    let mut next = Next::Keep;
    for order in &mut orders {
        // The first answer may be a stream of events.
        order.began = Instant::now();
        let what = if next == Next::Keep {
            read(client, order).await
        } else {
            // Whether it was heard is not known.
            What::Left
        };
        next = follows(&what);
        asker.saw(order, what);
    }
    next
}

/// Sends a request, or a part of it, and reads what comes, or leaves.
async fn ask(client: &mut Client, order: &Order) -> What {
    let bytes = bytes(&order.ask);
    let Habit::Leaves(part, patience) = order.habit else {
        let asking = async {
            match order.habit {
                Habit::Dribbles(pause) => dribble(client, &bytes, pause).await,
                _ => client.send(&bytes).await,
            }
            read(client, order).await
        };
        return timeout(PATIENCE, asking).await.unwrap_or(What::Stuck);
    };
    let part = part.unwrap_or(bytes.len()).min(bytes.len());
    let leaving = async {
        client.send(&bytes[..part]).await;
        drop(client.wire.reply(&order.ask.method).await);
    };
    drop(timeout(patience, leaving).await);
    What::Left
}

/// Sends in parts; a server that has heard enough is answered with silence.
async fn dribble(client: &mut Client, bytes: &[u8], pause: Duration) {
    for (at, part) in bytes.chunks(bytes.len() / 3 + 1).enumerate() {
        if at > 0 {
            sleep(pause).await;
        }
        client.send(part).await;
    }
}

fn bytes(ask: &Ask) -> Vec<u8> {
    let mut ask = ask.clone();
    if ask.fields.iter().any(|(name, _)| name == "te") {
        // RFC 9110 §10.1.4.
        ask = ask.field("connection", "te");
    }
    ask.bytes()
}

async fn read(client: &mut Client, order: &Order) -> What {
    let reading = async {
        let mut reply = match client.wire.reply_head(&order.ask.method).await {
            Ok(reply) => reply,
            Err(broken) => return What::Nothing(broken),
        };
        if let Habit::Lingers(wait) = order.habit {
            sleep(wait).await;
        }
        let mut read = Vec::new();
        let ended = client
            .wire
            .body(reply.framing, |piece| read.extend_from_slice(piece))
            .await;
        reply.body = read;
        match ended {
            Ok(trailers) => {
                reply.trailers = trailers;
                What::Answer(reply)
            }
            Err(broken) => What::Cut(reply, broken),
        }
    };
    timeout(PATIENCE, reading).await.unwrap_or(What::Stuck)
}

/// Asks one question of a client that stays.
pub(super) async fn stay(client: &mut Client, ask: &Ask) -> What {
    client.send(&ask.bytes()).await;
    match client.wire.reply(&ask.method).await {
        Ok(reply) => What::Answer(reply),
        Err(broken) => What::Nothing(broken),
    }
}
