//! A legacy stream on its way to its client.

use super::endpoint::Begun;
use super::stream::Phase;
use super::{Endpoint, LegacyStream};
use crate::hooks::{Stop, Transform, Word};
use crate::mcp::events::{Cut, Events, event, message};
use crate::mcp::{Message, generation};
use crate::settings::PeerLoss;
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A legacy stream on its way to its client; an event stream of any other kind goes by untouched.
pub(in crate::gateway) struct Body {
    /// Until its first event has gone by, on the first peer.
    endpoint: Option<Box<Endpoint>>,
    stream: Arc<LegacyStream>,
    generation: u32,
    events: Events,
    on_loss: PeerLoss,
}

impl Body {
    /// A stream that a client has opened.
    pub(in crate::gateway) fn opened(endpoint: Endpoint, on_loss: PeerLoss) -> Self {
        Self {
            stream: Arc::clone(&endpoint.stream),
            endpoint: Some(Box::new(endpoint)),
            generation: 1,
            events: Events::default(),
            on_loss,
        }
    }

    /// Another peer's, which goes on behind it.
    pub(in crate::gateway) fn reopened(stream: &Arc<LegacyStream>) -> Self {
        let (_, place) = stream.phase();
        Self {
            endpoint: None,
            stream: Arc::clone(stream),
            generation: place.generation,
            events: Events::default(),
            on_loss: PeerLoss::Migrate,
        }
    }

    fn is_legacy(&self) -> bool {
        self.stream.phase().0 != Phase::New
    }

    /// Whole events of a legacy stream, as its client gets them.
    fn relay(&mut self, piece: &[u8]) -> Bytes {
        self.events.push(piece);
        let mut out = BytesMut::new();
        while let Some(cut) = self.events.cut() {
            match cut {
                Cut::Event(whole) => out.extend_from_slice(&self.seen(whole)),
                Cut::Part(part) => out.extend_from_slice(&part),
            }
        }
        out.freeze()
    }

    /// Notes what an event says.
    fn seen(&self, whole: Bytes) -> Bytes {
        let Some(data) = message(&whole) else {
            return whole;
        };
        match Message::peek(data.as_bytes()) {
            Message::Response { id } => self.stream.answered(id.as_ref(), data.as_bytes()),
            Message::Request(request) if self.generation > 1 => {
                // Rule 11: the peers number their requests alike.
                self.stream
                    .server_asks(&generation::tag_id(request.id.json(), self.generation));
                if let Some(tagged) = generation::request(&data, self.generation) {
                    return event(&tagged);
                }
            }
            Message::Request(request) => self.stream.server_asks(request.id.json()),
            Message::Batch(_) | Message::Invalid | Message::Notification { .. } => {}
        }
        whole
    }
}

impl Transform for Body {
    fn data(&mut self, piece: Bytes) -> Bytes {
        let Some(endpoint) = &mut self.endpoint else {
            return if self.is_legacy() {
                self.relay(&piece)
            } else {
                piece
            };
        };
        match endpoint.push(piece) {
            Begun::Pass(piece) => piece,
            Begun::Legacy(first, rest) => {
                self.endpoint = None;
                let rest = self.relay(&rest);
                [first, rest].concat().into()
            }
        }
    }

    fn goes_on(&self, stop: Stop) -> bool {
        // A server that ends the stream has ended everything: there is no way to resume it, so
        // this is how one goes that stops in order (MCP 2024-11-05 "HTTP with SSE"). Before it was
        // told anything nothing is lost, and the end is its answer.
        let lost = stop == Stop::Cut || self.stream.is_begun();
        let moves = self.on_loss == PeerLoss::Migrate && self.is_legacy();
        lost && moves && self.stream.can_move()
    }

    fn poll_word(&mut self, cx: &mut Context<'_>) -> Poll<Word> {
        if self.events.is_passing() && self.stream.phase().0 == Phase::Moving {
            // The last peer was in the middle of an event: it becomes one that clients pass over
            // (WHATWG HTML §9.2.6).
            self.events = Events::default();
            return Poll::Ready(Word::Say(Bytes::from_static(SEAM)));
        }
        if self.events.is_passing() || !self.is_legacy() {
            return Poll::Pending;
        }
        self.stream.poll_word(cx, self.generation)
    }

    fn end(&mut self) -> Option<Bytes> {
        let held = match &mut self.endpoint {
            Some(endpoint) => endpoint.finish(),
            None => self.events.finish(),
        };
        let all: Bytes = [held, self.cut().unwrap_or_default()].concat().into();
        (!all.is_empty()).then_some(all)
    }

    fn cut(&mut self) -> Option<Bytes> {
        if !self.is_legacy() {
            return None;
        }
        let seam: &[u8] = if self.events.is_passing() { SEAM } else { b"" };
        Some([seam, &self.stream.last_words()].concat().into())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

const SEAM: &[u8] = b"\nevent: incomplete\n\n";
