//! The first event of a legacy event stream (HTTP+SSE, 2024-11-05).

use bytes::{BufMut as _, Bytes, BytesMut};

use super::sse::{BYTE_ORDER_MARK, split_field};

/// Looks for `event: endpoint` at the beginning of an event stream, which makes it a legacy one.
/// Every piece of the body goes through it. What comes before the first event is passed on at
/// once, the first event is held until it is complete, the rest is not touched.
#[derive(Debug, Default)]
pub struct EndpointStage {
    held: BytesMut,
    state: State,
}

/// What becomes of a piece of the body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// The stream is a legacy one. Send `before`, then [`event`] with an address of ours, then
    /// `after`.
    Endpoint {
        /// What came before the event.
        before: Bytes,
        /// The address in the event.
        uri: String,
        /// What came after the event.
        after: Bytes,
    },
    /// Send this; it may be empty.
    Pass(Bytes),
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// At the very beginning.
    #[default]
    Start,
    /// The first event has not begun.
    Before,
    /// The `endpoint` event ended with a CR: an LF now belongs to it.
    DoneAfterCr,
    /// The question is answered.
    Done,
}

impl EndpointStage {
    /// A stage at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of the body.
    pub fn push(&mut self, chunk: Bytes) -> Step {
        match self.state {
            State::Done => return Step::Pass(chunk),
            State::DoneAfterCr => {
                if !chunk.is_empty() {
                    self.state = State::Done;
                }
                let rest = chunk.strip_prefix(b"\n").unwrap_or(&chunk);
                return Step::Pass(chunk.slice_ref(rest));
            }
            State::Start | State::Before => {}
        }
        self.held.put(chunk);
        let before = self.pass_preamble();
        match first_event(&self.held) {
            First::Endpoint {
                uri,
                len,
                ended_by_cr,
            } => {
                let after = self.held.split_off(len.min(self.held.len())).freeze();
                self.state = if ended_by_cr && after.is_empty() {
                    State::DoneAfterCr
                } else {
                    State::Done
                };
                self.held = BytesMut::new();
                Step::Endpoint { before, uri, after }
            }
            First::Incomplete if self.held.len() <= MAX_EVENT => Step::Pass(before),
            First::Incomplete | First::Other => {
                self.state = State::Done;
                Step::Pass(joined(before, self.finish()))
            }
        }
    }

    /// What is still held when the body ends.
    pub fn finish(&mut self) -> Bytes {
        self.state = State::Done;
        std::mem::take(&mut self.held).freeze()
    }

    /// Takes off what comes before the first event: a byte order mark, comments, blank lines.
    fn pass_preamble(&mut self) -> Bytes {
        let mut passed = 0;
        let mut rest = &self.held[..];
        if self.state == State::Start {
            if rest.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(rest) {
                return Bytes::new();
            }
            self.state = State::Before;
            if let Some(tail) = rest.strip_prefix(BYTE_ORDER_MARK) {
                passed += BYTE_ORDER_MARK.len();
                rest = tail;
            }
        }
        // An LF after a CR that has gone counts as one more blank line, which changes nothing.
        while let Some(line) = next_line(rest) {
            if !matches!(line.text.first(), None | Some(b':')) {
                break;
            }
            passed += line.len;
            rest = line.rest;
        }
        self.held.split_to(passed.min(self.held.len())).freeze()
    }
}

/// The event that names an address of ours.
pub fn event(uri: &str) -> Bytes {
    Bytes::from(format!("event: endpoint\ndata: {uri}\n\n"))
}

enum First {
    Endpoint {
        uri: String,
        len: usize,
        ended_by_cr: bool,
    },
    Incomplete,
    Other,
}

/// Reads the first event, which begins with the first byte.
fn first_event(held: &[u8]) -> First {
    let (mut rest, mut len) = (held, 0);
    let (mut is_endpoint, mut data) = (false, None::<Vec<u8>>);
    while let Some(line) = next_line(rest) {
        len += line.len;
        rest = line.rest;
        // Whatever the pieces, the same streams count as legacy ones.
        if len > MAX_EVENT {
            return First::Other;
        }
        if line.text.is_empty() {
            let uri = data.filter(|_| is_endpoint).map(String::from_utf8);
            let Some(Ok(uri)) = uri else {
                return First::Other;
            };
            return First::Endpoint {
                uri,
                len,
                ended_by_cr: line.ended_by_cr,
            };
        }
        match split_field(line.text) {
            (b"event", b"endpoint") => is_endpoint = true,
            // Nothing else is worth waiting for.
            (b"event", _) => return First::Other,
            (b"data", value) => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    First::Incomplete
}

struct Line<'a> {
    text: &'a [u8],
    /// With its end.
    len: usize,
    /// It ended with a CR, and an LF did not follow, or not yet.
    ended_by_cr: bool,
    rest: &'a [u8],
}

/// The next complete line; none if there is none.
fn next_line(bytes: &[u8]) -> Option<Line<'_>> {
    let end = memchr::memchr2(b'\n', b'\r', bytes)?;
    let (text, rest) = bytes.split_at(end);
    let (after_two, after_one) = (rest.strip_prefix(b"\r\n"), rest.split_first()?);
    let rest = after_two.unwrap_or(after_one.1);
    Some(Line {
        text,
        len: bytes.len() - rest.len(),
        ended_by_cr: after_two.is_none() && *after_one.0 == b'\r',
        rest,
    })
}

fn joined(before: Bytes, after: Bytes) -> Bytes {
    if before.is_empty() {
        return after;
    }
    let mut both = BytesMut::from(before);
    both.put(after);
    both.freeze()
}

/// The longest first event that is held. Servers send some hundred bytes.
const MAX_EVENT: usize = 4096;
