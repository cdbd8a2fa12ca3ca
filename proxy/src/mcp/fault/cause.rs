//! What goes wrong, and how a client is told.

use std::time::Duration;

use http::StatusCode;

use crate::mcp::Mismatch;

/// Why a request has no answer from a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The peer answered with an error of its own (5xx), or with something that is not HTTP.
    BadAnswer,
    /// Host or Origin is not one that may come here.
    Forbidden,
    /// Headers and body disagree.
    Mismatch(Mismatch),
    /// No peer is usable.
    NoPeer,
    /// A limit of ours or of the peers is reached.
    Overloaded,
    /// The peer that the request goes back to cannot be reached (rule 26).
    OwnerLost,
    /// The connection to the peer broke after the request went out.
    PeerLost,
    /// It is about things of several peers, and can go to one.
    Scattered,
    /// The peer the MCP session lived on is lost, and with it the session. Only while nothing of
    /// the request was sent: afterwards it is [`Cause::PeerLost`].
    SessionLost,
    /// The peer did not answer in time.
    Timeout,
    /// The MCP session id is not one of ours for this group and principal (rule 3).
    UnknownSession,
    /// It goes on with what no peer of the group gave.
    Unowned,
}

/// Whether a request has reached a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// Certainly not.
    NotSent,
    /// Perhaps.
    Unknown,
}

/// A failure, as the client is told of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// What went wrong.
    pub cause: Cause,
    /// Whether the request has reached a peer.
    pub delivery: Delivery,
    /// When trying again makes sense, if that is known.
    pub retry_after: Option<Duration>,
}

impl Cause {
    /// The JSON-RPC code. All but the protocol's own lie outside -32768..-32000 (rule 21):
    ///
    /// | code | cause |
    /// |---|---|
    /// | -31001 | no peer is usable |
    /// | -31002 | the connection to the peer broke after the request went out |
    /// | -31003 | the peer did not answer in time |
    /// | -31004 | a limit is reached |
    /// | -31005 | the MCP session is unknown or lost |
    /// | -31006 | the peer failed |
    /// | -31007 | Host or Origin refused |
    /// | -31008 | the peer that the request goes back to cannot be reached |
    /// | -32020 | headers and body disagree (MCP 2026-07-28 `HeaderMismatch`) |
    /// | -32602 | a cursor, state or task of nobody here, or tasks of several (JSON-RPC 2.0) |
    pub fn code(self) -> i32 {
        match self {
            Self::BadAnswer => -31006,
            Self::Forbidden => -31007,
            Self::Mismatch(_) => -32020,
            Self::NoPeer => -31001,
            Self::OwnerLost => -31008,
            Self::Overloaded => -31004,
            Self::PeerLost => -31002,
            Self::SessionLost | Self::UnknownSession => -31005,
            Self::Timeout => -31003,
            // What a server says of a cursor it does not know (MCP "Pagination").
            Self::Scattered | Self::Unowned => -32602,
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::BadAnswer => "the server failed",
            Self::Forbidden => "this Host or Origin may not come here",
            Self::Mismatch(mismatch) => mismatch.message(),
            Self::NoPeer => "no server is available",
            Self::Overloaded => "too many requests",
            Self::OwnerLost => "the server that this belongs to is not available",
            Self::PeerLost => "the connection to the server broke",
            Self::Scattered => "these tasks are on several servers: listen for those of each alone",
            Self::SessionLost | Self::UnknownSession => "session not found",
            Self::Timeout => "the server did not answer in time",
            Self::Unowned => "this belongs to no server here",
        }
    }

    /// The error of `Proxy-Status` (RFC 9209 §2.3).
    pub(super) fn proxy_error(self) -> &'static str {
        match self {
            Self::BadAnswer => "backstay; error=http_protocol_error",
            Self::Forbidden => "backstay; error=http_request_denied",
            Self::Mismatch(_)
            | Self::Scattered
            | Self::SessionLost
            | Self::UnknownSession
            | Self::Unowned => "backstay; error=http_request_error",
            Self::NoPeer | Self::OwnerLost => "backstay; error=destination_unavailable",
            Self::Overloaded => "backstay; error=connection_limit_reached",
            Self::PeerLost => "backstay; error=connection_terminated",
            Self::Timeout => "backstay; error=http_response_timeout",
        }
    }

    /// Whether the request itself was refused: no peer would have helped.
    pub(super) fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Forbidden
                | Self::Mismatch(_)
                | Self::Scattered
                | Self::UnknownSession
                | Self::Unowned
        )
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_temporary(self) -> bool {
        !self.is_refusal() && self != Self::SessionLost
    }
}

impl Fault {
    pub(super) fn status(&self) -> StatusCode {
        match self.cause {
            Cause::Forbidden => StatusCode::FORBIDDEN,
            Cause::Mismatch(_) | Cause::Scattered | Cause::Unowned => StatusCode::BAD_REQUEST,
            Cause::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            // Rule 3: for every reason the same 404.
            Cause::SessionLost | Cause::UnknownSession => StatusCode::NOT_FOUND,
            Cause::Timeout => StatusCode::GATEWAY_TIMEOUT,
            // 502 and 503 mean the same to every client; only 503 may say when to come back.
            Cause::BadAnswer | Cause::NoPeer | Cause::OwnerLost | Cause::PeerLost => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Whether the client may send the same request again without harm.
    pub(super) fn is_retryable(&self) -> bool {
        self.delivery == Delivery::NotSent && self.cause.is_temporary()
    }
}
