//! What of an answer ties the next request to its peer.

use crate::gateway::Snapshot;
use crate::gateway::ctx::Ctx;
use crate::group::Group;
use crate::hooks::{Attempt, Prefix, Reply, ResponseAction};
use crate::mcp::events::{self, Cut, Events};
use crate::mcp::tied;
use bytes::{Bytes, BytesMut};
use http::header;
use http::response::Parts;
use lb::PeerIndex;
use std::fmt;
use std::sync::Arc;

/// An answer in JSON with the mark of its peer; none if it goes as it is.
pub(in crate::gateway) fn marked(
    attempt: &Attempt<'_>,
    head: &Parts,
    prefix: &Prefix<'_>,
    ctx: &Ctx,
) -> Option<ResponseAction> {
    let issuer = Issuer::of(attempt, ctx)?;
    if !prefix.ended {
        issuer.group.metrics.ties_unread.increment();
        return None;
    }
    let text = std::str::from_utf8(prefix.bytes).ok()?;
    let body = issuer.look(text)?;
    let mut reply = Reply::new(Bytes::from(body));
    *reply.status_mut() = head.status;
    reply.headers_mut().clone_from(&head.headers);
    reply.headers_mut().remove(header::CONTENT_LENGTH);
    Some(ResponseAction::Replace(reply))
}

/// An event stream on its way to a client, with the mark of its peer where one belongs.
#[derive(Debug)]
pub(in crate::gateway) struct Marking {
    events: Events,
    issuer: Issuer,
}

impl Marking {
    /// For the answer of an attempt; none if nothing ties it.
    pub(in crate::gateway) fn of(attempt: &Attempt<'_>, ctx: &Ctx) -> Option<Self> {
        Some(Self {
            events: Events::default(),
            issuer: Issuer::of(attempt, ctx)?,
        })
    }

    /// The next piece of the stream; what of it can go on.
    pub(in crate::gateway) fn push(&mut self, piece: &[u8]) -> Bytes {
        self.events.push(piece);
        let mut out = BytesMut::new();
        while let Some(cut) = self.events.cut() {
            let event = match cut {
                Cut::Event(event) => event,
                Cut::Part(part) => {
                    out.extend_from_slice(&part);
                    continue;
                }
            };
            let marked = events::message(&event).and_then(|message| self.issuer.look(&message));
            match marked.and_then(|message| events::with(&event, &message)) {
                Some(marked) => out.extend_from_slice(marked.as_bytes()),
                None => out.extend_from_slice(&event),
            }
        }
        out.freeze()
    }

    /// What is left when the stream has ended.
    pub(in crate::gateway) fn finish(&mut self) -> Bytes {
        self.events.finish()
    }
}

/// The peer that answers, for the marks it gets.
pub(in crate::gateway) struct Issuer {
    snapshot: Arc<Snapshot>,
    group: Arc<Group>,
    peer: PeerIndex,
    most_tasks: usize,
}

impl Issuer {
    /// The peer of an attempt; none if its answers tie nothing.
    fn of(attempt: &Attempt<'_>, ctx: &Ctx) -> Option<Self> {
        let tied = ctx.mcp.as_ref()?.tied;
        tied.then_some(Self {
            snapshot: Arc::clone(&ctx.snapshot),
            group: Arc::clone(ctx.group.as_ref()?),
            peer: attempt.peer,
            most_tasks: attempt.session.limits.mcp_tasks,
        })
    }

    /// Remembers the task a message tells of, and gives back the message with the mark of its peer
    /// if it needs one.
    fn look(&self, message: &str) -> Option<String> {
        let peer = self.group.peer_name(self.peer);
        if let Some(task) = tied::task(message) {
            self.group.learn_task(&task, peer, self.most_tasks);
        }
        tied::wrap(message, || {
            tied::mark(&self.snapshot.keys, self.group.name(), peer).ok()
        })
    }
}

/// The snapshot holds keys.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
