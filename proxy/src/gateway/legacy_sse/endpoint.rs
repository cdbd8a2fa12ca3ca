//! The first event of a legacy stream, which says where its messages go.

use super::stream::Place;
use super::{LegacyStream, Streams};
use crate::gateway::Snapshot;
use crate::gateway::continuity::Key;
use crate::mcp::endpoint::{self, EndpointStage, Step};
use crate::mcp::{Principal, token};
use bytes::Bytes;
use lb::Time;
use std::fmt;
use std::sync::Arc;

/// Puts an address of ours into the first event of a legacy stream.
pub(in crate::gateway) struct Endpoint {
    pub(in crate::gateway) stage: EndpointStage,
    pub(in crate::gateway) snapshot: Arc<Snapshot>,
    pub(in crate::gateway) group: String,
    pub(in crate::gateway) peer: String,
    /// Its path on the peer.
    pub(in crate::gateway) path: String,
    /// The path of the route.
    pub(in crate::gateway) prefix: String,
    pub(in crate::gateway) principal: Option<Principal>,
    pub(in crate::gateway) nonce: [u8; 12],
    pub(in crate::gateway) asker: Asker,
    /// What messages for the stream find, and among which.
    pub(in crate::gateway) stream: Arc<LegacyStream>,
    pub(in crate::gateway) streams: Arc<Streams>,
    pub(in crate::gateway) now: Time,
}

/// Whether who asked for a stream may have one that turns out to be MCP (rule 27).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::gateway) enum Asker {
    /// Host and Origin may come here.
    Admitted,
    /// They may not; a plain stream is none of MCP's business, and passes.
    Foreign,
    /// They may not, and it was a legacy stream: nothing more of it passes.
    Refused,
}

impl Endpoint {
    /// The event with our address, which messages may come to from now on; none if the peer's is none.
    fn event(&self, uri: &str) -> Option<Bytes> {
        let path = token::resolve(uri, &self.path)?;
        let to = token::Target {
            peer: self.peer.clone(),
            path,
        };
        let keys = &self.snapshot.keys;
        let sealed =
            token::seal(keys, &to, &self.group, self.principal.as_ref(), self.nonce).ok()?;
        let key = Key::of(&self.group, &to.peer, &to.path);
        self.streams.enter(key, &self.stream);
        let place = Place {
            generation: 1,
            peer: to.peer,
            path: to.path,
        };
        self.stream.came_to(place, self.now);
        Some(endpoint::event(&token::endpoint_for(&sealed, &self.prefix)))
    }
}

/// What becomes of a piece of a stream whose first event has not gone by.
pub(super) enum Begun {
    /// It is a legacy stream. Send the first; the second is the rest of it.
    Legacy(Bytes, Bytes),
    /// Send this.
    Pass(Bytes),
}

impl Endpoint {
    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: Bytes) -> Begun {
        if self.asker == Asker::Refused {
            return Begun::Pass(Bytes::new());
        }
        match self.stage.push(piece) {
            Step::Pass(piece) => Begun::Pass(piece),
            Step::Endpoint { .. } if self.asker == Asker::Foreign => {
                // What kind of stream it is shows only now, when its head has gone downstream.
                self.asker = Asker::Refused;
                Begun::Pass(Bytes::from_static(REFUSAL))
            }
            Step::Endpoint { before, uri, after } => match self.event(&uri) {
                Some(event) => Begun::Legacy([before, event].concat().into(), after),
                None => Begun::Pass([before, after].concat().into()),
            },
        }
    }

    /// What is left when the stream has ended.
    pub(super) fn finish(&mut self) -> Bytes {
        self.stage.finish()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// A comment: whoever looks at the stream sees why nothing comes.
const REFUSAL: &[u8] = b": this Host or Origin may not come here\n\n";
