//! Clients that speak HTTP/2: several requests at once on a connection they keep.

use super::clients::{Asker, Askers, Habit, METHODS, Order, PATIENCE, What, note};
use super::streams::fields;
use crate::support::h2::{piece, send};
use crate::support::{Broken, Framing, Head, Reply};
use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use proxy::network::Network as _;
use std::cell::Cell;
use std::rc::Rc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Asks until all have asked enough.
pub(super) async fn run(asker: &mut Asker) {
    let mut kept: Option<Line> = None;
    let mut running: Vec<JoinHandle<()>> = Vec::new();
    while !asker.is_done() {
        let usable = match kept.take() {
            Some(line) if !asker.rng.chance(3) => line.ready().await,
            // All its requests go with it.
            Some(line) => {
                line.left.set(true);
                line.driver.abort();
                None
            }
            None => None,
        };
        let Some(line) = (match usable {
            Some(line) => Some(line),
            None => Line::new(asker).await,
        }) else {
            asker.pause().await;
            continue;
        };
        for _ in 0..asker.rng.between(1, 4) {
            let order = asker.order(&METHODS);
            let one = One {
                askers: asker.askers.clone(),
                sender: line.sender.clone(),
                left: Rc::clone(&line.left),
                troubled: asker.troubled,
                order,
            };
            running.push(tokio::task::spawn_local(one.ask()));
        }
        kept = Some(line);
        // As many requests in the same time.
        for _ in 0..2 {
            asker.pause().await;
        }
    }
    for one in running {
        one.await.unwrap();
    }
}

/// A connection to the proxy.
struct Line {
    sender: SendRequest<Bytes>,
    driver: JoinHandle<()>,
    /// The client has dropped it.
    left: Rc<Cell<bool>>,
}

impl Line {
    async fn new(asker: &Asker) -> Option<Self> {
        let network = asker.world.network.seen_from(asker.address());
        let stream = network.connect(asker.world.address).await.ok()?;
        let handshake = h2::client::handshake(stream);
        let (sender, connection) = timeout(PATIENCE, handshake).await.ok()?.ok()?;
        let driver = tokio::task::spawn_local(async move { drop(connection.await) });
        Some(Self {
            sender,
            driver,
            left: Rc::default(),
        })
    }

    /// Itself, if it takes another request.
    async fn ready(self) -> Option<Self> {
        let sender = timeout(PATIENCE, self.sender.ready()).await.ok()?.ok()?;
        Some(Self { sender, ..self })
    }
}

/// One request on a connection.
struct One {
    askers: Askers,
    sender: SendRequest<Bytes>,
    left: Rc<Cell<bool>>,
    troubled: bool,
    order: Order,
}

impl One {
    async fn ask(self) {
        let order = &self.order;
        let asking = exchange(self.sender, order);
        let what = match order.habit {
            Habit::Leaves(_, patience) => {
                drop(timeout(patience, asking).await);
                None
            }
            _ => timeout(PATIENCE, asking).await.unwrap_or(Some(What::Stuck)),
        };
        let what = match what {
            Some(What::Cut(..) | What::Nothing(_)) if self.left.get() => What::Left,
            Some(what) => what,
            // The connection had ended before anything was asked: then nobody heard of it.
            None => What::Left,
        };
        note(&self.askers, order, self.troubled, what);
    }
}

/// Asks; none if the connection takes no request.
async fn exchange(sender: SendRequest<Bytes>, order: &Order) -> Option<What> {
    let (answer, mut upload) = begin(sender, order).await?;
    let body = order.ask.body.clone().filter(|body| !body.is_empty());
    let (part, size) = match order.habit {
        Habit::Leaves(Some(part), _) => (part, 1000),
        _ => (usize::MAX, order.ask.chunks.unwrap_or(usize::MAX)),
    };
    let uploading = async {
        if let Some(body) = body {
            let (length, ends) = (body.len().min(part), part >= body.len());
            let mut sent = 0;
            let size = match order.habit {
                Habit::Dribbles(_) => size.min(length / 3 + 1),
                _ => size,
            };
            while sent < length {
                if let Habit::Dribbles(pause) = order.habit
                    && sent > 0
                {
                    sleep(pause).await;
                }
                let piece = size.min(length - sent);
                let last = ends && sent + piece == length;
                let data = Bytes::copy_from_slice(&body[sent..sent + piece]);
                if send(&mut upload, data, last).await.is_err() {
                    break;
                }
                sent += piece;
            }
        }
        // Dropping it would reset what was not ended.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        what = read(answer, order) => Some(what),
        () = uploading => None,
    }
}

async fn begin(
    sender: SendRequest<Bytes>,
    order: &Order,
) -> Option<(ResponseFuture, SendStream<Bytes>)> {
    let ask = &order.ask;
    let length = ask.body.as_ref().map_or(0, Vec::len);
    let mut request = Request::builder()
        .method(&*ask.method)
        .uri(format!("http://test{}", ask.target));
    for (name, value) in &ask.fields {
        request = request.header(name, value);
    }
    if ask.body.is_some() && ask.chunks.is_none() {
        request = request.header("content-length", length);
    }
    let mut sender = sender.ready().await.ok()?;
    sender
        .send_request(request.body(()).unwrap(), length == 0)
        .ok()
}

async fn read(answer: ResponseFuture, order: &Order) -> What {
    let Ok(answer) = answer.await else {
        return What::Nothing(Broken::Reset);
    };
    if let Habit::Lingers(wait) = order.habit {
        sleep(wait).await;
    }
    let (head, mut incoming) = answer.into_parts();
    let mut reply = Reply {
        status: head.status.as_u16(),
        head: Head {
            start: format!("HTTP/2 {}", head.status.as_u16()),
            fields: fields(&head.headers),
        },
        framing: Framing::None,
        body: Vec::new(),
        trailers: Vec::new(),
        interim: Vec::new(),
    };
    loop {
        match piece(&mut incoming).await {
            Ok(Some(piece)) => reply.body.extend_from_slice(&piece),
            Ok(None) => break,
            Err(_) => return What::Cut(reply, Broken::Reset),
        }
    }
    match incoming.trailers().await {
        Ok(trailers) => {
            reply.trailers = trailers.as_ref().map(fields).unwrap_or_default();
            What::Answer(reply)
        }
        Err(_) => What::Cut(reply, Broken::Reset),
    }
}
