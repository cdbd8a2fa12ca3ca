//! What is wrong with the bytes of a peer.

use crate::metrics::{Counter, LimitMetrics};
use std::fmt;

/// What is wrong with the bytes of a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// A chunk that is not one.
    Chunk,
    /// A transfer coding other than one `chunked`, or in HTTP/1.0.
    Coding,
    /// The connection ended in the middle.
    Ended,
    /// Chunk extensions beyond any use.
    Extensions,
    /// More fields than allowed.
    Fields,
    /// A head that is not one.
    Head,
    /// A head larger than allowed.
    HeadSize,
    /// More interim responses than allowed.
    Interim,
    /// A length that is no number, or more than one way to tell the length.
    Length,
    /// Trailers that are none.
    Trailers,
    /// Trailers larger than allowed.
    TrailersSize,
    /// A switch of protocols that was not asked for.
    Upgrade,
}

impl Fault {
    /// What counts the limit that was exceeded, if it was one.
    pub(crate) fn counter(self, limits: &LimitMetrics) -> Option<&Counter> {
        match self {
            Self::Extensions => Some(&limits.chunk_extensions),
            Self::Fields | Self::HeadSize => Some(&limits.upstream_head),
            Self::Interim => Some(&limits.interim_responses),
            Self::TrailersSize => Some(&limits.trailers),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chunk => "a malformed chunk",
            Self::Coding => "a transfer coding that is not `chunked`",
            Self::Ended => "the connection ended in the middle of the response",
            Self::Extensions => "too many chunk extensions",
            Self::Fields => "too many header fields",
            Self::Head => "a malformed response head",
            Self::HeadSize => "the response head is too large",
            Self::Interim => "too many interim responses",
            Self::Length => "the length of the response is ambiguous",
            Self::Trailers => "malformed trailers",
            Self::TrailersSize => "the trailers are too large",
            Self::Upgrade => "an upgrade that was not asked for",
        })
    }
}

impl std::error::Error for Fault {}
