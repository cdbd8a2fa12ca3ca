//! The body of a response, from bytes.

use super::super::connection::HeadLimits;
use super::chunked::Chunked;
use super::fault::Fault;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;

/// What is left of the body of a response (RFC 9112 §6).
#[derive(Debug)]
pub(super) enum Body {
    /// In chunks.
    Chunked(Box<Chunked>),
    /// Nothing.
    Done,
    /// So many bytes, at least one.
    Length(u64),
    /// All that comes until the connection ends.
    UntilClose,
}

/// What the bytes at hand come to.
#[derive(Debug)]
pub(super) enum Step {
    /// A piece of the body.
    Data(Bytes),
    /// The body has ended.
    End,
    /// More bytes are needed.
    More,
    /// The body has ended with trailers.
    Trailers(HeaderMap),
}

impl Body {
    pub(super) fn chunked(limits: HeadLimits) -> Self {
        Self::Chunked(Box::new(Chunked::new(limits)))
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Takes the next piece from the front of what was read.
    pub(super) fn step(&mut self, buffer: &mut BytesMut) -> Result<Step, Fault> {
        match self {
            Self::Chunked(chunked) => {
                let step = chunked.step(buffer)?;
                if matches!(step, Step::End | Step::Trailers(_)) {
                    *self = Self::Done;
                }
                Ok(step)
            }
            Self::Done => Ok(Step::End),
            Self::Length(_) | Self::UntilClose if buffer.is_empty() => Ok(Step::More),
            Self::Length(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let piece = buffer.split_to(most.min(buffer.len())).freeze();
                *left -= piece.len() as u64;
                if *left == 0 {
                    *self = Self::Done;
                }
                Ok(Step::Data(piece))
            }
            Self::UntilClose => Ok(Step::Data(buffer.split().freeze())),
        }
    }

    /// The connection has ended, with all that was read consumed.
    pub(super) fn ended(&mut self) -> Result<(), Fault> {
        match self {
            Self::Done | Self::UntilClose => {
                *self = Self::Done;
                Ok(())
            }
            // RFC 9112 §8: what stops short is incomplete.
            Self::Chunked(_) | Self::Length(_) => Err(Fault::Ended),
        }
    }
}
