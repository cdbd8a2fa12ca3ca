//! Calls as clients and servers of gRPC make them.

use crate::support::World;
use crate::support::h2::{H2Reply, post};
use crate::support::h2_peer::H2Peer;
use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};

/// The head of a call.
pub(super) fn call(path: &str) -> Request<()> {
    let mut call = post(path);
    let fields = call.headers_mut();
    fields.insert(
        "content-type",
        HeaderValue::from_static("application/grpc+proto"),
    );
    fields.insert("te", HeaderValue::from_static("trailers"));
    call
}

/// One that has a message.
pub(super) fn said(path: &str) -> Request<Bytes> {
    call(path).map(|()| message("ask"))
}

/// A message in its frame.
pub(super) fn message(text: &str) -> Bytes {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    let mut frame = vec![0];
    frame.extend(length);
    frame.extend(text.as_bytes());
    frame.into()
}

/// How a call ends.
pub(super) fn status(code: u16) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    trailers
}

/// Ends a call without a message: what its trailers say is in the head.
pub(super) fn only_status(mut respond: SendResponse<Bytes>, code: u16) {
    let mut head = Response::new(());
    *head.headers_mut() = status(code);
    let kind = HeaderValue::from_static("application/grpc");
    head.headers_mut().insert("content-type", kind);
    // A client that left is no news here.
    drop(respond.send_response(head, true));
}

/// Answers a call with a message.
pub(super) fn answer(mut respond: SendResponse<Bytes>, text: &str, code: u16) {
    if let Ok(mut body) = respond.send_response(Response::new(()), false) {
        drop(body.send_data(message(text), false));
        drop(body.send_trailers(status(code)));
    }
}

/// Sends one message in answer to each call of the first peer, and nothing after it.
pub(super) fn say_once(world: &World) {
    H2Peer::start(world, 0, |_, mut respond| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data(message("one"), false).unwrap();
        std::future::pending::<()>().await;
    });
}

/// How a call ended for its client, and whether that was in the head.
pub(super) fn ended(reply: &H2Reply) -> (String, bool) {
    assert_eq!(
        reply.status, 200,
        "what gRPC says is not in the status of HTTP"
    );
    let head = reply.headers.get("grpc-status");
    let trailers = reply.trailers.as_ref();
    let last = trailers.and_then(|trailers| trailers.get("grpc-status"));
    let status = head.or(last).expect("a status");
    (status.to_str().unwrap().to_owned(), head.is_some())
}
