//! What went by on an event stream.

use bytes::Bytes;
use memchr::memchr2;

use super::fault::{self, Fault, Position, Primed};
use super::glimpse::{Glimpse, glimpse};
use super::rewriter::progress;
use super::{Era, Id};

/// Watches an event stream go by, in pieces of any size, without touching it. Keeps some hundred
/// bytes, however long lines and events are.
#[derive(Debug)]
pub struct Scanner {
    /// The requests whose responses have not gone by.
    awaited: Vec<Id<'static>>,
    /// Responses whose id lay beyond what is kept.
    unnamed: usize,
    /// Where the stream is.
    line: Line,
    event: Event,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
    /// Nothing but the first line may begin with a byte order mark.
    first_line: bool,
    last_event_id: Vec<u8>,
    primed: Primed,
    progress: Option<f64>,
}

/// How an event stream ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The peer is gone: the body was cut.
    Broken,
    /// The peer closed it: the body is complete.
    Clean,
}

/// The line that is going by.
#[derive(Debug, Default)]
struct Line {
    head: Vec<u8>,
    len: usize,
}

/// The event that is going by.
#[derive(Debug, Default)]
struct Event {
    /// It has a complete line.
    begun: bool,
    /// How many `data` lines it has.
    data_lines: usize,
    /// What its data begins with.
    data: Vec<u8>,
    /// There was more data.
    cut: bool,
    /// It carries a message, not something of another type.
    foreign: bool,
    id: Option<Vec<u8>>,
}

impl Scanner {
    /// A scanner at the beginning of a stream that answers these requests.
    pub fn new(awaited: Vec<Id<'static>>) -> Self {
        Self {
            awaited,
            unnamed: 0,
            line: Line::default(),
            event: Event::default(),
            after_cr: false,
            first_line: true,
            last_event_id: Vec::new(),
            primed: Primed::No,
            progress: None,
        }
    }

    /// Notes the next bytes. Lines end with LF, CR LF or CR (WHATWG HTML §9.2.5).
    pub fn scan(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some((&first, tail)) = rest.split_first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                rest = tail;
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                self.line.extend(rest);
                return;
            };
            let (line, tail) = rest.split_at(end);
            self.line.extend(line);
            self.end_line();
            if let Some((ending, tail)) = tail.split_first() {
                self.after_cr = *ending == b'\r';
                rest = tail;
            }
        }
    }

    /// The progress told last (MCP 2025-11-25 "Progress"); none if none was.
    pub fn progress(&self) -> Option<f64> {
        self.progress
    }

    /// Whether its clean end now means that the client is to poll: a server may close after an
    /// event id (MCP 2025-11-25 "Sending Messages to the Server"). Resumption ended with the
    /// legacy era (MCP 2026-07-28 changelog).
    pub fn polls(&self, era: Era) -> bool {
        era == Era::Legacy && self.primed == Primed::Yes
    }

    /// Where in the stream it is.
    pub fn position(&self) -> Position {
        if self.line.len > 0 {
            Position::InLine
        } else if self.event.begun {
            Position::InEvent
        } else {
            Position::Boundary
        }
    }

    /// Whether a client would resume the stream.
    pub fn primed(&self) -> Primed {
        self.primed
    }

    /// The last id an event carried; none if there was none or it was very long.
    pub fn last_event_id(&self) -> Option<&[u8]> {
        (!self.last_event_id.is_empty()).then_some(&self.last_event_id)
    }

    /// The requests whose responses have not gone by. Where the id of a response lies behind a
    /// long result it is not seen: such a response counts for one of the requests, and as long as
    /// others are open all are named.
    pub fn unanswered(&self) -> &[Id<'static>] {
        if self.unnamed >= self.awaited.len() {
            &[]
        } else {
            &self.awaited
        }
    }

    /// What is to be sent after the last byte of the stream (rule 13); none if nothing is.
    pub fn last_words(&self, era: Era, end: End, fault: &Fault) -> Option<Bytes> {
        let ids = self.unanswered();
        // Resumption ended with the legacy era (MCP 2026-07-28 changelog).
        let primed = match era {
            Era::Legacy => self.primed,
            Era::Modern => Primed::No,
        };
        let polls = end == End::Clean && self.polls(era);
        (!ids.is_empty() && !polls)
            .then(|| fault::sse_error_event(ids, fault, self.position(), primed))
    }

    fn end_line(&mut self) {
        let mut head = &self.line.head[..];
        if std::mem::take(&mut self.first_line)
            && let Some(rest) = head.strip_prefix(BYTE_ORDER_MARK)
        {
            self.line.len -= BYTE_ORDER_MARK.len();
            head = rest;
        }
        if self.line.len == 0 {
            self.end_event();
        } else if head.first() != Some(&b':') {
            let cut = self.line.len > head.len();
            self.event.field(head, cut, !self.awaited.is_empty());
        }
        self.line.head.clear();
        self.line.len = 0;
    }

    fn end_event(&mut self) {
        let event = &mut self.event;
        // Clients drop an event without data, and its id with it.
        if event.data_lines > 0 {
            if let Some(id) = event.id.take() {
                self.primed = Primed::Yes;
                self.last_event_id = id;
            }
            if !event.foreign && !self.awaited.is_empty() {
                match glimpse(&event.data, event.cut) {
                    Glimpse::Other => {
                        let told = std::str::from_utf8(&event.data).ok().and_then(progress);
                        self.progress = told.or(self.progress);
                    }
                    Glimpse::Responses(ids) => {
                        self.awaited
                            .retain(|mine| !ids.iter().any(|id| mine.names_same(id)));
                    }
                    // A batch answers a batch whole (MCP 2025-03-26 "Batching").
                    Glimpse::UnnamedBatch => self.awaited.clear(),
                    Glimpse::UnnamedResponse => self.unnamed += 1,
                }
            }
        }
        event.reset();
    }
}

impl Line {
    fn extend(&mut self, bytes: &[u8]) {
        let room = LINE_HEAD.saturating_sub(self.head.len());
        self.head
            .extend_from_slice(bytes.split_at(room.min(bytes.len())).0);
        self.len = self.len.saturating_add(bytes.len());
    }
}

impl Event {
    /// Notes a field: the head of its line, and whether the line was longer.
    fn field(&mut self, head: &[u8], cut: bool, wants_data: bool) {
        self.begun = true;
        let (name, value) = split_field(head);
        match name {
            b"data" => {
                self.data_lines += 1;
                if wants_data {
                    if self.data_lines > 1 {
                        self.extend(b"\n");
                    }
                    self.extend(value);
                }
            }
            // WHATWG HTML §9.2.6: an id with NUL is ignored. An empty one takes the id back, and
            // with it nothing that could be resumed.
            b"id" if !value.contains(&0) && !value.is_empty() => {
                // The head of an id is not an id.
                self.id = Some(if cut { Vec::new() } else { value.to_vec() });
            }
            b"event" => self.foreign = !value.is_empty() && value != b"message",
            _ => {}
        }
    }

    /// Keeps the beginning of the data; what does not fit makes it `cut`.
    fn extend(&mut self, bytes: &[u8]) {
        if self.cut {
            return;
        }
        let room = DATA_HEAD.saturating_sub(self.data.len());
        self.cut = bytes.len() > room;
        self.data
            .extend_from_slice(bytes.split_at(room.min(bytes.len())).0);
    }

    fn reset(&mut self) {
        self.data.clear();
        *self = Self {
            data: std::mem::take(&mut self.data),
            ..Self::default()
        };
    }
}

/// The name and the value of a field (WHATWG HTML §9.2.6): one space after the colon is no part
/// of the value.
pub(super) fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return (line, b"");
    };
    let (name, value) = line.split_at(colon);
    let value = value.strip_prefix(b":").unwrap_or(value);
    (name, value.strip_prefix(b" ").unwrap_or(value))
}

/// What a stream may begin with.
pub(super) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How much of an event's data is kept: enough for the keys before a result, and for most
/// notifications whole.
const DATA_HEAD: usize = 256;

/// How much of a line is kept: the data with its field name, a byte order mark, and more, so that
/// a line that does not fit has more data than fits.
const LINE_HEAD: usize = DATA_HEAD + 16;
