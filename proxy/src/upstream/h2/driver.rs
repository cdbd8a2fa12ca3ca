//! The task that drives one connection, until it ends or nobody needs it any more.

use super::counted::{Counted, Counts};
use ::h2::client::Connection;
use ::h2::{Ping, PingPong};
use bytes::Bytes;
use std::future::Future as _;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Drives a connection. It ends with an error of its own, when its peer answers no PING, or soon
/// after the last handle has gone, with a GOAWAY if the peer still reads.
pub(super) async fn drive<S>(
    mut connection: Connection<Counted<S>, Bytes>,
    counts: Rc<Counts>,
    ping: Duration,
    needed: oneshot::Receiver<()>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut heartbeat = connection
        .ping_pong()
        .filter(|_| !ping.is_zero())
        .map(|pings| Heartbeat::new(pings, &counts, ping));
    let mut needed = pin!(needed);
    let served = std::future::poll_fn(|cx| {
        if let Some(heartbeat) = &mut heartbeat
            && heartbeat.poll(cx).is_ready()
        {
            return Poll::Ready(Served::Ended);
        }
        if Pin::new(&mut connection).poll(cx).is_ready() {
            return Poll::Ready(Served::Ended);
        }
        // The sender was dropped: h2 does not wake us for that.
        needed.as_mut().poll(cx).map(|_| Served::Dropped)
    })
    .await;
    counts.heard.notify_one();
    if served == Served::Dropped {
        // Says goodbye; whoever does not read is not waited for.
        drop(tokio::time::timeout(GOODBYE, connection).await);
    }
}

#[derive(Eq, PartialEq)]
enum Served {
    Dropped,
    Ended,
}

/// Asks a silent peer whether it is still there.
struct Heartbeat {
    pings: PingPong,
    counts: Rc<Counts>,
    interval: Duration,
    sleep: Pin<Box<tokio::time::Sleep>>,
    /// Bytes read when the interval began.
    read: u64,
    asked: bool,
}

impl Heartbeat {
    fn new(pings: PingPong, counts: &Rc<Counts>, interval: Duration) -> Self {
        Self {
            pings,
            counts: Rc::clone(counts),
            interval,
            sleep: Box::pin(tokio::time::sleep(interval)),
            read: 0,
            asked: false,
        }
    }

    /// Ready when the peer was silent for an interval, and for another after it was asked.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            let read = self.counts.read.get();
            let silent = read == self.read;
            if silent && self.asked {
                return Poll::Ready(());
            }
            self.asked = silent && self.pings.send_ping(Ping::opaque()).is_ok();
            self.read = read;
            self.sleep.as_mut().reset(Instant::now() + self.interval);
        }
        // Any byte is an answer; this only frees the slot for the next PING.
        if let Poll::Ready(Err(_)) = self.pings.poll_pong(cx) {
            self.asked = false;
        }
        Poll::Pending
    }
}

/// How long a peer may take to read a GOAWAY.
const GOODBYE: Duration = Duration::from_secs(1);
