//! A new connection to a peer.

use super::race::race;
use crate::group::Peer;
use crate::names::Place;
use crate::network::Network;
use crate::settings::HttpVersion;
use crate::tls::{Alpn, HandshakeError, Wire};
use std::io;
use std::time::Duration;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// Our own descriptors or ports are used up; no peer's fault (rule 6).
    Exhausted(io::Error),
    /// The peer refused, or its name has no address.
    Refused(io::Error),
    /// It took too long.
    Timeout,
    /// There is a connection, but no TLS session on it.
    Tls(HandshakeError),
}

/// Connects to a peer to speak such HTTP, with TLS where its URL says so, within one deadline.
pub(crate) async fn open<N: Network>(
    network: &N,
    peer: &Peer,
    version: HttpVersion,
    timeout: Duration,
) -> Result<Wire<N::Stream>, ConnectError> {
    let Some(dialer) = &peer.tls else {
        let connected = connect(network, peer, timeout).await;
        return connected.map(Wire::Plain);
    };
    let opening = async {
        let stream = connect(network, peer, timeout).await?;
        let shaken = dialer.handshake(stream, offered(version)).await;
        shaken.map_err(ConnectError::Tls)
    };
    tokio::time::timeout(timeout, opening)
        .await
        .unwrap_or(Err(ConnectError::Timeout))
}

/// Which HTTP is spoken on a new connection: what the handshake settled on, else what is known
/// beforehand (RFC 9113 §3.3).
pub(crate) fn speaks_http2<S>(version: HttpVersion, stream: &Wire<S>) -> bool {
    match stream.negotiated() {
        Some(alpn) => alpn == Alpn::H2,
        None => version == HttpVersion::Http2,
    }
}

/// What a TLS handshake offers, the best first.
pub(crate) fn offered(version: HttpVersion) -> &'static [Alpn] {
    match version {
        HttpVersion::Auto => &[Alpn::H2, Alpn::Http1],
        HttpVersion::Http1 => &[Alpn::Http1],
        HttpVersion::Http2 => &[Alpn::H2],
    }
}

/// Connects to a peer at any of its addresses, within one deadline.
pub(crate) async fn connect<N: Network>(
    network: &N,
    peer: &Peer,
    timeout: Duration,
) -> Result<N::Stream, ConnectError> {
    let connecting = async {
        match peer.places.now().await? {
            Place::Addresses(addresses) => race(network, &addresses).await,
            Place::Path(path) => network.connect_unix(&path).await,
            Place::Service(service) => race(network, &service.order()).await,
        }
    };
    match tokio::time::timeout(timeout, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if is_exhaustion(&error) => Err(ConnectError::Exhausted(error)),
        Ok(Err(error)) => Err(ConnectError::Refused(error)),
        Err(_) => Err(ConnectError::Timeout),
    }
}

/// Whether an error says that this process or machine ran out of something.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(EMFILE | ENFILE | ENOBUFS | ENOMEM)
    ) || error.kind() == io::ErrorKind::AddrNotAvailable
}

// The numbers are the same on Linux, macOS and the BSDs, but for ENOBUFS, which is 55 there.
const ENOMEM: i32 = 12;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
