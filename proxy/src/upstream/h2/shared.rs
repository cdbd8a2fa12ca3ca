//! One connection, shared by the requests of its thread.

use super::counted::{Counted, Counts};
use super::driver::drive;
use super::exchange::Exchange;
use ::h2::client::{Builder, SendRequest};
use bytes::Bytes;
use http::uri::Scheme;
use lb::Time;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

/// One HTTP/2 connection to a peer. Clones are the same connection, which ends with the last.
#[derive(Clone)]
pub(crate) struct Shared(Rc<State>);

struct State {
    sender: SendRequest<Bytes>,
    scheme: Scheme,
    counts: Rc<Counts>,
    /// Requests under way.
    active: Cell<usize>,
    /// Requests so far.
    begun: Cell<u64>,
    /// Since when nothing is under way.
    idle: Cell<Option<Time>>,
    most: usize,
    /// Dropped last: then the driver says goodbye.
    _needed: oneshot::Sender<()>,
}

/// Bounds of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Requests at once, if the peer allows as many.
    pub(crate) streams: u32,
    /// Bytes of one response that may wait here for a slow client.
    pub(crate) stream_window: u32,
    /// Silence after which the peer is asked whether it is there; zero: never.
    pub(crate) ping: Duration,
    /// Bytes of a response head.
    pub(crate) head_size: usize,
}

impl Shared {
    /// Speaks HTTP/2 on a new connection to a peer of that scheme, and waits for its first word.
    ///
    /// That are its SETTINGS (RFC 9113 §3.4). Before them nobody knows how many streams it takes,
    /// and those too many are refused; and what is not said to a process that stands still, though
    /// its system accepts connections, may be said to any other.
    ///
    /// # Errors
    /// What h2 says, or that the peer closed the connection without a word.
    pub(crate) async fn open<S>(stream: S, scheme: Scheme, bounds: Bounds) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let counts = Rc::new(Counts::default());
        let mut builder = Builder::new();
        let whole = bounds.stream_window.saturating_mul(bounds.streams);
        builder
            .enable_push(false)
            .initial_max_send_streams(bounds.streams as usize)
            .initial_window_size(bounds.stream_window)
            // Room for every stream: then no number of slow clients holds up another.
            .initial_connection_window_size(whole.clamp(SMALLEST, LARGEST))
            .max_header_list_size(u32::try_from(bounds.head_size).unwrap_or(u32::MAX))
            .max_send_buffer_size(SEND_BUFFER);
        let counted = Counted::new(stream, &counts);
        let (sender, connection) = builder.handshake(counted).await.map_err(io::Error::other)?;
        let (needed, dropped) = oneshot::channel();
        let driving = drive(connection, Rc::clone(&counts), bounds.ping, dropped);
        drop(tokio::task::spawn_local(driving));
        counts.heard.notified().await;
        if !counts.is_settled() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self(Rc::new(State {
            sender,
            scheme,
            counts,
            active: Cell::new(0),
            begun: Cell::new(0),
            idle: Cell::new(None),
            most: bounds.streams as usize,
            _needed: needed,
        })))
    }

    /// A place for one request, unless the connection is full or about to end.
    pub(crate) fn lease(&self) -> Option<Exchange> {
        let state = &self.0;
        if state.active.get() >= self.streams() || !self.is_open() {
            return None;
        }
        let begun = state.begun.get();
        state.begun.set(begun + 1);
        state.active.set(state.active.get() + 1);
        state.idle.set(None);
        let lease = Lease(self.clone());
        Some(Exchange::new(lease, begun > 0))
    }

    /// How many requests it takes at once, as far as the peer has said.
    pub(super) fn streams(&self) -> usize {
        let state = &self.0;
        state.most.min(state.sender.current_max_send_streams())
    }

    /// Whether it takes requests: neither an error nor a GOAWAY has ended it (RFC 9113 §6.8).
    pub(crate) fn is_open(&self) -> bool {
        let mut sender = self.0.sender.clone();
        let mut cx = Context::from_waker(Waker::noop());
        !matches!(sender.poll_ready(&mut cx), std::task::Poll::Ready(Err(_)))
    }

    /// Whether nothing has been under way for so long.
    pub(crate) fn is_idle(&self, now: Time, keep: Duration) -> bool {
        if self.0.active.get() > 0 {
            return false;
        }
        let since = self.0.idle.get().unwrap_or_else(|| {
            self.0.idle.set(Some(now));
            now
        });
        now.since(since) >= keep
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("active", &self.0.active.get())
            .finish_non_exhaustive()
    }
}

/// One request's place on a connection; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Lease(Shared);

impl Lease {
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.0.0.sender.clone()
    }

    pub(super) fn scheme(&self) -> &Scheme {
        &self.0.0.scheme
    }

    /// Another place for the same request, for what outlives its exchange.
    pub(super) fn again(&self) -> Self {
        let active = &self.0.0.active;
        active.set(active.get() + 1);
        Self(self.0.clone())
    }

    /// Whether streams may become tunnels (RFC 8441 §3); none before the peer has said so or not.
    pub(super) fn makes_tunnels(&self) -> Option<bool> {
        let state = &self.0.0;
        let makes = state.sender.is_extended_connect_protocol_enabled();
        (makes || state.counts.is_settled()).then_some(makes)
    }

    /// Bytes the connection has written.
    pub(super) fn written(&self) -> u64 {
        self.0.0.counts.written.get()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let active = &self.0.0.active;
        active.set(active.get().saturating_sub(1));
    }
}

/// The window a connection begins with; it cannot be made smaller (RFC 9113 §6.9.2).
const SMALLEST: u32 = 65_535;
/// The largest there is (RFC 9113 §6.9.1).
const LARGEST: u32 = (1 << 31) - 1;
/// What a peer that does not read makes us hold, per request.
const SEND_BUFFER: usize = 64 * 1024;
