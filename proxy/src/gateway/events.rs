//! What is changed in the event streams of HTTP+SSE (MCP 2024-11-05).

use crate::hooks::Transform;
use crate::mcp::endpoint::{self, EndpointStage, Step};
use crate::mcp::{Principal, token};
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::sync::Arc;

/// Puts an address of ours into the first event of a legacy stream (HTTP+SSE, 2024-11-05).
pub(super) struct Endpoint {
    pub(super) stage: EndpointStage,
    pub(super) snapshot: Arc<super::Snapshot>,
    pub(super) group: String,
    pub(super) peer: String,
    /// The path of the stream on the peer.
    pub(super) stream: String,
    /// The path of the route.
    pub(super) prefix: String,
    pub(super) principal: Option<Principal>,
    pub(super) nonce: [u8; 12],
    pub(super) asker: Asker,
}

/// Whether who asked for a stream may have one that turns out to be MCP (rule 27).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asker {
    /// Host and Origin may come here.
    Admitted,
    /// They may not; a plain stream is none of MCP's business, and passes.
    Foreign,
    /// They may not, and it was a legacy stream: nothing more of it passes.
    Refused,
}

impl Endpoint {
    /// The event with our address; none if the peer's is none.
    fn event(&self, uri: &str) -> Option<Bytes> {
        let path = token::resolve(uri, &self.stream)?;
        let to = token::Target {
            peer: self.peer.clone(),
            path,
        };
        let keys = &self.snapshot.keys;
        let sealed =
            token::seal(keys, &to, &self.group, self.principal.as_ref(), self.nonce).ok()?;
        Some(endpoint::event(&token::endpoint_for(&sealed, &self.prefix)))
    }
}

impl Transform for Endpoint {
    fn data(&mut self, piece: Bytes) -> Bytes {
        if self.asker == Asker::Refused {
            return Bytes::new();
        }
        match self.stage.push(piece) {
            Step::Pass(piece) => piece,
            Step::Endpoint { .. } if self.asker == Asker::Foreign => {
                // What kind of stream it is shows only now, when its head has gone downstream.
                self.asker = Asker::Refused;
                Bytes::from_static(REFUSAL)
            }
            Step::Endpoint { before, uri, after } => {
                let event = self.event(&uri).unwrap_or_default();
                let mut all = BytesMut::with_capacity(before.len() + event.len() + after.len());
                for part in [before, event, after] {
                    all.extend_from_slice(&part);
                }
                all.freeze()
            }
        }
    }

    fn end(&mut self) -> Option<Bytes> {
        let held = self.stage.finish();
        (!held.is_empty()).then_some(held)
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
