//! One HTTP/2 connection of a client: its requests run side by side, each in a task of its own.

use super::activity::Verdict;
use super::connection::{Connection, until_told};
use super::frames::Framed;
use super::respond::{poll_body, respond};
use super::streams::{Stream, Streams};
use super::upgraded::Upgraded;
use crate::body::{Body, Cut};
use crate::grpc;
use crate::hooks::Hooks;
use crate::local::Local;
use crate::metrics::{Counter, LimitMetrics};
use crate::network::Network;
use crate::settings::Limits;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Serves it until it ends, or is told to.
pub(super) async fn serve<N: Network, H: Hooks>(connection: Connection<N, H>) {
    let Connection {
        thread,
        stream,
        client,
        info,
        activity,
        registered,
    } = connection;
    let streams = Streams::new(thread.clock.now());
    registered.multiplexes(&streams);
    let service = service_fn(|mut request: Request<Incoming>| {
        let (stream, number) = streams.open(thread.clock.recent());
        let most = thread.shared.rules.load().limits.requests_per_connection;
        // Once: those that come later were under way when the client was told.
        if most > 0 && number >= most && activity.verdict() == Verdict::Serve {
            thread.shared.metrics.limits.requests.increment();
            activity.decide(Verdict::Drain);
        }
        let (thread, info) = (Rc::clone(&thread), Arc::clone(&info));
        async move {
            if grpc::is_grpc(request.headers()) {
                stream.upload().may_dawdle();
            }
            let asks_head = request.method() == Method::HEAD;
            let connects = request.method() == Method::CONNECT;
            let upgrade = connects.then(|| hyper::upgrade::on(&mut request));
            let mut response = respond(&thread, &info, stream.upload(), request).await;
            if let Some(tunnel) = response.body_mut().take_tunnel()
                && let Some(upgrade) = upgrade
            {
                stream.streams_events();
                // hyper hands the stream out once it has written the head.
                drop(tokio::task::spawn_local(async move {
                    if let Ok(upgraded) = upgrade.await {
                        let client = Upgraded::new(upgraded, stream);
                        // Its connection ends it, if that has to close.
                        tunnel.run(client, Bytes::new(), |_| Poll::Pending).await;
                    }
                }));
                return Ok(response.map(|body| Served::new(body, None)));
            }
            if response.body().may_last() {
                stream.streams_events();
            }
            let response = if asks_head || is_bodiless(response.status()) {
                without_body(response)
            } else {
                response
            };
            Ok::<_, Infallible>(response.map(|body| Served::new(body, Some(stream))))
        }
    });
    let io = TokioIo::new(Framed::new(stream, &activity));
    let serving = pin!(builder(&thread.shared.limits()).serve_connection(io, service));
    let drain = |serving: Pin<&mut http2::Connection<_, _, _>>| serving.graceful_shutdown();
    if let Err(error) = until_told(&activity, &registered, serving, drain).await
        && let Some(counter) = broken(&error, &thread.shared.metrics.limits)
    {
        counter.increment();
        tracing::debug!(client = client.address.map(display), %error, "connection_refused");
    }
}

fn builder(limits: &Limits) -> http2::Builder<Local> {
    let bounds = &limits.http2;
    let mut builder = http2::Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval((!bounds.ping.is_zero()).then_some(bounds.ping))
        .keep_alive_timeout(bounds.ping)
        .max_concurrent_streams(bounds.streams)
        .initial_stream_window_size(bounds.stream_window)
        .initial_connection_window_size(bounds.connection_window)
        .max_header_list_size(bounds.header_list)
        .max_pending_accept_reset_streams(bounds.pending_resets)
        .max_local_error_reset_streams(bounds.local_resets)
        // RFC 8441 §3: a stream may become a tunnel.
        .enable_connect_protocol()
        // What a client that does not read may make us hold, per stream.
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// What to count when a connection ends because the client broke a rule.
fn broken<'a>(error: &hyper::Error, metrics: &'a LimitMetrics) -> Option<&'a Counter> {
    let error = std::error::Error::source(error)?.downcast_ref::<h2::Error>()?;
    if !error.is_library() {
        return None;
    }
    match error.reason()? {
        h2::Reason::ENHANCE_YOUR_CALM => Some(&metrics.http2_resets),
        h2::Reason::NO_ERROR => None,
        _ => Some(&metrics.parse),
    }
}

/// RFC 9110 §6.4.1.
fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// hyper's HTTP/1 half leaves out a body that must not be; its HTTP/2 half sends what it gets.
fn without_body<N: Network, H: Hooks>(mut response: Response<Body<N, H>>) -> Response<Body<N, H>> {
    if let Body::Full(bytes) = response.body_mut() {
        let length = std::mem::take(bytes).len();
        let none = response.status() == StatusCode::NO_CONTENT;
        if length > 0 && !none {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    response
}

/// A response body on its way to one stream.
struct Served<N: Network, H: Hooks> {
    body: Body<N, H>,
    /// What did not fit into the last piece.
    rest: Bytes,
    /// None behind the head of a tunnel, which has it.
    stream: Option<Stream>,
}

impl<N: Network, H: Hooks> Served<N, H> {
    fn new(body: Body<N, H>, stream: Option<Stream>) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            stream,
        }
    }

    /// As much as may be given to hyper at once: the last piece is out of our sight, so a client
    /// that does not read must not make it large.
    fn piece(&mut self, mut data: Bytes) -> Frame<Bytes> {
        if data.len() > PIECE {
            self.rest = data.split_off(PIECE);
        }
        if let Some(stream) = &self.stream {
            stream.gave();
        }
        Frame::data(data)
    }
}

impl<N: Network, H: Hooks> HttpBody for Served<N, H> {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        if let Some(stream) = &this.stream {
            stream.asked();
        }
        if !this.rest.is_empty() {
            let rest = std::mem::take(&mut this.rest);
            return Poll::Ready(Some(Ok(this.piece(rest))));
        }
        match poll_body(&mut this.body, cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(data) => this.piece(data),
                Err(trailers) => trailers,
            }))),
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() {
            self.body.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

/// The largest payload of a frame by default (RFC 9113 §6.5.2).
const PIECE: usize = 16 * 1024;
/// As much as the window that most clients open by default.
const SEND_BUFFER: usize = 64 * 1024;
