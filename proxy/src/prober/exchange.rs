//! One request of the prober's own, on a connection of its own.

use super::{Failed, secure};
use crate::error::describe;
use crate::group::Peer;
use crate::hooks::Hooks;
use crate::network::Network;
use crate::settings::{HttpVersion, Scheme};
use crate::thread::Thread;
use crate::upload::Upload;
use crate::upstream::{BodyError, Connection, ExchangeError, Shared, UpstreamHead, speaks_http2};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, header};
use std::convert::Infallible;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// What a peer answered.
#[derive(Debug)]
pub(super) struct Heard {
    /// All of it, or its first event.
    pub(super) response: Response<Bytes>,
    pub(super) trailers: HeaderMap,
}

/// Sends one request to a peer, in the HTTP that requests are sent in, and reads its answer.
pub(super) async fn exchange<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Failed> {
    let heard = hear(thread, peer, peer.http_version, request).await?;
    Ok(heard.response)
}

/// Sends one request to a peer and reads its answer.
pub(super) async fn hear<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    version: HttpVersion,
    request: Request<Bytes>,
) -> Result<Heard, Failed> {
    let mut connection = connect(thread, peer, version).await?;
    let (mut parts, body) = request.into_parts();
    let authority = peer.authority.clone();
    parts.headers.insert(header::HOST, authority);
    if let Some(credential) = &peer.credential {
        let (name, value) = (credential.name().clone(), credential.value().clone());
        parts.headers.insert(name, value);
    }
    let upload = Upload::full(body);
    let request = UpstreamHead::new(&parts);
    let limits = thread.head_limits();
    // The caller bounds the whole probe.
    let exchange = connection.exchange(&request, upload.body(), limits, |_| {
        Poll::<Infallible>::Pending
    });
    let head = match exchange.await {
        Ok(Ok(head)) => head,
        Ok(Err(error)) => return Err(unanswered(error)),
        Err(never) => match never {},
    };
    let events = head
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let (mut read, mut trailers) = (BytesMut::new(), HeaderMap::new());
    while let Some(frame) = poll_fn(|cx| connection.poll_frame(cx)).await {
        match frame.map_err(cut)?.into_data() {
            Ok(data) => read.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
        if read.len() > LARGEST || (events && has_data(&read)) {
            break;
        }
    }
    let response = Response::from_parts(head, read.freeze());
    Ok(Heard { response, trailers })
}

/// A connection for one exchange; it ends with that.
async fn connect<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    version: HttpVersion,
) -> Result<Connection<N::Stream>, Failed> {
    let stream = secure(thread, peer, version, Duration::from_secs(60)).await?;
    if !speaks_http2(version, &stream) {
        return Ok(Connection::http1(stream));
    }
    let scheme = match peer.url.scheme {
        Scheme::Http => http::uri::Scheme::HTTP,
        Scheme::Https => http::uri::Scheme::HTTPS,
    };
    let opened = Shared::open(stream, scheme, thread.http2_bounds()).await;
    let shared = opened.map_err(|error| Failed(error.to_string()))?;
    let lease = shared.lease();
    lease
        .map(Connection::H2)
        .ok_or_else(|| Failed("the connection takes no request".to_owned()))
}

fn unanswered(error: ExchangeError) -> Failed {
    Failed(match error {
        // No probe asks for a tunnel.
        ExchangeError::Client | ExchangeError::NoTunnel => "the request was not sent".to_owned(),
        ExchangeError::Peer { cause, source, .. } => match source {
            Some(source) => format!("{}: {source}", describe(cause)),
            None => describe(cause).to_owned(),
        },
    })
}

fn cut(error: BodyError) -> Failed {
    Failed(match error {
        BodyError::Client => "the request was not sent".to_owned(),
        BodyError::Peer(error) => format!("the peer cut its response: {error}"),
    })
}

/// Whether an event with data, not only comments or an id, is complete.
fn has_data(stream: &[u8]) -> bool {
    let text = String::from_utf8_lossy(stream).replace("\r\n", "\n");
    // What follows the last blank line is not complete.
    let Some((complete, _)) = text.rsplit_once("\n\n") else {
        return false;
    };
    complete.split("\n\n").any(|event| {
        event.lines().any(|line| {
            line.strip_prefix("data:")
                .is_some_and(|data| !data.trim().is_empty())
        })
    })
}

/// More than this of an answer is not read.
const LARGEST: usize = 1024 * 1024;
