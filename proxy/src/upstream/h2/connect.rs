//! A request to switch protocols, in the words of HTTP/2: an extended CONNECT (RFC 8441).

use super::exchange::{Exchange, malformed, poll_interim, unsaid};
use super::failure::explain;
use super::pipe::Pipe;
use super::request::translate;
use crate::upstream::{ExchangeError, Fault, HeadLimits, UpstreamHead};
use crate::websocket;
use ::h2::ext::Protocol;
use ::h2::{RecvStream, SendStream};
use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header, response};
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What was asked for, which is how the answer is put into the words of HTTP/1.1.
#[derive(Debug)]
struct Asked {
    protocol: HeaderValue,
    /// What answers the key of the client, which peers of HTTP/2 do not see.
    accept: Option<HeaderValue>,
}

/// The head that asks for the first protocol offered; none if it cannot be said.
fn ask(head: &UpstreamHead<'_>, scheme: &Scheme) -> Option<(Request<()>, Asked)> {
    let offered = head.get(&header::UPGRADE)?.to_str().ok()?;
    let protocol = offered.split(',').next().map(str::trim)?.to_owned();
    let accept = head.get(&websocket::KEY).map(websocket::accept);
    let mut request = translate(head, scheme, None)?;
    *request.method_mut() = Method::CONNECT;
    for name in [websocket::KEY, TE] {
        request.headers_mut().remove(name);
    }
    let extensions = request.extensions_mut();
    extensions.insert(Protocol::from(protocol.as_str()));
    let protocol = HeaderValue::from_str(&protocol).ok()?;
    Some((request, Asked { protocol, accept }))
}

impl Exchange {
    /// Asks for a tunnel (RFC 8441), if the peer makes any.
    pub(super) async fn connect<G>(
        &mut self,
        head: &UpstreamHead<'_>,
        limits: HeadLimits,
        mut give_up: impl FnMut(&Context<'_>) -> Poll<G>,
    ) -> Result<Result<response::Parts, ExchangeError>, G> {
        if !self.makes_tunnels(&mut give_up).await? {
            return Ok(Err(ExchangeError::NoTunnel));
        }
        let Some((request, asked)) = ask(head, self.lease.scheme()) else {
            return Ok(Err(unsaid()));
        };
        let mut sender = self.lease.sender();
        let mark = self.lease.written();
        let (mut answer, stream) = match sender.send_request(request, false) {
            Ok(begun) => begun,
            Err(error) => return Ok(Err(explain(error, false))),
        };
        self.begun = true;
        let mut waiting = Some((stream, asked));
        let mut interim = 0;
        std::future::poll_fn(|cx| {
            if !poll_interim(&mut answer, &mut interim, limits.interim, cx) {
                return Poll::Ready(Ok(Err(malformed(Fault::Interim))));
            }
            if let Poll::Ready(answered) = Pin::new(&mut answer).poll(cx) {
                return Poll::Ready(Ok(match (answered, waiting.take()) {
                    (Ok(answer), Some((stream, asked))) => {
                        self.switch(answer, stream, asked, limits)
                    }
                    (Ok(answer), None) => self.accept(answer, limits),
                    (Err(error), _) => Err(explain(error, self.lease.written() != mark)),
                }));
            }
            give_up(cx).map(Err)
        })
        .await
    }

    /// Whether the peer makes tunnels. It says so in its first frame, for which a new connection
    /// has to wait; nothing wakes us for that, so we look.
    async fn makes_tunnels<G>(
        &self,
        give_up: &mut impl FnMut(&Context<'_>) -> Poll<G>,
    ) -> Result<bool, G> {
        let mut looks = tokio::time::interval(LOOK);
        let mut settled = false;
        std::future::poll_fn(|cx| {
            loop {
                match self.lease.makes_tunnels() {
                    Some(true) => return Poll::Ready(Ok(true)),
                    // What has come may not have been looked at yet.
                    Some(false) if settled => return Poll::Ready(Ok(false)),
                    Some(false) => settled = true,
                    None => {}
                }
                if let Poll::Ready(gave_up) = give_up(cx) {
                    return Poll::Ready(Err(gave_up));
                }
                ready!(looks.poll_tick(cx));
            }
        })
        .await
    }

    /// The peer has answered an extended CONNECT.
    fn switch(
        &mut self,
        answer: http::Response<RecvStream>,
        mut stream: SendStream<Bytes>,
        asked: Asked,
        limits: HeadLimits,
    ) -> Result<response::Parts, ExchangeError> {
        let (mut head, body) = answer.into_parts();
        if head.headers.len() > limits.headers {
            return Err(malformed(Fault::Fields));
        }
        match asked.answered(&mut head) {
            Answered::Switched => {
                let pipe = Pipe::new(stream, body, self.lease.again());
                self.pipe = Some(Box::new(pipe));
                Ok(head)
            }
            Answered::Refused => {
                // There is nothing to send. If the peer has gone, its answer still counts.
                drop(stream.send_data(Bytes::new(), true));
                self.accept(http::Response::from_parts(head, body), limits)
            }
        }
    }
}

impl Asked {
    /// Whether the answer makes a tunnel; if so it becomes the 101 that HTTP/1.1 has for it.
    fn answered(self, head: &mut response::Parts) -> Answered {
        if !head.status.is_success() {
            return Answered::Refused;
        }
        head.status = StatusCode::SWITCHING_PROTOCOLS;
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.insert(header::UPGRADE, self.protocol);
        if let Some(accept) = self.accept {
            head.headers.insert(websocket::ACCEPT, accept);
        }
        Answered::Switched
    }
}

/// What became of an extended CONNECT.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answered {
    Refused,
    Switched,
}

/// A tunnel has no trailers.
const TE: HeaderName = header::TE;
/// How often a new connection is looked at for the peer's settings.
const LOOK: Duration = Duration::from_millis(1);
