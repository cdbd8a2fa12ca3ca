//! One legacy stream, as this process knows it.

use crate::hooks::Word;
use crate::mcp::fault::{Cause, Delivery, Fault, Position, Primed, cancelled, sse_error_event};
use crate::mcp::initialize::{ClientHello, ServerHello};
use crate::mcp::sealed::Replay;
use crate::mcp::standing::{Noted, Standing};
use crate::mcp::{Id, Method};
use crate::settings::LegacyStreamLimits;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use lb::Time;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;

/// One legacy stream: shared by the request that holds it open and by the messages for it, which
/// may come on other threads.
#[derive(Debug)]
pub(in crate::gateway) struct LegacyStream {
    state: Mutex<State>,
    changed: Notify,
    bounds: LegacyStreamLimits,
}

/// Where the messages of a stream go.
#[derive(Clone, Debug, Default)]
pub(in crate::gateway) struct Place {
    /// How many streams of peers there were behind the client's, with this one.
    pub(in crate::gateway) generation: u32,
    /// The name of the peer.
    pub(in crate::gateway) peer: String,
    /// The path and query where it wants them.
    pub(in crate::gateway) path: String,
}

/// What has become of a stream.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Phase {
    /// Its first event has not come: it may be any event stream.
    #[default]
    New,
    Live,
    /// Its peer is lost, and another place is looked for.
    Moving,
    /// Its client has gone, or there is no other place.
    Gone,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    place: Place,
    /// When it came there.
    since: Time,
    /// How often in a row it was lost as soon as it was there.
    hasty: u32,
    /// The `initialize` of its client.
    hello: Option<Bytes>,
    replay: Option<Replay>,
    standing: Standing,
    /// What its client has asked and not been answered.
    open: Vec<Request>,
    /// What the server has asked and not been answered, as JSON ids the client knows.
    asked: Vec<String>,
    /// Events of ours for the client.
    words: BytesMut,
    /// It is to leave the peer of this generation.
    leaves: u32,
    waker: Option<Waker>,
    /// What a client that waits has brought.
    offer: Option<HeaderMap>,
}

#[derive(Debug)]
struct Request {
    id: Id<'static>,
    /// What to ask again, if that may be done.
    again: Option<Bytes>,
    /// Its peer has taken it.
    taken: bool,
}

/// Why a request is not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooMany;

impl LegacyStream {
    pub(in crate::gateway) fn new(bounds: LegacyStreamLimits) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            bounds,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is, or is again, at a peer.
    pub(super) fn came_to(&self, place: Place, now: Time) {
        let mut state = self.state();
        if state.phase != Phase::Gone {
            state.phase = Phase::Live;
        }
        state.since = now;
        state.place = place;
        state.offer = None;
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn phase(&self) -> (Phase, Place) {
        let state = self.state();
        (state.phase, state.place.clone())
    }

    /// Whether its client has begun with `initialize`.
    pub(super) fn is_begun(&self) -> bool {
        self.state().hello.is_some()
    }

    /// Whether another place can be found for it: what a peer has to be told is known.
    pub(super) fn can_move(&self) -> bool {
        let state = self.state();
        let begun = state.hello.is_none() || state.replay.is_some();
        // Or the first request is still without an answer, and will be asked again.
        let beginning = || {
            state
                .open
                .iter()
                .any(|one| one.again.is_some() && one.again == state.hello)
        };
        matches!(state.phase, Phase::Live | Phase::Moving) && (begun || beginning())
    }

    /// Its peer is lost. What cannot be asked again is told; so is what the server wanted to know.
    /// How long to wait before it goes elsewhere: streams that break as soon as they are there
    /// come back ever more slowly.
    pub(super) fn lost(&self, now: Time) -> Duration {
        let mut state = self.state();
        if state.phase == Phase::Live {
            state.phase = Phase::Moving;
            let hasty = now.since(state.since) < HASTY;
            state.hasty = if hasty {
                state.hasty.saturating_add(1)
            } else {
                0
            };
        }
        state.tell_losses();
        let pause = match state.hasty {
            0 | 1 => Duration::ZERO,
            often => (FIRST_PAUSE * 2_u32.saturating_pow(often.min(10))).min(LONGEST_PAUSE),
        };
        drop(state);
        self.changed.notify_waiters();
        pause
    }

    /// It is to leave its peer, which cannot be used any more.
    pub(super) fn leave(&self, generation: u32) {
        let mut state = self.state();
        state.leaves = state.leaves.max(generation);
        state.wake();
    }

    /// There will be nothing more. Says whether messages could come for it.
    pub(super) fn close(&self) -> bool {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.phase, Phase::Gone);
        state.offer = None;
        drop(state);
        self.changed.notify_waiters();
        before != Phase::New
    }

    /// Waits until it is at a peer, after generation `after`; `patience` at most.
    pub(super) async fn live(&self, after: u32, patience: Duration) -> Option<Place> {
        self.until(patience, |state| match state.phase {
            Phase::Live if state.place.generation > after => Some(Some(state.place.clone())),
            Phase::Gone => Some(None),
            _ => None,
        })
        .await
        .flatten()
    }

    /// Waits until it changes so that `wanted` is there; `patience` at most.
    async fn until<T>(
        &self,
        patience: Duration,
        wanted: impl Fn(&State) -> Option<T>,
    ) -> Option<T> {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                changed.as_mut().enable();
                if let Some(found) = wanted(&self.state()) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience, waiting).await.ok()
    }

    /// Its client brings this while it waits (rule 9: the credential of the next request).
    pub(super) fn offer(&self, headers: HeaderMap) {
        let mut state = self.state();
        if state.phase == Phase::Moving {
            state.offer = Some(headers);
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// What its client has brought since; waits for it, `patience` at most.
    pub(super) async fn offered(&self, patience: Duration) -> Option<HeaderMap> {
        let offered = self.until(patience, |state| state.offer.clone()).await;
        self.state().offer = None;
        offered
    }

    /// Its client asks something.
    ///
    /// # Errors
    /// It has asked too much already.
    pub(super) fn ask(
        &self,
        id: &Id<'static>,
        method: Method,
        again: Option<&Bytes>,
    ) -> Result<(), TooMany> {
        let mut state = self.state();
        state.open.retain(|one| !one.id.names_same(id));
        if state.open.len() >= self.bounds.requests {
            return Err(TooMany);
        }
        if method == Method::Initialize {
            state.hello = again.cloned();
            state.replay = None;
        }
        let kept = state.open.iter().filter_map(|one| one.again.as_ref());
        let kept: usize = kept.map(Bytes::len).sum();
        let again = again.filter(|body| kept + body.len() <= self.bounds.bodies);
        state.open.push(Request {
            id: id.clone(),
            again: again.cloned(),
            taken: false,
        });
        Ok(())
    }

    /// Its client sets something that is to be set again.
    pub(super) fn note(&self, method: Method, body: &[u8], most: usize) -> Noted {
        self.state().standing.note(method, body, most)
    }

    pub(super) fn standing(&self) -> Standing {
        self.state().standing.clone()
    }

    pub(super) fn replay(&self) -> Option<Replay> {
        self.state().replay.clone()
    }

    /// The peer of `generation` has taken a request, or may have. If it is lost already, whoever
    /// looks for another place asks again there; what may not be asked again is told.
    pub(super) fn taken(&self, id: &Id<'static>, generation: u32) {
        let mut state = self.state();
        let here = state.phase == Phase::Live && state.place.generation == generation;
        let moving = state.phase == Phase::Moving;
        let open = state.open.iter_mut().find(|one| one.id.names_same(id));
        let Some(one) = open else { return };
        if here || (moving && one.again.is_some()) {
            one.taken = true;
        } else {
            state.refuse(id, Cause::PeerLost, Delivery::Unknown);
        }
    }

    /// What was taken by peers that are gone, and is to be asked again.
    pub(super) fn again(&self) -> Vec<(Id<'static>, Bytes)> {
        let state = self.state();
        let taken = state.open.iter().filter(|one| one.taken);
        taken
            .filter_map(|one| Some((one.id.clone(), one.again.clone()?)))
            .collect()
    }

    /// A request is not waited for here any more.
    pub(super) fn forget(&self, id: &Id<'_>) {
        self.state().open.retain(|one| !one.id.names_same(id));
    }

    /// A request is answered on the stream with an error, if it is still without an answer.
    pub(super) fn refuse(&self, id: &Id<'static>, cause: Cause, delivery: Delivery) {
        self.state().refuse(id, cause, delivery);
    }

    /// A request that was not sent is answered on the stream with an error.
    pub(super) fn reject(&self, id: &Id<'static>, cause: Cause) {
        let ids = std::slice::from_ref(id);
        self.state().tell(&error(ids, cause, Delivery::NotSent));
    }

    /// Tells a client something that answers no request.
    pub(super) fn tell(&self, word: &[u8]) {
        self.state().tell(word);
    }

    /// A request has failed on its way to the peer of `generation`: what has become of it, once that
    /// is known, or after `patience`.
    pub(super) async fn fate(&self, id: &Id<'_>, generation: u32, patience: Duration) -> Fate {
        let fate = |state: &State| {
            let open = state.open.iter().find(|one| one.id.names_same(id));
            match (open, state.phase) {
                (None, _) | (_, Phase::Gone) => Some(Fate::Settled),
                (Some(one), Phase::Moving) => Some(Fate::Lost(one.again.is_some())),
                (Some(one), _) if state.place.generation > generation => {
                    Some(Fate::Moved(state.place.clone(), one.again.clone()))
                }
                (Some(_), _) => None,
            }
        };
        self.until(patience, fate).await.unwrap_or(Fate::Unknown)
    }

    /// A response has gone by.
    pub(super) fn answered(&self, id: Option<&Id<'_>>, response: &[u8]) {
        let mut state = self.state();
        if let (Some(hello), None) = (&state.hello, &state.replay)
            && let Some(server) = ServerHello::peek(response)
            && let Some(client) = ClientHello::peek(hello)
        {
            state.replay = client.replay(&server);
        }
        match id {
            Some(id) => state.open.retain(|one| !one.id.names_same(id)),
            // It lay beyond what was looked at: servers answer in order more often than not.
            None if state.open.is_empty() => {}
            None => drop(state.open.remove(0)),
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The server asks the client something.
    pub(super) fn server_asks(&self, id: &str) {
        let mut state = self.state();
        if state.asked.len() < self.bounds.requests {
            state.asked.push(id.to_owned());
        }
    }

    /// The client has answered.
    pub(super) fn client_answers(&self, id: &Id<'_>) {
        self.state().asked.retain(|asked| asked != id.json());
    }

    /// What is to be told, or that the peer of `generation` is to be left.
    pub(super) fn poll_word(&self, cx: &mut Context<'_>, generation: u32) -> Poll<Word> {
        let mut state = self.state();
        if !state.words.is_empty() {
            return Poll::Ready(Word::Say(state.words.split().freeze()));
        }
        if state.phase == Phase::Live && state.leaves >= generation {
            return Poll::Ready(Word::Leave);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What is still to be told when there will be nothing more.
    pub(super) fn last_words(&self) -> Bytes {
        let mut state = self.state();
        for one in &mut state.open {
            one.again = None;
        }
        state.tell_losses();
        state.phase = Phase::Gone;
        let words = state.words.split().freeze();
        drop(state);
        self.changed.notify_waiters();
        words
    }
}

/// What has become of a request that failed on its way.
#[derive(Debug)]
pub(super) enum Fate {
    /// Its peer is lost; whether it may be asked again.
    Lost(bool),
    /// The stream has moved since; what to ask there again, if that may be done.
    Moved(Place, Option<Bytes>),
    /// It was answered, or nobody waits for it.
    Settled,
    /// Its peer is there and says nothing.
    Unknown,
}

impl State {
    /// Tells what was lost with a peer. A request that is still on its way there is left to itself.
    fn tell_losses(&mut self) {
        let (kept, gone) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|one| !one.taken || one.again.is_some());
        self.open = kept;
        let gone: Vec<Request> = gone;
        let ids: Vec<Id<'static>> = gone.into_iter().map(|one| one.id).collect();
        self.tell(&error(&ids, Cause::PeerLost, Delivery::Unknown));
        // Rule 10.
        let asked = std::mem::take(&mut self.asked);
        self.tell(&cancelled(asked.iter().map(String::as_str)));
    }

    fn refuse(&mut self, id: &Id<'static>, cause: Cause, delivery: Delivery) {
        let before = self.open.len();
        self.open.retain(|one| !one.id.names_same(id));
        if self.open.len() < before {
            self.tell(&error(std::slice::from_ref(id), cause, delivery));
        }
    }

    fn tell(&mut self, word: &[u8]) {
        // One that sends and does not read gets no more than this.
        if !word.is_empty() && self.words.len() <= MOST_WORDS {
            self.words.extend_from_slice(word);
            self.wake();
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// An error event for each of these requests.
fn error(ids: &[Id<'static>], cause: Cause, delivery: Delivery) -> Bytes {
    let fault = Fault {
        cause,
        delivery,
        retry_after: None,
    };
    sse_error_event(ids, &fault, Position::Boundary, Primed::No)
}

/// Bytes of ours that wait for a client to read.
const MOST_WORDS: usize = 256 * 1024;
/// A stream that breaks sooner than this was lost as soon as it was there.
const HASTY: Duration = Duration::from_secs(10);
/// Before it goes elsewhere then, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
