//! The chunked transfer coding (RFC 9112 §7.1), from bytes.

use super::super::connection::HeadLimits;
use super::body::Step;
use super::fault::Fault;
use super::trailers;
use bytes::{Buf as _, BytesMut};
use memchr::memmem;

/// A body in chunks, between two pieces of it.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    /// Bytes of extensions so far: nobody uses them but to hide (CVE-2023-39326).
    extensions: usize,
    limits: HeadLimits,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a chunk, of which so much is left.
    Data(u64),
    /// After the data of a chunk.
    DataCr,
    DataLf,
    /// In what follows the size of a chunk.
    Extension(u64),
    /// Spaces after the size.
    Space(u64),
    /// In the size, after so many digits.
    Size(u64, u8),
    SizeLf(u64),
    /// After the last chunk; so many bytes hold no end of the trailers.
    Trailers(usize),
}

impl Chunked {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self {
            state: State::Size(0, 0),
            extensions: 0,
            limits,
        }
    }

    /// Takes the next piece from the front of what was read.
    pub(super) fn step(&mut self, buffer: &mut BytesMut) -> Result<Step, Fault> {
        let mut framing = 0;
        for byte in buffer.iter() {
            if matches!(self.state, State::Data(_) | State::Trailers(_)) {
                break;
            }
            self.state = self.frame(*byte)?;
            framing += 1;
        }
        buffer.advance(framing);
        match self.state {
            _ if buffer.is_empty() => Ok(Step::More),
            State::Data(left) => {
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                let piece = buffer.split_to(most.min(buffer.len())).freeze();
                self.state = match left - piece.len() as u64 {
                    0 => State::DataCr,
                    left => State::Data(left),
                };
                Ok(Step::Data(piece))
            }
            State::Trailers(seen) => self.trailers(buffer, seen),
            _ => Ok(Step::More),
        }
    }

    /// What a byte outside of data means.
    fn frame(&mut self, byte: u8) -> Result<State, Fault> {
        Ok(match (self.state, byte) {
            (State::Size(size, digits), _) if byte.is_ascii_hexdigit() => {
                // Sixteen digits fill 64 bits; leading zeros beyond them help nobody.
                if digits == 16 {
                    return Err(Fault::Chunk);
                }
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                State::Size(size << 4 | digit, digits + 1)
            }
            (State::Size(_, 0), _) => return Err(Fault::Chunk),
            (State::Size(size, _) | State::Space(size) | State::Extension(size), b'\r') => {
                State::SizeLf(size)
            }
            // Some servers pad the size; `BWS` (§7.1.1) allows it before an extension.
            (State::Size(size, _) | State::Space(size), b' ' | b'\t') => {
                self.extension(size)?;
                State::Space(size)
            }
            // No line ends here by a bare LF, and no control character means anything.
            (State::Size(size, _) | State::Space(size), b';')
            | (State::Extension(size), b'\t' | b' '..=b'~' | 0x80..) => self.extension(size)?,
            (State::SizeLf(0), b'\n') => State::Trailers(0),
            (State::SizeLf(size), b'\n') => State::Data(size),
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size(0, 0),
            _ => return Err(Fault::Chunk),
        })
    }

    fn extension(&mut self, size: u64) -> Result<State, Fault> {
        self.extensions += 1;
        if self.extensions > self.limits.extensions {
            return Err(Fault::Extensions);
        }
        Ok(State::Extension(size))
    }

    /// The trailer section: nothing, or fields, and an empty line.
    fn trailers(&mut self, buffer: &mut BytesMut, seen: usize) -> Result<Step, Fault> {
        match buffer.get(..2) {
            Some(b"\r\n") => {
                buffer.advance(2);
                return Ok(Step::End);
            }
            None if buffer.starts_with(b"\r") => return Ok(Step::More),
            _ => {}
        }
        // The end may lie across what was looked at.
        let from = seen.saturating_sub(END.len() - 1);
        let unseen = buffer.get(from..).unwrap_or_default();
        let Some(at) = memmem::find(unseen, END) else {
            if buffer.len() > self.limits.trailers {
                return Err(Fault::TrailersSize);
            }
            self.state = State::Trailers(buffer.len());
            return Ok(Step::More);
        };
        let size = from + at + END.len();
        if size > self.limits.trailers {
            return Err(Fault::TrailersSize);
        }
        let section = buffer.split_to(size).freeze();
        let fields = trailers::decode(&section, self.limits.headers)?;
        Ok(if fields.is_empty() {
            Step::End
        } else {
            Step::Trailers(fields)
        })
    }
}

const END: &[u8] = b"\r\n\r\n";
