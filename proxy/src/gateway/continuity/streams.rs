//! Event streams that go on where another peer's stopped.

use crate::gateway::affinity::Marking;
use crate::hooks::{Prefix, Reply, ResponseAction, Stop, Transform};
use crate::mcp::fault::{Cause, Delivery, Fault, Position};
use crate::mcp::rewriter::Rewriter;
use crate::mcp::sse::{End, Scanner};
use crate::mcp::whole::Whole;
use crate::mcp::{Era, Message};
use bytes::{Bytes, BytesMut};
use std::cell::RefCell;
use std::rc::Rc;

/// How far an event stream has come, for the one that goes on where it stops.
#[derive(Clone, Debug, Default)]
pub(in crate::gateway) struct Track(Rc<RefCell<Mark>>);

#[derive(Debug, Default)]
struct Mark {
    begun: bool,
    position: Option<Position>,
    progress: Option<f64>,
}

impl Track {
    /// A stream has gone downstream, up to where it stopped.
    pub(in crate::gateway) fn is_begun(&self) -> bool {
        self.0.borrow().begun
    }

    /// What neutralises the event that the last peer was in the middle of: an event of a type that
    /// clients pass over (WHATWG HTML §9.2.6).
    pub(in crate::gateway) fn seam(&self) -> &'static [u8] {
        match self.0.borrow().position {
            None | Some(Position::Boundary) => b"",
            Some(Position::InEvent) => b"event: incomplete\n\n",
            Some(Position::InLine) => b"\nevent: incomplete\n\n",
        }
    }

    /// Notes how far it has come.
    pub(in crate::gateway) fn note(&self, scanner: &Scanner) {
        let mut mark = self.0.borrow_mut();
        mark.begun = true;
        mark.position = Some(scanner.position());
        if let Some(progress) = scanner.progress() {
            mark.progress = Some(progress);
        }
    }
}

/// What becomes of an answer whose stream has begun with another peer's: it goes on as events,
/// whatever it came as.
pub(in crate::gateway) fn as_events(
    action: ResponseAction,
    events: bool,
    prefix: &Prefix<'_>,
) -> ResponseAction {
    match action {
        ResponseAction::Forward if events => ResponseAction::Forward,
        ResponseAction::Forward if prefix.ended => match Message::peek(prefix.bytes) {
            Message::Response { .. } => ResponseAction::Replace(event(prefix.bytes)),
            _ => ResponseAction::Relocate("the answer is none"),
        },
        ResponseAction::Forward if prefix.bytes.len() < LARGEST => ResponseAction::Read(LARGEST),
        ResponseAction::Forward => ResponseAction::Relocate("the answer is too long for an event"),
        ResponseAction::Replace(reply) => ResponseAction::Replace(event(reply.body())),
        action => action,
    }
}

/// A message as an event; nothing if it is none.
fn event(message: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(message);
    let mut event = String::with_capacity(text.len() + 32);
    if !text.trim().is_empty() {
        event.push_str("event: message\n");
        for line in text.lines() {
            event.push_str("data: ");
            event.push_str(line);
            event.push('\n');
        }
        event.push('\n');
    }
    Reply::new(event.into())
}

/// Sees to it that an answer that comes as events does not end without its response (rule 13).
#[derive(Debug)]
pub(in crate::gateway) struct Answering {
    scanner: Scanner,
    era: Era,
    track: Track,
    /// Goes on with another peer's answer: the request may run twice.
    safe: bool,
    whole: Whole,
    before: Bytes,
    marking: Option<Marking>,
    rewriter: Option<Rewriter>,
}

impl Answering {
    /// For a stream that answers what `scanner` awaits, on the upstream session `generation`.
    pub(in crate::gateway) fn new(
        scanner: Scanner,
        era: Era,
        safe: bool,
        generation: u32,
        track: Track,
    ) -> Self {
        let (before, rewriter) = resumed(&track, generation);
        Self {
            scanner,
            era,
            track,
            safe,
            whole: Whole::default(),
            before,
            marking: None,
            rewriter,
        }
    }

    /// The same, with the mark of its peer where one belongs.
    pub(in crate::gateway) fn marking(self, marking: Option<Marking>) -> Self {
        Self { marking, ..self }
    }

    fn pass(&mut self, piece: Bytes) -> Bytes {
        let piece = match &mut self.marking {
            Some(marking) => marking.push(&piece),
            None => piece,
        };
        let piece = rewritten(&mut self.before, self.rewriter.as_mut(), piece);
        self.scanner.scan(&piece);
        if self.safe {
            self.track.note(&self.scanner);
        }
        piece
    }

    /// What comes last, after `rest`.
    fn last_words(&mut self, end: End, rest: &Bytes) -> Option<Bytes> {
        let fault = Fault {
            cause: Cause::PeerLost,
            delivery: Delivery::Unknown,
            retry_after: None,
        };
        let unmarked = self.marking.as_mut().map(Marking::finish);
        let held = self.rewriter.as_mut().map(Rewriter::finish);
        let held = [held.unwrap_or_default(), unmarked.unwrap_or_default()].concat();
        self.scanner.scan(&held);
        let last = self.scanner.last_words(self.era, end, &fault);
        let all = [&rest[..], &held, &last.unwrap_or_default()].concat();
        (!all.is_empty()).then(|| all.into())
    }
}

/// What comes before a stream that goes on, and what rewrites it.
fn resumed(track: &Track, generation: u32) -> (Bytes, Option<Rewriter>) {
    let before = Bytes::from_static(track.seam());
    let progress = track.0.borrow().progress;
    let changes = generation > 1 || progress.is_some();
    let rewriter = changes.then(|| Rewriter::new(generation, progress));
    (before, rewriter)
}

impl Transform for Answering {
    fn data(&mut self, piece: Bytes) -> Bytes {
        let whole = self.whole.push(piece);
        self.pass(whole)
    }

    fn goes_on(&self, stop: Stop) -> bool {
        // A clean end after an event id is the server's way to have the client poll.
        let polls = stop == Stop::Clean && self.scanner.polls(self.era);
        self.safe && !polls && !self.scanner.unanswered().is_empty()
    }

    fn end(&mut self) -> Option<Bytes> {
        let rest = self.whole.finish();
        let rest = self.pass(rest);
        self.last_words(End::Clean, &rest)
    }

    fn cut(&mut self) -> Option<Bytes> {
        self.last_words(End::Broken, &Bytes::new())
    }
}

/// The event stream of an MCP session that answers no request: it stays open over the loss of its
/// peer (rule 14).
#[derive(Debug)]
pub(in crate::gateway) struct Standing {
    scanner: Scanner,
    track: Track,
    whole: Whole,
    before: Bytes,
    rewriter: Option<Rewriter>,
}

impl Standing {
    /// For a stream on the upstream session `generation`, whose client is to hear of `news` first.
    pub(in crate::gateway) fn new(generation: u32, track: Track, news: &[&str]) -> Self {
        let (seam, rewriter) = resumed(&track, generation);
        let mut before = BytesMut::from(&seam[..]);
        for method in news {
            let event = format!(
                "event: message\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"}}\n\n"
            );
            before.extend_from_slice(event.as_bytes());
        }
        Self {
            scanner: Scanner::new(Vec::new()),
            track,
            whole: Whole::default(),
            before: before.freeze(),
            rewriter,
        }
    }
}

impl Standing {
    fn pass(&mut self, piece: Bytes) -> Bytes {
        let piece = rewritten(&mut self.before, self.rewriter.as_mut(), piece);
        self.scanner.scan(&piece);
        self.track.note(&self.scanner);
        piece
    }
}

impl Transform for Standing {
    fn data(&mut self, piece: Bytes) -> Bytes {
        let whole = self.whole.push(piece);
        self.pass(whole)
    }

    fn goes_on(&self, stop: Stop) -> bool {
        stop == Stop::Cut
    }

    fn end(&mut self) -> Option<Bytes> {
        let rest = self.whole.finish();
        let rest = self.pass(rest);
        let held = self.rewriter.as_mut().map(Rewriter::finish);
        let all = [rest, held.unwrap_or_default()].concat();
        (!all.is_empty()).then(|| all.into())
    }
}

/// A piece as it goes downstream.
fn rewritten(before: &mut Bytes, rewriter: Option<&mut Rewriter>, piece: Bytes) -> Bytes {
    let piece = match rewriter {
        Some(rewriter) => rewriter.push(&piece),
        None => piece,
    };
    if before.is_empty() {
        return piece;
    }
    [std::mem::take(before), piece].concat().into()
}

/// A longer answer does not become an event.
const LARGEST: usize = 4 * 1024 * 1024;
