//! One request of the prober's own, on a connection of its own.

use super::{Failed, secure};
use crate::group::Peer;
use crate::hooks::Hooks;
use crate::network::Network;
use crate::thread::Thread;
use bytes::{Bytes, BytesMut};
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::Duration;

/// Sends one request to a peer and reads its answer: all of it, or its first event.
pub(super) async fn exchange<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    mut request: Request<Bytes>,
) -> Result<Response<Bytes>, Failed> {
    // The caller bounds the whole probe.
    let stream = secure(thread, peer, Duration::from_secs(60)).await?;
    let failed = |error: hyper::Error| Failed(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let driving = tokio::task::spawn_local(async move {
        // An error also reaches the request.
        drop(connection.await);
    });
    let driving = Abort(driving);
    request
        .headers_mut()
        .insert(header::HOST, peer.authority.clone());
    if let Some(credential) = &peer.credential {
        let (name, value) = (credential.name().clone(), credential.value().clone());
        request.headers_mut().insert(name, value);
    }
    let response = sender
        .send_request(request.map(Full::new))
        .await
        .map_err(failed)?;
    let (head, mut body) = response.into_parts();
    let events = head
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(failed)?.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > LARGEST || (events && has_data(&read)) {
            break;
        }
    }
    drop(driving);
    Ok(Response::from_parts(head, read.freeze()))
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

struct Abort(tokio::task::JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// More than this of an answer is not read.
const LARGEST: usize = 1024 * 1024;
