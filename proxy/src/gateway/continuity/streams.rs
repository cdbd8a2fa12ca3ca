//! Event streams that go on where another peer's stopped.

use super::binding::Binding;
use super::bindings::{Bindings, Key};
use crate::gateway::affinity::Marking;
use crate::gateway::events::Source;
use crate::group::Group;
use crate::hooks::{Prefix, Reply, ResponseAction, Stop, Transform, Word};
use crate::mcp::events::event;
use crate::mcp::fault::{self, Cause, Delivery, Fault, Position};
use crate::mcp::rewriter::Rewriter;
use crate::mcp::sse::{End, Scanner};
use crate::mcp::whole::Whole;
use crate::mcp::{Era, Id, Message};
use bytes::{Bytes, BytesMut};
use lb::{PeerIndex, Time};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// How far an event stream has come, for the one that goes on where it stops.
#[derive(Clone, Debug, Default)]
pub(in crate::gateway) struct Track(Rc<RefCell<Mark>>);

#[derive(Debug, Default)]
struct Mark {
    begun: bool,
    position: Option<Position>,
    progress: Option<f64>,
    /// What the server has asked on it.
    asked: Vec<Id<'static>>,
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
        mark.asked.clear();
        mark.asked.extend_from_slice(scanner.asked());
    }
}

/// What becomes of an answer whose stream has begun with another peer's: it goes on as events,
/// whatever it came as; one that is longer than `most` does not become an event.
pub(in crate::gateway) fn as_events(
    action: ResponseAction,
    events: bool,
    prefix: &Prefix<'_>,
    most: usize,
) -> ResponseAction {
    match action {
        ResponseAction::Forward if events => ResponseAction::Forward,
        ResponseAction::Forward if prefix.ended => match Message::peek(prefix.bytes) {
            Message::Response { .. } => ResponseAction::Replace(as_event(prefix.bytes)),
            _ => ResponseAction::Relocate("the answer is none"),
        },
        ResponseAction::Forward if prefix.bytes.len() < most => ResponseAction::Read(most),
        ResponseAction::Forward => ResponseAction::Relocate("the answer is too long for an event"),
        ResponseAction::Replace(reply) => ResponseAction::Replace(as_event(reply.body())),
        action => action,
    }
}

/// A message as an event; nothing if it is none.
fn as_event(message: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(message);
    Reply::new(if text.trim().is_empty() {
        Bytes::new()
    } else {
        event(&text)
    })
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
    origin: Option<Origin>,
    began: Time,
}

impl Answering {
    /// For a stream that answers what `scanner` awaits; legacy servers also ask on it.
    pub(in crate::gateway) fn new(
        scanner: Scanner,
        era: Era,
        safe: bool,
        track: Track,
        source: Source,
    ) -> Self {
        let Source {
            origin,
            began,
            marking,
        } = source;
        let (before, rewriter) = resumed(&track, origin.as_ref());
        let scanner = match era {
            Era::Legacy => scanner.watching(exchanges(origin.as_ref())),
            Era::Modern => scanner,
        };
        Self {
            scanner,
            era,
            track,
            safe,
            whole: Whole::default(),
            before,
            marking,
            rewriter,
            origin,
            began,
        }
    }

    /// The client will resume the stream: what it waits for is to be known if the peer is lost before
    /// it does.
    fn note_poll(&self) {
        let ids = self.scanner.unanswered();
        if let Some(event) = self.scanner.last_event_id()
            && !ids.is_empty()
            && let Some(origin) = &self.origin
            && let Some((bindings, key)) = &origin.session
            && let Some(binding) = bindings.enter(*key, self.began)
        {
            binding.polls(event, ids, &origin.group);
        }
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
        listen(&mut self.scanner, self.origin.as_ref());
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
        let cancelled = match (&last, &self.origin) {
            // Rule 10.
            (Some(_), Some(origin)) => origin.cancelled(self.scanner.asked()),
            _ => Bytes::new(),
        };
        // It comes last: the events of ours begin with what neutralises half an event.
        let all = [&rest[..], &held, &last.unwrap_or_default(), &cancelled].concat();
        (!all.is_empty()).then(|| all.into())
    }
}

/// What comes before a stream that goes on, and what rewrites it.
fn resumed(track: &Track, origin: Option<&Origin>) -> (Bytes, Option<Rewriter>) {
    let seam = Bytes::from_static(track.seam());
    let cancelled = origin.map(|origin| origin.cancelled(&track.0.borrow().asked));
    let before = [seam, cancelled.unwrap_or_default()].concat().into();
    let generation = origin.map_or(1, |origin| origin.generation);
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
        self.note_poll();
        self.last_words(End::Clean, &rest)
    }

    fn cut(&mut self) -> Option<Bytes> {
        self.last_words(End::Broken, &Bytes::new())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // Its client may have gone, and come back.
        self.note_poll();
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
    origin: Origin,
    binding: Arc<Binding>,
    /// What its client is to hear of, and when.
    news: Option<(Pin<Box<Sleep>>, Bytes)>,
}

impl Standing {
    /// For the stream of an MCP session, whose client is to hear of changes after `pause`: those of
    /// a lost peer do not all ask for the same lists at once (rule 16).
    pub(in crate::gateway) fn new(
        binding: Arc<Binding>,
        track: Track,
        origin: Origin,
        pause: Duration,
    ) -> Self {
        let (before, rewriter) = resumed(&track, Some(&origin));
        let told: BytesMut = if origin.generation > 1 {
            let news = binding.take_news().into_iter();
            news.flat_map(|method| event(&format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#)))
                .collect()
        } else {
            BytesMut::new()
        };
        let news = (!told.is_empty()).then(|| (Box::pin(sleep(pause)), told.freeze()));
        Self {
            scanner: Scanner::new(Vec::new()).watching(exchanges(Some(&origin))),
            track,
            whole: Whole::default(),
            before,
            rewriter,
            origin,
            binding,
            news,
        }
    }
}

/// The upstream session that a stream comes from.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Origin {
    pub(in crate::gateway) group: Arc<Group>,
    pub(in crate::gateway) peer: PeerIndex,
    pub(in crate::gateway) generation: u32,
    /// The MCP session, if it is of one.
    pub(in crate::gateway) session: Option<(Arc<Bindings>, Key)>,
}

impl Origin {
    /// What tells a client that nobody waits for what it has not answered (rule 10).
    fn cancelled(&self, asked: &[Id<'static>]) -> Bytes {
        match &self.session {
            Some((bindings, key)) if !asked.is_empty() => {
                fault::cancelled(bindings.unanswered(*key, asked))
            }
            _ => Bytes::new(),
        }
    }
}

/// Passes on what a server has told of itself.
fn listen(scanner: &mut Scanner, origin: Option<&Origin>) {
    let Some(origin) = origin else { return };
    if scanner.take_tools_changed() {
        origin.group.tools_changed(origin.peer);
    }
    let forgotten = scanner.take_forgotten();
    if forgotten > 0 {
        origin.group.metrics.exchanges_forgotten.add(forgotten);
    }
}

/// How many questions of a server are remembered: none if nobody could be told that they are
/// nobody's.
fn exchanges(origin: Option<&Origin>) -> usize {
    origin.map_or(0, |origin| origin.group.settings.mcp_limits.exchanges)
}

impl Standing {
    fn pass(&mut self, piece: Bytes) -> Bytes {
        let piece = rewritten(&mut self.before, self.rewriter.as_mut(), piece);
        self.scanner.scan(&piece);
        self.track.note(&self.scanner);
        listen(&mut self.scanner, Some(&self.origin));
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

    fn poll_word(&mut self, cx: &mut Context<'_>) -> Poll<Word> {
        if self
            .binding
            .poll_moved(cx, self.origin.generation)
            .is_ready()
        {
            return Poll::Ready(Word::Leave);
        }
        if self.scanner.position() != Position::Boundary {
            return Poll::Pending;
        }
        if let Some((pause, _)) = &mut self.news
            && pause.as_mut().poll(cx).is_ready()
            && let Some((_, news)) = self.news.take()
        {
            let news = [std::mem::take(&mut self.before), news].concat();
            self.scanner.scan(&news);
            return Poll::Ready(Word::Say(news.into()));
        }
        Poll::Pending
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
