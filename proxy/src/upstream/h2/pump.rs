//! A request body on its way into a stream, as far as the peer has room for it.

use crate::upload::UploadBody;
use ::h2::{Reason, SendStream};
use bytes::Bytes;
use http_body::Body as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A request body on its way.
pub(super) struct Pump {
    stream: SendStream<Bytes>,
    body: UploadBody,
    /// Read, and not sent yet.
    rest: Bytes,
}

/// How a body ended that was not sent whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stopped {
    /// The client did not send it.
    Client,
    /// The peer takes no more of it; what became of the request is told by its response.
    Peer,
}

impl Pump {
    pub(super) fn new(stream: SendStream<Bytes>, body: UploadBody) -> Self {
        Self {
            stream,
            body,
            rest: Bytes::new(),
        }
    }

    /// Sends what there is and what there is room for; ready at the end of the body.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        loop {
            if !self.rest.is_empty() {
                ready!(self.send(cx))?;
                continue;
            }
            if self.stream.poll_reset(cx).is_ready() {
                return Poll::Ready(Err(Stopped::Peer));
            }
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
                let sent = self.stream.send_data(Bytes::new(), true);
                return Poll::Ready(sent.map_err(|_| Stopped::Peer));
            };
            let Ok(frame) = frame else {
                // Half a body must not pass for a whole one (RFC 9113 §8.1).
                self.stream.send_reset(Reason::CANCEL);
                return Poll::Ready(Err(Stopped::Client));
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else {
                        continue;
                    };
                    let sent = self.stream.send_trailers(trailers);
                    return Poll::Ready(sent.map_err(|_| Stopped::Peer));
                }
            }
        }
    }

    /// Sends as much of the rest as there is room for.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        self.stream.reserve_capacity(self.rest.len());
        let mut room = self.stream.capacity();
        if room == 0 {
            // This tells of changes only.
            room = match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(room)) => room,
                Some(Err(_)) | None => return Poll::Ready(Err(Stopped::Peer)),
            };
        }
        let room = room.min(self.rest.len());
        if room == 0 {
            return Poll::Ready(Ok(()));
        }
        let sent = self.stream.send_data(self.rest.split_to(room), false);
        Poll::Ready(sent.map_err(|_| Stopped::Peer))
    }
}
