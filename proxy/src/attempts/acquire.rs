//! A connection for one attempt: one that stands, or a new one.

use super::attempt::{Bounds, Failed};
use crate::error::{AttemptError, Phase};
use crate::hooks::{Hooks, Target};
use crate::network::Network;
use crate::settings::HttpVersion;
use crate::thread::Thread;
use crate::upstream::{ConnectError, Connection, Shared, open, speaks_http2};
use http::uri::Scheme;
use lb::{Cause, Failure, PeerIndex, Received, Sent, Time};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Gets a connection.
pub(crate) async fn acquire<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    target: &Target,
    index: PeerIndex,
    bounds: Bounds,
) -> Result<Connection<N::Stream>, Failed> {
    let peer = target.group.peer(index);
    let version = match peer.http_version {
        // Few servers make tunnels of HTTP/2 streams, and who does not says so too late: where
        // there is a choice a tunnel gets a connection of its own, as browsers have it.
        HttpVersion::Auto if bounds.tunnel => HttpVersion::Http1,
        version => version,
    };
    let shares = version != HttpVersion::Http1;
    // What is shared is never stale: it knows of itself whether it takes requests.
    let lease = || {
        let exchange = thread.pools.shared.lease(peer.number)?;
        peer.metrics.reused.increment();
        Some(Connection::H2(exchange))
    };
    if shares && let Some(connection) = lease() {
        return Ok(connection);
    }
    if !bounds.fresh
        && let Some(connection) = thread.pools.take(peer.number, thread.clock.recent())
    {
        peer.metrics.reused.increment();
        return Ok(connection);
    }
    let began = thread.clock.now();
    // The request's own time may be over before the connect timeout is: no fault of the peer.
    let late = || match bounds.total {
        Some(total) if total <= thread.clock.now() => Failed::Total(Sent::Nothing),
        _ => failed(index, Cause::ConnectTimeout, None),
    };
    let left = |since: Time| {
        let ends = [
            Some(since + target.timeouts.connect),
            bounds.per_try.map(|per_try| began + per_try),
            bounds.total,
        ];
        let end = ends.into_iter().flatten().min().unwrap_or(since);
        end.since(thread.clock.now())
    };
    let dials = thread.pools.dials(peer).filter(|_| shares);
    let Some(dials) = dials else {
        return dial(thread, target, index, (version, left(began)), late).await;
    };
    let wanting = dials.want();
    loop {
        let left = left(wanting.since(began));
        if left.is_zero() {
            return Err(late());
        }
        if let Some(_dialing) = wanting.dial() {
            return dial(thread, target, index, (version, left), late).await;
        }
        // Too late or not, there is more to look at then.
        drop(tokio::time::timeout(left, wanting.ended()).await);
        if let Some(connection) = lease() {
            return Ok(connection);
        }
    }
}

/// Makes a connection, and shares it if others can use it at the same time.
async fn dial<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    target: &Target,
    index: PeerIndex,
    (version, limit): (HttpVersion, Duration),
    late: impl Fn() -> Failed,
) -> Result<Connection<N::Stream>, Failed> {
    let peer = target.group.peer(index);
    let stream = match open(&thread.network, peer, version, limit).await {
        Ok(stream) => stream,
        Err(ConnectError::Exhausted(error)) => return Err(Failed::Exhausted(error)),
        Err(ConnectError::Refused(error)) => {
            return Err(failed(index, Cause::Connect, Some(Arc::new(error))));
        }
        Err(ConnectError::Timeout) => return Err(late()),
        Err(ConnectError::Tls(error)) => {
            target.group.report_tls(index, &error);
            return Err(failed(index, Cause::Tls, Some(Arc::new(error))));
        }
    };
    let progress = || {
        if let Some(dials) = thread.pools.shared.dials(peer.number) {
            dials.progress(thread.clock.now());
        }
    };
    progress();
    peer.tls_succeeded();
    peer.metrics.connections.increment();
    let http2 = speaks_http2(version, &stream);
    if version == peer.http_version {
        thread.pools.shared.learn(peer.number, http2);
    }
    if !http2 {
        return Ok(Connection::http1(stream));
    }
    let scheme = if peer.tls.is_some() {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    };
    let opening = Shared::open(stream, scheme, thread.http2_bounds());
    let shared = match tokio::time::timeout(limit, opening).await {
        Ok(Ok(shared)) => shared,
        Ok(Err(error)) => return Err(failed(index, Cause::Connect, Some(Arc::new(error)))),
        Err(_) => return Err(late()),
    };
    progress();
    let exchange = shared.lease();
    let settings = &target.group.settings;
    let (keep, most) = (settings.pool_idle, settings.pool_size);
    thread.pools.shared.put(peer.number, shared, keep, most);
    exchange
        .map(Connection::H2)
        .ok_or_else(|| failed(index, Cause::Connect, None))
}

fn failed(peer: PeerIndex, cause: Cause, source: Option<Arc<dyn Error + Send + Sync>>) -> Failed {
    Failed::Peer(AttemptError {
        phase: Phase::Connect,
        failure: Failure {
            cause,
            sent: Sent::Nothing,
            received: Received::Nothing,
            reused: false,
        },
        peer,
        source,
    })
}
