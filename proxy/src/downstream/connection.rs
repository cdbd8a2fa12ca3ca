//! One client connection, from its first byte to its last.

use super::activity::{Activity, Verdict};
use super::handshake::Shaking;
use super::registry::Registry;
use super::watched::Watched;
use crate::body::{Body, Cut};
use crate::forward::serve;
use crate::hooks::Hooks;
use crate::network::Network;
use crate::reply;
use crate::session::ConnectionInfo;
use crate::thread::Thread;
use crate::tls::{ClientCertificate, ClientTls, Terminator, Wire};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future as _;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Who is at the other end, and what the listener says of such clients.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) trusted: bool,
    pub(crate) half_close: bool,
    /// It has to speak TLS.
    pub(crate) tls: Option<Arc<Terminator>>,
}

/// Serves one connection until it ends, or is told to.
pub(crate) async fn serve_connection<N: Network, H: Hooks>(
    thread: Rc<Thread<N, H>>,
    registry: Rc<Registry>,
    stream: N::Stream,
    client: Client,
) {
    let limits = &thread.shared.limits;
    let activity = Arc::new(Activity::default());
    let stream = Watched::new(stream, &activity);
    let stream = match &client.tls {
        None => Wire::Plain(stream),
        Some(terminator) => {
            let shaking = Shaking {
                thread: &thread,
                registry: &registry,
                activity: &activity,
            };
            match shaking
                .run(terminator, stream.expecting_tls(), client.address)
                .await
            {
                Some(stream) => stream,
                None => return,
            }
        }
    };
    let mut info = ConnectionInfo::new(client.address, client.local, client.trusted);
    info.tls = ClientTls::of(&stream);
    if client.tls.as_ref().is_some_and(|tls| tls.forwards()) {
        let certificate = info.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        info.client_cert = certificate.and_then(ClientCertificate::header);
    }
    let info = Arc::new(info);
    let registered = registry.enter(&activity, &info.upload, thread.clock.now());
    let service = service_fn(|request: Request<Incoming>| {
        let last = activity.begin() == limits.requests_per_connection;
        let end = End(Arc::clone(&activity));
        let (thread, info) = (&thread, &info);
        async move { Ok::<_, Infallible>(respond(thread, info, request, end, last).await) }
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
    let io = TokioIo::new(stream);
    let mut serving = pin!(builder.serve_connection(io, service));
    let mut known = Verdict::Serve;
    let result = std::future::poll_fn(|cx| {
        while let Poll::Ready(verdict) = registered.poll_verdict(known, cx.waker()) {
            known = verdict;
            match verdict {
                Verdict::Serve => {}
                Verdict::Drain => serving.as_mut().graceful_shutdown(),
                Verdict::Close => return Poll::Ready(Ok(())),
            }
        }
        serving.as_mut().poll(cx)
    })
    .await;
    if let Err(error) = result {
        let metrics = &thread.shared.metrics.limits;
        if error.is_parse() || error.is_parse_too_large() {
            metrics.parse.increment();
            tracing::debug!(client = %client.address, %error, "request_refused");
        }
    }
}

/// Answers one request; a panic on the way is a 500, and nothing else.
async fn respond<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    info: &Arc<ConnectionInfo>,
    request: Request<Incoming>,
    end: End,
    last: bool,
) -> Response<Served<N, H>> {
    let mut serving = pin!(serve(thread, info, request));
    let caught = std::future::poll_fn(|cx| {
        match catch_unwind(AssertUnwindSafe(|| serving.as_mut().poll(cx))) {
            Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await;
    let mut response = caught.unwrap_or_else(|| {
        thread.shared.metrics.panics.increment();
        tracing::error!(client = %info.client, "hook_panicked");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        reply::plain(status, "proxy_internal_error", "internal error").map(Body::Full)
    });
    if last {
        thread.shared.metrics.limits.requests.increment();
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if response.body().is_event_stream() {
        end.0.streams();
    }
    response.map(|body| Served { body, _end: end })
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
    _end: End,
}

impl<N: Network, H: Hooks> HttpBody for Served<N, H> {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let body = &mut self.get_mut().body;
        // A transformation is a hook's too.
        match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *body).poll_frame(cx))) {
            Ok(polled) => polled,
            Err(_) => Poll::Ready(Some(Err(Cut))),
        }
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
pub(crate) const HYPER_HEADERS: usize = 100;
