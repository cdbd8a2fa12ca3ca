//! What is counted, as plain atomics; the admin listener renders them.

use crate::grpc;
use crate::mcp::metrics::{MigrationMetrics, OperationMetrics, PeerSessionMetrics, SessionMetrics};
use crate::network::Address;
use crate::tls::{Certificate, Terminator};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The present value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Adds one.
    pub fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one away.
    pub fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// The present value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long things took, by default in OpenTelemetry's buckets for requests of HTTP.
#[derive(Debug)]
pub struct Durations {
    bounds: &'static [u64; BOUNDS.len()],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_micros: AtomicU64,
}

impl Default for Durations {
    fn default() -> Self {
        Self::within(&BOUNDS)
    }
}

impl Durations {
    /// None so far; buckets have these upper bounds, in microseconds.
    pub fn within(bounds: &'static [u64; BOUNDS.len()]) -> Self {
        Self {
            bounds,
            buckets: Default::default(),
            sum_micros: AtomicU64::default(),
        }
    }

    /// Counts one.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = self.bounds.partition_point(|bound| *bound < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Upper bounds of the buckets, in microseconds; the last bucket has none.
    pub fn bounds(&self) -> &'static [u64] {
        self.bounds
    }

    /// Counts per bucket, not cumulated; the last has no bound.
    pub fn buckets(&self) -> Vec<u64> {
        self.buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .collect()
    }

    /// The sum of all, in microseconds.
    pub fn sum_micros(&self) -> u64 {
        self.sum_micros.load(Ordering::Relaxed)
    }
}

/// Upper bounds in microseconds: 5 ms to 10 s, as OpenTelemetry's `http.server.request.duration`.
const BOUNDS: [u64; 14] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000,
    2_500_000, 5_000_000, 7_500_000, 10_000_000,
];

/// What is counted for the process.
#[derive(Debug, Default)]
pub struct ProxyMetrics {
    /// Client connections accepted.
    pub connections: Counter,
    /// Client connections open now.
    pub connections_active: Gauge,
    /// Client connections refused, or closed, by a limit.
    pub limits: LimitMetrics,
    /// Requests answered by the proxy itself, before any group was asked.
    pub refused: Counter,
    /// Requests that a hook answered before a group was chosen: redirects and fixed responses.
    pub answered: Counter,
    /// Requests that the hooks answered instead of naming a group: no route, no such session.
    pub unrouted: Counter,
    /// Hooks that panicked.
    pub panics: Counter,
    /// Requests in flight now.
    pub requests_active: Gauge,
    /// Names of peers looked up.
    pub names: NameMetrics,
    /// TLS with clients.
    pub tls: TlsMetrics,
}

/// TLS with clients.
#[derive(Debug, Default)]
pub struct TlsMetrics {
    /// Handshakes that succeeded, the resumed ones included.
    pub handshakes: Counter,
    /// Handshakes that resumed an earlier session.
    pub resumed: Counter,
    /// Handshakes that failed, or were not ended in time.
    pub failed: Counter,
    terminators: Mutex<Vec<(Address, Weak<Terminator>)>>,
}

impl TlsMetrics {
    /// Shows the certificates of a listener for as long as it is there.
    pub(crate) fn watch(&self, listener: &Address, terminator: &Arc<Terminator>) {
        let watched = &mut *self
            .terminators
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        watched.retain(|(_, terminator)| terminator.strong_count() > 0);
        watched.push((listener.clone(), Arc::downgrade(terminator)));
    }

    /// The certificates that are served, each with its listener.
    pub fn certificates(&self) -> Vec<(Address, Certificate)> {
        let watched = self
            .terminators
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let present = watched.iter().filter_map(|(listener, terminator)| {
            let certificates = terminator.upgrade()?.certificates();
            Some(certificates.into_iter().map(|one| (listener.clone(), one)))
        });
        present.flatten().collect()
    }
}

/// Names of peers looked up, by what came of it.
#[derive(Debug, Default)]
pub struct NameMetrics {
    /// There was an address.
    pub answered: Counter,
    /// There was none, or no answer: what was known before is kept.
    pub failed: Counter,
}

/// How often each limit bit.
#[derive(Debug, Default)]
pub struct LimitMetrics {
    /// Connections refused by the cap over all clients.
    pub connections: Counter,
    /// Connections refused by the cap per address.
    pub connections_per_address: Counter,
    /// Accepting paused, because descriptors ran out.
    pub descriptors: Counter,
    /// TLS handshakes that did not end in time.
    pub tls_handshake: Counter,
    /// Heads that did not come in time.
    pub head_timeout: Counter,
    /// Bodies that stalled or dripped.
    pub body_timeout: Counter,
    /// Bodies longer than their route or group takes.
    pub max_body: Counter,
    /// Responses the client did not read.
    pub write_stall: Counter,
    /// Clients that had their time to read the last answer, and were still sending.
    pub linger: Counter,
    /// Client connections and exchanges with peers that ended because nothing was heard of the other
    /// end.
    pub silence: Counter,
    /// Connections closed because they were idle.
    pub keep_alive: Counter,
    /// Connections closed after their last allowed request.
    pub requests: Counter,
    /// Heads too large, or of too many fields; targets too long.
    pub head: Counter,
    /// Bodies that streamed on without a copy for another attempt.
    pub replay: Counter,
    /// Heads that hyper refused by itself, and HTTP/2 connections that broke its rules.
    pub parse: Counter,
    /// HTTP/2 connections closed because of too many frames that carry nothing.
    pub http2_frames: Counter,
    /// HTTP/2 connections closed because of too many reset streams.
    pub http2_resets: Counter,
    /// Response heads too large, or of too many fields.
    pub upstream_head: Counter,
    /// Responses with too many interim responses before them.
    pub interim_responses: Counter,
    /// Response bodies with too many chunk extensions.
    pub chunk_extensions: Counter,
    /// Response bodies with too large trailers.
    pub trailers: Counter,
}

/// What is counted for a group.
#[derive(Debug, Default)]
pub struct GroupMetrics {
    /// Requests answered, by the hundreds of the status; the first is for those without one.
    pub responses: [Counter; 6],
    /// Calls of gRPC, by the code of how they ended.
    pub calls: [Counter; grpc::Status::COUNT],
    /// From the request head to the end of the response.
    pub duration: Durations,
    /// Attempts after the first, by why.
    pub retries: RetryMetrics,
    /// Requests that ended without an answer from a peer, by why.
    pub failures: FailureMetrics,
    /// Traffic moved to a worse tier.
    pub failovers: Counter,
    /// Requests whose client left before the answer was complete.
    pub cancelled: Counter,
    /// MCP session ids that would have been too long with what a replay needs: it stays in memory
    /// only, or is lost.
    pub replay_dropped: Counter,
    /// Tasks whose peer was forgotten, because there is a limit.
    pub tasks_forgotten: Counter,
    /// Requests and answers of the modern era that were too long to look for what ties them to a
    /// peer.
    pub ties_unread: Counter,
    /// Streams of `subscriptions/listen` that lost their peer.
    pub listens: ListenMetrics,
    /// MCP sessions that moved, or could not.
    pub migrations: MigrationMetrics,
    /// MCP sessions that ended, or were refused.
    pub mcp_sessions: SessionMetrics,
    /// Messages of MCP, by method.
    pub mcp_operations: OperationMetrics,
    /// Answers that were too long to be held until they are whole, or to be looked at.
    pub answers_unread: Counter,
    /// What servers said of themselves that was too long to be looked at.
    pub documents_unread: Counter,
    /// Questions of servers, answers to such, and streams to be resumed that were forgotten, because
    /// there is a limit.
    pub exchanges_forgotten: Counter,
    /// Answers to `server/discover` that were given from memory.
    pub discover_recalled: Counter,
    /// Answers to `server/discover` that were not kept, or gave way to others.
    pub discover_dropped: Counter,
    /// Tools, or who was shown them, that were not kept, or gave way to others.
    pub tools_dropped: Counter,
    /// Clients of authorization servers of which it was forgotten which peer they are at.
    pub oauth_clients_dropped: Counter,
    /// Subscriptions that an MCP session is not given again where it moves, because it has too many.
    pub subscriptions_dropped: Counter,
    /// Moves of MCP sessions that had to wait for others to the same peer.
    pub migrations_waited: Counter,
    /// Requests in flight now.
    pub active: Gauge,
    /// Connections switched to another protocol.
    pub tunnels: TunnelMetrics,
}

/// Connections switched to another protocol, by how they ended.
#[derive(Debug, Default)]
pub struct TunnelMetrics {
    /// Open now.
    pub active: Gauge,
    /// The client broke its connection, or a limit closed that.
    pub client: Counter,
    /// Both ends ended in order.
    pub complete: Counter,
    /// The peer, or the server, left and there was no more time.
    pub drained: Counter,
    /// Nothing moved for too long.
    pub idle: Counter,
    /// The peer was declared lost, or taken out.
    pub lost: Counter,
    /// The peer broke its connection.
    pub peer: Counter,
    /// Bytes from clients to peers.
    pub sent: Counter,
    /// Bytes from peers to clients.
    pub received: Counter,
}

/// Attempts after the first.
#[derive(Debug, Default)]
pub struct RetryMetrics {
    /// After a failure to connect, or an unsent request: they cost no budget.
    pub not_sent: Counter,
    /// After a failure of a sent request, or a listed status.
    pub charged: Counter,
    /// Not made, because the budget was spent.
    pub budget: Counter,
}

/// Streams of `subscriptions/listen` that lost their peer.
#[derive(Debug, Default)]
pub struct ListenMetrics {
    /// No peer would go on with them.
    pub closed: Counter,
    /// Another peer, or the same one anew, goes on with them.
    pub moved: Counter,
}

/// Requests without an answer from a peer.
#[derive(Debug, Default)]
pub struct FailureMetrics {
    /// Every breaker was open.
    pub all_open: Counter,
    /// No peer was usable, or all were at their limit.
    pub no_peer: Counter,
    /// The last attempt failed, and nothing had been sent.
    pub not_sent: Counter,
    /// The last attempt failed, and the request may have reached the peer.
    pub unknown: Counter,
    /// The response ended early, after its head had gone downstream.
    pub cut: Counter,
}

/// What is counted for a peer.
#[derive(Debug, Default)]
pub struct PeerMetrics {
    /// Attempts, by what came of them.
    pub attempts: AttemptMetrics,
    /// Connections opened for requests.
    pub connections: Counter,
    /// Connections opened for probes.
    pub probe_connections: Counter,
    /// Attempts on a connection that had served before.
    pub reused: Counter,
    /// Probes that passed.
    pub probes_passed: Counter,
    /// Probes that were told to come back later.
    pub probes_busy: Counter,
    /// Probes that failed.
    pub probes_failed: Counter,
    /// Times it was seen to have started over.
    pub restarts: Counter,
    /// Times the breaker opened.
    pub breaker_opened: Counter,
    /// MCP sessions that came and went.
    pub mcp_sessions: PeerSessionMetrics,
}

/// Attempts, by what came of them.
#[derive(Debug, Default)]
pub struct AttemptMetrics {
    /// An answer that says nothing against the peer.
    pub answered: Counter,
    /// An answer that counts against it (502, 503, 504, 500 …).
    pub failed_status: Counter,
    /// No connection.
    pub connect: Counter,
    /// A connection, but no TLS session.
    pub tls: Counter,
    /// The connection ended or broke before the head.
    pub reset: Counter,
    /// No head in time.
    pub timeout: Counter,
    /// A pooled connection had ended before anything was sent.
    pub stale: Counter,
    /// The response ended early.
    pub body: Counter,
    /// The client left first.
    pub cancelled: Counter,
}
