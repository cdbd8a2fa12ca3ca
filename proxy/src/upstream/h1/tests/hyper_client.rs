//! What hyper's client makes of the bytes of a peer.

use super::super::replay::{Replayed, Script};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// As `replay`, by hyper.
pub(super) fn replay(method: Method, pieces: &[&[u8]]) -> Replayed {
    let mut cx = Context::from_waker(Waker::noop());
    let mut replayed = Replayed::default();
    let stream = TokioIo::new(Script::new(pieces));
    let mut shaking = pin!(http1::handshake::<_, Empty<Bytes>>(stream));
    let Poll::Ready(Ok((mut sender, connection))) = shaking.as_mut().poll(&mut cx) else {
        panic!("no handshake");
    };
    let mut connection = pin!(connection);
    let request = Request::builder()
        .method(method)
        .uri("/")
        .body(Empty::new());
    let mut asking = Box::pin(async {
        let answer = sender.send_request(request.unwrap()).await?;
        let (head, mut body) = answer.into_parts();
        replayed.status = Some(head.status.as_u16());
        replayed.fields = head.headers;
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) => replayed.body.extend_from_slice(&data),
                Err(frame) => replayed.trailers = frame.into_trailers().ok(),
            }
        }
        replayed.whole = true;
        Ok::<_, hyper::Error>(())
    });
    let mut ended = false;
    loop {
        if asking.as_mut().poll(&mut cx).is_ready() {
            break;
        }
        ended = ended || connection.as_mut().poll(&mut cx).is_ready();
    }
    drop(asking);
    replayed
}
