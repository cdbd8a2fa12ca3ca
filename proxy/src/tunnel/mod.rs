//! A connection of a client and one of a peer that speak no HTTP any more: bytes both ways.

mod ended;
mod watch;
mod way;

use crate::hooks::Hooks;
use crate::network::Network;
use crate::thread::Thread;
use crate::transaction::Transaction;
use crate::upstream::Line;
use bytes::Bytes;
use ended::{Counted, Ended};
use lb::Pick;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use watch::Watch;
use way::{Broken, Way};

/// A tunnel whose peer has switched, and whose client has yet to.
///
/// It holds the pick, so the peer's load counts it for as long as it lives, and the transaction,
/// so the request ends with it. Dropping it closes the connection to the peer.
pub(crate) struct Tunnel<N: Network, H: Hooks> {
    thread: Rc<Thread<N, H>>,
    transaction: Transaction<H>,
    /// The peer, and what it said behind its 101.
    peer: (Line<N::Stream>, Bytes),
    pick: Pick,
    /// Longest silence.
    idle: Option<Duration>,
    counted: Counted,
}

impl<N: Network, H: Hooks> Tunnel<N, H> {
    pub(crate) fn new(
        thread: &Rc<Thread<N, H>>,
        transaction: Transaction<H>,
        peer: (Line<N::Stream>, Bytes),
        pick: Pick,
        idle: Option<Duration>,
    ) -> Self {
        let counted = Counted::new(transaction.group.as_ref());
        Self {
            thread: Rc::clone(thread),
            transaction,
            peer,
            pick,
            idle,
            counted,
        }
    }

    /// Moves bytes until the tunnel ends. `first` is what the client sent before it was told of
    /// the switch; `told` is ready when the connection to the client has to close.
    pub(crate) async fn run<C>(
        mut self: Box<Self>,
        mut client: C,
        first: Bytes,
        mut told: impl FnMut(&Context<'_>) -> Poll<()>,
    ) where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let mut watch = Watch::new(
            &self.thread,
            self.transaction.group.as_ref(),
            self.pick.peer(),
            self.idle,
        );
        let (mut up, mut down) = (Way::default(), Way::default());
        up.begin(&first);
        down.begin(&std::mem::take(&mut self.peer.1));
        let ended = std::future::poll_fn(|cx| {
            if told(cx).is_ready() {
                return Poll::Ready(Ended::Client);
            }
            let before = (up.moved, down.moved);
            let polled = poll_both(
                up.poll(&mut client, &mut self.peer.0, cx),
                down.poll(&mut self.peer.0, &mut client, cx),
            );
            let moved = (up.moved - before.0, down.moved - before.1);
            if moved != (0, 0) {
                self.counted.moved(moved.0, moved.1);
                watch.moved();
            }
            if polled.is_ready() {
                return polled;
            }
            watch.poll(cx)
        })
        .await;
        self.counted.ended = ended;
        let report = &mut self.transaction.session.report;
        (report.end, report.response_bytes) = (ended.end(), down.moved);
        report.tunnelled = Some(up.moved);
        match ended {
            Ended::Peer => self.suspect(),
            Ended::Drained | Ended::Idle | Ended::Lost => {
                let goodbye = async { tokio::join!(client.shutdown(), self.peer.0.shutdown()) };
                // A courtesy: whoever does not read is not waited for.
                drop(tokio::time::timeout(GOODBYE, goodbye).await);
            }
            Ended::Client | Ended::Complete => {}
        }
    }

    /// The peer broke off. The prober looks; no verdict is given, since nobody here knows whether
    /// the protocol ends like that.
    fn suspect(&self) {
        if let Some(group) = &self.transaction.group {
            group.peer(self.pick.peer()).suspect();
        }
    }
}

/// What both ways together have come to. One that cannot be written to ends by itself, since what
/// comes from there may still be worth having; one that cannot be read is the end of both.
fn poll_both(up: Poll<Result<(), Broken>>, down: Poll<Result<(), Broken>>) -> Poll<Ended> {
    match (up, down) {
        (Poll::Ready(Err(Broken::Source)), _) => Poll::Ready(Ended::Client),
        (_, Poll::Ready(Err(Broken::Source)))
        | (Poll::Ready(Err(Broken::Sink)), Poll::Ready(_)) => Poll::Ready(Ended::Peer),
        (Poll::Ready(_), Poll::Ready(Err(Broken::Sink))) => Poll::Ready(Ended::Client),
        (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ended::Complete),
        _ => Poll::Pending,
    }
}

/// How long both ends may take to hear of the end.
const GOODBYE: Duration = Duration::from_secs(1);
