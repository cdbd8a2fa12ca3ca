//! An exchange of the hooks' own with a peer, besides the request they serve.

use crate::attempts::{Answer, Bounds, Failed, Wait, acquire, send};
use crate::error::ProxyError;
use crate::group::Group;
use crate::hooks::{Hooks, Target};
use crate::keep::keep;
use crate::network::Network;
use crate::thread::Thread;
use crate::upload::Upload;
use crate::upstream::{Connection, UpstreamHead};
use bytes::{Bytes, BytesMut};
use http::{Request, Response, header, response};
use lb::{Outcome, PeerIndex, Pick, PickRequest, Tried};
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What a peer answered to a request of the hooks' own. Dropping it early closes the connection.
pub struct Exchanged {
    /// The head of the answer, as the peer sent it.
    pub head: response::Parts,
    body: Box<dyn Pieces>,
    /// What was read and given back.
    unread: Bytes,
}

impl Exchanged {
    /// The next piece of the body; none at its end.
    ///
    /// # Errors
    /// The peer cut it.
    pub async fn next(&mut self) -> Option<Result<Bytes, AnswerError>> {
        if !self.unread.is_empty() {
            return Some(Ok(std::mem::take(&mut self.unread)));
        }
        std::future::poll_fn(|cx| self.body.poll_piece(cx)).await
    }

    /// Gives back what was read: it comes next, before what was not read yet.
    pub fn unread(&mut self, piece: Bytes) {
        self.unread = if self.unread.is_empty() {
            piece
        } else {
            [piece, std::mem::take(&mut self.unread)].concat().into()
        };
    }

    /// The rest of the answer, to be relayed: its connection, the pick of its peer, and what was
    /// given back. None if it has ended, or is another program's.
    pub(crate) fn into_answer<N: Network, H: Hooks>(self) -> Option<(Answer<N>, Pick, Bytes)> {
        let incoming: Box<Incoming<N, H>> = self.body.into_any().downcast().ok()?;
        let answer = Answer {
            head: self.head,
            connection: incoming.connection?,
        };
        Some((answer, incoming.pick, self.unread))
    }

    /// The whole answer, unless its body is longer than `limit`.
    ///
    /// # Errors
    /// The peer cut it, or it is too long.
    pub async fn whole(mut self, limit: usize) -> Result<Response<Bytes>, AnswerError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await {
            whole.extend_from_slice(&piece?);
            if whole.len() > limit {
                return Err(AnswerError::TooLong);
            }
        }
        Ok(Response::from_parts(self.head, whole.freeze()))
    }
}

/// Why an answer could not be read whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AnswerError {
    /// The peer cut it.
    Cut,
    /// It is longer than it may be.
    TooLong,
}

impl fmt::Debug for Exchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchanged")
            .field("status", &self.head.status)
            .finish_non_exhaustive()
    }
}

/// Asks peers; what a [`Session`](crate::session::Session) knows of its thread.
pub(crate) trait Exchange {
    /// Sends a request to a peer and waits for the head of its answer, `patience` at most.
    fn exchange(
        self: Rc<Self>,
        group: Arc<Group>,
        peer: PeerIndex,
        request: Request<Bytes>,
        patience: Duration,
    ) -> Exchanging;
}

/// An exchange under way.
pub(crate) type Exchanging = Pin<Box<dyn Future<Output = Result<Exchanged, ProxyError>>>>;

impl<N: Network, H: Hooks> Exchange for Thread<N, H> {
    fn exchange(
        self: Rc<Self>,
        group: Arc<Group>,
        peer: PeerIndex,
        request: Request<Bytes>,
        patience: Duration,
    ) -> Exchanging {
        Box::pin(ask(self, group, peer, request, patience))
    }
}

async fn ask<N: Network, H: Hooks>(
    thread: Rc<Thread<N, H>>,
    group: Arc<Group>,
    peer: PeerIndex,
    request: Request<Bytes>,
    patience: Duration,
) -> Result<Exchanged, ProxyError> {
    let tried = Tried::default();
    let wanted = PickRequest {
        hash: None,
        pin: Some(peer),
        region: None,
        serves: None,
        tried: &tried,
        repeatable: false,
        retry_same: false,
    };
    let mut wait = Wait::default();
    let (mut pick, began) = loop {
        let now = thread.clock.now();
        match group.lb.pick(&wanted, now, thread.clock.entropy()) {
            Ok(pick) => break (pick, now),
            Err(none) => match wait.pause(&none, now) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(ProxyError::NoPeer(none)),
            },
        }
    };
    let target = Target::peer(Arc::clone(&group), peer);
    let (parts, body) = request.into_parts();
    let mut head = UpstreamHead::new(&parts);
    head.set(header::HOST, group.peer(peer).authority.clone());
    let upload = Upload::full(body);
    let bounds = Bounds {
        total: None,
        per_try: Some(patience),
        movable: true,
        // Nobody decides here whether a stale connection may be tried again.
        fresh: true,
        tunnel: false,
    };
    let answer = match acquire(&thread, &target, peer, bounds).await {
        Ok(connection) => {
            let whom = (peer, began);
            send(&thread, &target, whom, connection, &head, &upload, bounds).await
        }
        Err(failed) => Err(failed),
    };
    let outcome = match &answer {
        Ok(answer) => Outcome::Answered {
            status: answer.head.status.as_u16(),
            retry_after: None,
        },
        Err(Failed::Peer(error)) => Outcome::Failed(error.failure),
        Err(Failed::Client | Failed::Exhausted(_) | Failed::NoTunnel | Failed::Total(_)) => {
            Outcome::Local
        }
    };
    let class = lb::classify(&outcome);
    pick.settle(class.verdict, thread.clock.now(), thread.clock.entropy());
    if class.fast_check {
        group.peer(peer).suspect();
    }
    let answer = answer.map_err(|failed| match failed {
        Failed::Peer(error) => ProxyError::Attempt(error),
        Failed::Exhausted(error) => ProxyError::Exhausted(error.into()),
        Failed::Client => ProxyError::Hook("the request has no body to send"),
        Failed::NoTunnel => ProxyError::Hook("the peer makes no tunnels"),
        Failed::Total(_) => ProxyError::Total(lb::Delivery::Unknown),
    })?;
    Ok(Exchanged {
        head: answer.head,
        body: Box::new(Incoming {
            connection: Some(answer.connection),
            keep: (thread, group, peer),
            pick,
        }),
        unread: Bytes::new(),
    })
}

/// A body on its way to the hooks.
trait Pieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, AnswerError>>>;

    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// The body of an answer on its connection.
struct Incoming<N: Network, H: Hooks> {
    /// None once it has ended.
    connection: Option<Connection<N::Stream>>,
    /// Where the connection goes then.
    keep: (Rc<Thread<N, H>>, Arc<Group>, PeerIndex),
    /// The peer has this much to do.
    pick: Pick,
}

impl<N: Network, H: Hooks> Pieces for Incoming<N, H> {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, AnswerError>>> {
        loop {
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(None);
            };
            let Some(frame) = ready!(connection.poll_frame(cx)) else {
                let (thread, group, peer) = &self.keep;
                if let Some(connection) = self.connection.take() {
                    keep(thread, group, *peer, connection);
                }
                return Poll::Ready(None);
            };
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(data)) => return Poll::Ready(Some(Ok(data))),
                // Trailers say nothing here.
                Ok(Err(_)) => {}
                Err(_) => {
                    self.connection = None;
                    return Poll::Ready(Some(Err(AnswerError::Cut)));
                }
            }
        }
    }
}
