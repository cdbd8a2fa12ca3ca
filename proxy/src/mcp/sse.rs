//! What went by on an event stream.

use bytes::Bytes;
use memchr::{memchr2, memmem};

use super::fault::{self, Fault, Position, Primed};
use super::glimpse::{Glimpse, LONGEST_ID, glimpse, last_id};
use super::rewriter::progress;
use super::{Era, Id, Message, Method};

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
    watch: Watch,
    /// What the server has asked, oldest first.
    asked: Vec<Id<'static>>,
    /// How many of those are remembered.
    most: usize,
    /// How many of those are not.
    forgotten: u64,
}

/// Whether what the server asks and tells is of interest too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Watch {
    No,
    /// It has told that its tools have changed.
    ToolsChanged,
    Yes,
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
    /// What it ends with so far.
    tail: Vec<u8>,
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
    /// What its data ends with.
    tail: Vec<u8>,
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
            watch: Watch::No,
            asked: Vec::new(),
            most: 0,
            forgotten: 0,
        }
    }

    /// One that also notes what the server asks, the last `most` of it, and that its tools have
    /// changed.
    #[must_use]
    pub fn watching(self, most: usize) -> Self {
        Self {
            watch: Watch::Yes,
            most,
            ..self
        }
    }

    /// The last requests of the server that went by.
    pub fn asked(&self) -> &[Id<'static>] {
        &self.asked
    }

    /// How many requests of the server were forgotten since the last call.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    /// Whether the server has said that its tools have changed; once.
    pub fn take_tools_changed(&mut self) -> bool {
        let changed = self.watch == Watch::ToolsChanged;
        if changed {
            self.watch = Watch::Yes;
        }
        changed
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
            let wants_data = self.watch != Watch::No || !self.awaited.is_empty();
            self.event.field((head, &self.line.tail), cut, wants_data);
        }
        self.line.head.clear();
        self.line.tail.clear();
        self.line.len = 0;
    }

    fn end_event(&mut self) {
        let watches = self.watch != Watch::No;
        let event = &mut self.event;
        // Clients drop an event without data, and its id with it.
        if event.data_lines > 0 {
            if let Some(id) = event.id.take() {
                self.primed = Primed::Yes;
                self.last_event_id = id;
            }
            if !event.foreign && (watches || !self.awaited.is_empty()) {
                match glimpse(&event.data, event.cut) {
                    Glimpse::Other => {
                        let told = std::str::from_utf8(&event.data).ok().and_then(progress);
                        self.progress = told.or(self.progress);
                        if watches && tells_of_tools(&event.data) {
                            self.watch = Watch::ToolsChanged;
                        }
                    }
                    Glimpse::Request(id) => {
                        let id = id.or_else(|| last_id(&event.tail));
                        if let Some(id) = id.filter(|_| watches) {
                            self.asked.push(id.into_owned());
                            if self.asked.len() > self.most {
                                self.asked.remove(0);
                                self.forgotten += 1;
                            }
                        }
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
        let last = bytes
            .get(bytes.len().saturating_sub(TAIL)..)
            .unwrap_or_default();
        let old = (self.tail.len() + last.len()).saturating_sub(TAIL);
        self.tail.drain(..old.min(self.tail.len()));
        self.tail.extend_from_slice(last);
    }
}

impl Event {
    /// Notes a field: the head of its line, and whether the line was longer.
    fn field(&mut self, (head, tail): (&[u8], &[u8]), cut: bool, wants_data: bool) {
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
                    if cut {
                        self.tail.clear();
                        self.tail.extend_from_slice(tail);
                    }
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

/// Whether a message says that the server's tools have changed.
fn tells_of_tools(message: &[u8]) -> bool {
    memmem::find(message, b"list_changed").is_some()
        && matches!(
            Message::peek(message),
            Message::Notification {
                method: Method::NotificationToolsListChanged,
                ..
            }
        )
}

/// What a stream may begin with.
pub(super) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How much of an event's data is kept: enough for the keys before a result, and for most
/// notifications whole.
const DATA_HEAD: usize = 256;

/// What is kept of the end of a line: an id may stand there.
const TAIL: usize = LONGEST_ID + 2;

/// How much of a line is kept: the data with its field name, a byte order mark, and more, so that
/// a line that does not fit has more data than fits.
const LINE_HEAD: usize = DATA_HEAD + 16;
