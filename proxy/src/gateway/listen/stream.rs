//! A listener's stream on its way downstream.

use super::Listen;
use crate::clock::Clock;
use crate::drain::Step;
use crate::gateway::continuity::Track;
use crate::gateway::ctx::Mcp;
use crate::group::Group;
use crate::hooks::{Attempt, Stop, Transform};
use crate::mcp::events::{self, Cut, Events};
use crate::mcp::fault::{Cause, Delivery, Fault, Primed, sse_error_event};
use crate::mcp::listening::Acknowledged;
use crate::mcp::sse::Scanner;
use crate::mcp::{Asked, Message, tied};
use bytes::{Bytes, BytesMut};
use lb::{Admin, PeerIndex};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// A listener's stream on its way downstream. It goes on with another peer until its peer has
/// ended it in order.
pub(super) struct Listening {
    listen: Listen,
    asked: Asked,
    group: Arc<Group>,
    peer: PeerIndex,
    clock: Rc<Clock>,
    /// Another peer may go on with it.
    safe: bool,
    /// Its response has gone by.
    over: bool,
    most_tasks: usize,
    events: Events,
    /// What comes before anything else.
    before: Bytes,
    /// What comes in the place of the acknowledgement, which the client has.
    instead: Option<String>,
    scanner: Scanner,
    track: Track,
}

impl Listening {
    /// For the stream that a peer has opened.
    pub(super) fn new(
        attempt: &Attempt<'_>,
        group: Arc<Group>,
        mcp: &Mcp,
        listen: Listen,
        safe: bool,
    ) -> Self {
        Self {
            listen,
            asked: mcp.asked(),
            group,
            peer: attempt.peer,
            clock: Rc::clone(&attempt.session.clock),
            safe,
            over: false,
            most_tasks: attempt.session.limits.mcp_tasks,
            events: Events::default(),
            before: Bytes::from_static(mcp.track().seam()),
            instead: None,
            scanner: Scanner::new(Vec::new()),
            track: mcp.track().clone(),
        }
    }

    /// The same, with something in the place of the acknowledgement.
    pub(super) fn instead(self, instead: Option<String>) -> Self {
        Self { instead, ..self }
    }

    fn event(&mut self, event: &[u8], out: &mut BytesMut) {
        if let Some(message) = events::message(event) {
            if let Some(instead) = self.instead.take() {
                out.extend_from_slice(instead.as_bytes());
                return;
            }
            match Message::peek(message.as_bytes()) {
                // Rule 15: the peer goes, the subscription stays.
                Message::Response { .. } if self.safe && self.leaves() => return,
                Message::Response { .. } => self.over = true,
                Message::Notification { .. } => {
                    self.listen.promise(|| Acknowledged::peek(&message));
                    if let Some(task) = tied::task(&message) {
                        let peer = self.group.peer_name(self.peer);
                        self.group.learn_task(&task, peer, self.most_tasks);
                    }
                }
                Message::Batch(_) | Message::Invalid | Message::Request(_) => {}
            }
        }
        out.extend_from_slice(event);
    }

    /// Whether its peer is on its way out.
    fn leaves(&self) -> bool {
        let view = || self.group.lb.view(self.clock.now()).peers;
        let peer = usize::from(self.peer.0);
        self.listen.promised().is_some()
            && (self.group.peer(self.peer).drain.step() > Step::Serving
                || view()
                    .get(peer)
                    .is_some_and(|peer| peer.admin != Admin::Enabled))
    }
}

impl Transform for Listening {
    fn data(&mut self, piece: Bytes) -> Bytes {
        self.events.push(&piece);
        let mut out = BytesMut::from(&std::mem::take(&mut self.before)[..]);
        while let Some(cut) = self.events.cut() {
            match cut {
                Cut::Event(event) => self.event(&event, &mut out),
                Cut::Part(part) => out.extend_from_slice(&part),
            }
        }
        self.scanner.scan(&out);
        self.track.note(&self.scanner);
        out.freeze()
    }

    fn goes_on(&self, _stop: Stop) -> bool {
        self.safe && !self.over
    }

    /// The peer has ended it with its response, or the proxy itself leaves: then this is the
    /// response (MCP 2026-07-28 "Subscriptions": an end in order is told).
    fn end(&mut self) -> Option<Bytes> {
        if self.over || !self.safe {
            let held = self.events.finish();
            return (!held.is_empty()).then_some(held);
        }
        let promised = self.listen.promised()?;
        Some(Bytes::from(promised.ending()))
    }

    /// Nobody goes on with it: it ends without a result, so that its client listens anew. A client
    /// that was promised nothing yet still waits for an answer.
    fn cut(&mut self) -> Option<Bytes> {
        self.group.metrics.listens.closed.increment();
        if self.over || self.listen.promised().is_some() {
            return Some(Bytes::new());
        }
        let fault = Fault {
            cause: Cause::PeerLost,
            delivery: Delivery::Unknown,
            retry_after: None,
        };
        let position = self.scanner.position();
        Some(sse_error_event(
            self.asked.ids(),
            &fault,
            position,
            Primed::No,
        ))
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
