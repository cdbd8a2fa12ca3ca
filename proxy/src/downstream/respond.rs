//! From a request to its response, whatever a hook does on the way.

use crate::body::{Body, Cut};
use crate::forward;
use crate::grpc;
use crate::hooks::Hooks;
use crate::network::Network;
use crate::reply;
use crate::session::ConnectionInfo;
use crate::thread::Thread;
use crate::upload::UploadWatch;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Answers one request; a panic on the way is a 500, and nothing else.
pub(super) async fn respond<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    info: &Arc<ConnectionInfo>,
    upload: &Arc<UploadWatch>,
    request: Request<Incoming>,
) -> Response<Body<N, H>> {
    let is_call = grpc::is_call(request.version(), request.headers());
    let mut serving = pin!(forward::serve(thread, info, upload, request));
    let caught = std::future::poll_fn(|cx| {
        match catch_unwind(AssertUnwindSafe(|| serving.as_mut().poll(cx))) {
            Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await;
    caught.unwrap_or_else(|| {
        thread.shared.metrics.panics.increment();
        tracing::error!(client = info.client.map(display), "hook_panicked");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let reply = reply::plain(status, "proxy_internal_error", "internal error");
        let reply = if is_call { grpc::answer(reply) } else { reply };
        reply.map(Body::Full)
    })
}

/// The next frame of a response body; a transformation is a hook's too, and may panic.
pub(super) fn poll_body<N: Network, H: Hooks>(
    body: &mut Body<N, H>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
    match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *body).poll_frame(cx))) {
        Ok(polled) => polled,
        Err(_) => Poll::Ready(Some(Err(Cut))),
    }
}
