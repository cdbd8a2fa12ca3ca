//! One HTTP/1.1 connection of a client.

use super::activity::{Activity, Verdict};
use super::connection::{Connection, until_told};
use super::registry::Origin;
use super::respond::{poll_body, respond};
use crate::body::{Body, Cut};
use crate::hooks::Hooks;
use crate::network::Network;
use crate::upload::UploadWatch;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Serves it until it ends, or is told to.
pub(super) async fn serve<N: Network, H: Hooks>(
    connection: Connection<N, H>,
    upload: &Arc<UploadWatch>,
) {
    let Connection {
        thread,
        stream,
        client,
        info,
        activity,
        registered,
    } = connection;
    let limits = thread.shared.limits();
    let switched = Cell::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        let number = activity.begin();
        let end = End(Arc::clone(&activity));
        let (thread, info, switched) = (&thread, &info, &switched);
        async move {
            let mut response = respond(thread, info, upload, request).await;
            if let Some(tunnel) = response.body_mut().take_tunnel() {
                // Its end is that of the connection, which serves no other request.
                end.0.streams();
                switched.set(Some((tunnel, end)));
                return Ok(response.map(|body| Served { body, _end: None }));
            }
            let rules = thread.shared.rules.load();
            let most = rules.limits.requests_per_connection;
            let last = most > 0 && number >= most;
            if last {
                thread.shared.metrics.limits.requests.increment();
            }
            if last || !rules.allows(&Origin::of(info)) {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            // Not a tunnel, whose halves end one by one.
            let field = response.headers().get(header::CONNECTION);
            if field.is_some_and(|value| value == "close") {
                end.0.leave_unread();
            }
            if response.body().may_last() {
                end.0.streams();
            }
            let end = Some(end);
            Ok::<_, Infallible>(response.map(|body| Served { body, _end: end }))
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .half_close(client.half_close)
        // The registry bounds the head; hyper's own timer costs 6 % of a request.
        .header_read_timeout(None)
        // hyper refuses anything below 8 KiB.
        .max_buf_size(limits.head_size.max(8 * 1024));
    if limits.headers != HYPER_HEADERS {
        builder.max_headers(limits.headers);
    }
    let mut serving = builder.serve_connection(TokioIo::new(stream), service);
    let drain = |serving: Pin<&mut http1::Connection<_, _>>| serving.graceful_shutdown();
    match until_told(&activity, &registered, Pin::new(&mut serving), drain).await {
        Err(error) if error.is_parse() || error.is_parse_too_large() => {
            thread.shared.metrics.limits.parse.increment();
            tracing::debug!(client = client.address.map(display), %error, "request_refused");
        }
        Err(_) => {}
        Ok(()) => {
            let Some((tunnel, _end)) = switched.take() else {
                return;
            };
            let parts = serving.into_parts();
            let told = |cx: &Context<'_>| {
                // A drain gives it the time of streams, which the tunnel itself looks after.
                let verdict = registered.poll_verdict(Verdict::Drain, cx.waker());
                verdict.map(|_| ())
            };
            // In a box: every connection would be as large as the few that are tunnels.
            Box::pin(tunnel.run(parts.io.into_inner(), parts.read_buf, told)).await;
        }
    }
}

/// Notes the end of a request, however it ends.
struct End(Arc<Activity>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A response body, and the note that it has ended.
struct Served<N: Network, H: Hooks> {
    body: Body<N, H>,
    _end: Option<End>,
}

impl<N: Network, H: Hooks> HttpBody for Served<N, H> {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        poll_body(&mut self.get_mut().body, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What hyper allows by itself. Told another number it fills a table of that length for every head:
/// 3,500 instructions a request.
const HYPER_HEADERS: usize = 100;
