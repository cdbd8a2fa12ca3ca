//! The downstream half of one request.

use crate::clock::Clock;
use crate::error::ProxyError;
use crate::exchange::Exchange;
pub use crate::exchange::{AnswerError, Exchanged};
use crate::group::Group;
use crate::grpc;
use crate::network::Address;
use crate::settings::Limits;
use crate::tls::ClientTls;
pub use crate::upload::ReadError;
use crate::upload::Upload;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, header};
use lb::{PeerIndex, Time};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a client connection; one per connection, shared by its requests.
#[derive(Debug)]
pub struct ConnectionInfo {
    /// The client's address; none: it came over a socket in the file system.
    pub client: Option<SocketAddr>,
    /// The address the client connected to.
    pub local: Address,
    /// The client is a proxy of ours: what it says of who forwarded what is kept.
    pub trusted: bool,
    /// What its handshake came to; none if it speaks cleartext.
    pub tls: Option<ClientTls>,
    /// `Client-Cert`, where peers are told.
    pub(crate) client_cert: Option<HeaderValue>,
    /// The client's address as `X-Forwarded-For` has it, if it has one.
    pub(crate) forwarded_for: Option<HeaderValue>,
}

impl ConnectionInfo {
    /// The facts of a connection without TLS.
    pub fn new(client: Option<SocketAddr>, local: Address, trusted: bool) -> Self {
        // An IP address is always a valid field value.
        let forwarded_for = client
            .and_then(|client| HeaderValue::from_str(&client.ip().to_canonical().to_string()).ok());
        Self {
            client,
            local,
            trusted,
            tls: None,
            client_cert: None,
            forwarded_for,
        }
    }

    /// Whether the client came by HTTPS.
    pub fn secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The scheme the client used.
    pub fn scheme(&self) -> &'static str {
        if self.secure() { "https" } else { "http" }
    }
}

/// The downstream half of one request, and what became of it so far.
pub struct Session {
    /// The request head as the client sent it; hooks may change it before a group is chosen.
    pub request: Parts,
    /// The connection it came on.
    pub connection: Arc<ConnectionInfo>,
    /// When its head was complete.
    pub started: Time,
    /// Bounds on what it may cost.
    pub limits: Arc<Limits>,
    pub(crate) upload: Upload,
    pub(crate) report: Report,
    pub(crate) clock: Rc<Clock>,
    pub(crate) thread: Rc<dyn Exchange>,
    /// What the hooks want to go on where the response stopped short.
    pub(crate) handed: Option<Exchanged>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("request", &self.request)
            .field("upload", &self.upload)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The scheme the client used, as far as it is known: what a trusted proxy in front says, else
    /// that of the connection.
    pub fn scheme(&self) -> &'static str {
        let said = self.request.headers.get("x-forwarded-proto");
        match said.filter(|_| self.connection.trusted) {
            Some(proto) if proto.as_bytes().eq_ignore_ascii_case(b"https") => "https",
            Some(_) => "http",
            None => self.connection.scheme(),
        }
    }

    /// Whether it is a call of gRPC.
    pub(crate) fn is_call(&self) -> bool {
        grpc::is_call(self.request.version, &self.request.headers)
    }

    /// Whether its body could be sent to another peer.
    pub fn body_replayable(&self) -> bool {
        self.upload.is_replayable()
    }

    /// Whether it has a body.
    pub fn has_body(&self) -> bool {
        !self.upload.is_empty()
    }

    /// Whether the head of a final response has gone downstream: no further attempt then.
    pub fn response_committed(&self) -> bool {
        self.report.committed
    }

    /// What became of it so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Refuses a body of more than `most` bytes from now on: reading or sending it then fails, and
    /// the client gets 413 if no answer has begun.
    ///
    /// # Errors
    /// The client has announced more, or sent more already; no peer has to see any of it.
    pub fn bound_body(&self, most: u64) -> Result<(), ReadError> {
        self.upload.bound(most);
        if self.upload.is_over() {
            return Err(ReadError::Refused);
        }
        Ok(())
    }

    /// Reads its body, unless it is longer than `limit`; attempts still send all of it.
    ///
    /// # Errors
    /// The client failed to send it, or more than it may, or it is too long to read; in the last
    /// case it can still be sent, once.
    pub async fn read_body(&self, limit: usize) -> Result<Bytes, ReadError> {
        self.upload.read_whole(limit).await
    }

    /// Sends another body in place of the client's, which must have been read whole.
    pub fn replace_body(&mut self, body: Bytes) {
        let length = HeaderValue::from(body.len());
        self.request.headers.insert(header::CONTENT_LENGTH, length);
        self.upload = Upload::full(body);
    }

    /// Its body, if an attempt has read all of it and it was kept.
    pub fn body_read(&self) -> Option<Bytes> {
        self.upload.whole()
    }

    /// Asks a peer something in the hooks' own name, besides this request; waits for the head of
    /// the answer, `patience` at most. What comes of it counts for the peer like any attempt.
    ///
    /// # Errors
    /// The peer cannot be asked now, or did not answer.
    pub async fn exchange(
        &self,
        group: &Arc<Group>,
        peer: PeerIndex,
        request: Request<Bytes>,
        patience: Duration,
    ) -> Result<Exchanged, ProxyError> {
        let thread = Rc::clone(&self.thread);
        let exchanging = thread.exchange(Arc::clone(group), peer, request, patience);
        exchanging.await
    }

    /// Brings an answer that goes on where the response stopped short, for
    /// [`Hooks::relocate`](crate::hooks::Hooks::relocate) when it names the target that gave it:
    /// that target is not asked again then. Before a head has gone downstream it is dropped.
    pub fn hand_over(&mut self, answer: Exchanged) {
        self.handed = Some(answer);
    }

    /// The clock and the entropy of its thread.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// What became of a request.
#[derive(Debug, Default)]
pub struct Report {
    /// One entry per attempt, in order.
    pub attempts: Vec<AttemptReport>,
    /// The status that went downstream.
    pub status: Option<http::StatusCode>,
    /// How the call ended, if it is one of gRPC and that was said.
    pub grpc_status: Option<grpc::Status>,
    /// Bytes of the response body, or of the tunnel, that went downstream.
    pub response_bytes: u64,
    /// Bytes that went upstream through the tunnel, if there was one.
    pub tunnelled: Option<u64>,
    /// When the response ended.
    pub ended: Time,
    /// How the response ended.
    pub end: End,
    pub(crate) committed: bool,
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub struct AttemptReport {
    /// Which peer.
    pub peer: PeerIndex,
    /// The status it answered with, if it did; that of an answer to a call of gRPC which has no
    /// body is the one that says as much.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub cause: Option<lb::Cause>,
    /// When it began.
    pub began: Time,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum End {
    /// The client left, or the proxy closed its connection.
    #[default]
    Cancelled,
    /// Whole.
    Complete,
    /// The peer cut it.
    Cut,
    /// A tunnel was closed, because the peer or the server left.
    Drained,
    /// A tunnel was closed, because nothing moved for too long.
    Idle,
    /// A tunnel was closed, because its peer was declared lost or taken out.
    Lost,
}
