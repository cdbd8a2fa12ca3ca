//! A request on its way to a peer.

use super::super::head::UpstreamHead;
use super::encode::{Framing, encode, encode_trailers};
use crate::upload::{UploadBody, UploadError};
use bytes::{Buf as _, Bytes};
use http::header;
use http_body::{Body as _, Frame};
use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// A request on its way to a peer.
///
/// Not yet written are, in this order: `text` from `written` on, `piece`, `tail`. A head and the
/// first piece of its body leave in one system call.
#[derive(Debug)]
pub(super) struct Output {
    /// A head, the size of a chunk, or trailers.
    text: Vec<u8>,
    written: usize,
    /// Of the body.
    piece: Bytes,
    /// What ends a chunk, and perhaps the body.
    tail: &'static [u8],
    /// What still comes from the client.
    upload: Option<UploadBody>,
    framing: Framing,
    /// The request announces trailers.
    trailers: bool,
    /// Bytes written so far.
    pub(super) sent: u64,
    unflushed: bool,
    /// Why nothing more can be written; the answer may come all the same.
    pub(super) broken: Option<io::Error>,
    /// The client did not send its body.
    pub(super) deserted: bool,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            text: Vec::new(),
            written: 0,
            piece: Bytes::new(),
            tail: &[],
            upload: None,
            framing: Framing::None,
            trailers: false,
            sent: 0,
            unflushed: false,
            broken: None,
            deserted: false,
        }
    }

    /// Begins a request.
    pub(super) fn begin(&mut self, head: &UpstreamHead<'_>, body: UploadBody) {
        self.framing = if body.is_end_stream() {
            Framing::None
        } else {
            let length = body.size_hint().exact();
            length.map_or(Framing::Chunked, Framing::Length)
        };
        self.text.reserve(HEAD);
        encode(head, self.framing, &mut self.text);
        // RFC 9110 §6.5.1: trailers only where they are expected.
        self.trailers = self.framing == Framing::Chunked && head.contains(&header::TRAILER);
        self.upload = (self.framing != Framing::None).then_some(body);
    }

    /// Whether all of it has been written.
    pub(super) fn is_done(&self) -> bool {
        let written = self.upload.is_none() && !self.has_pending() && !self.unflushed;
        written && self.broken.is_none() && !self.deserted
    }

    /// Whether nothing more will be written, for better or worse.
    pub(super) fn is_over(&self) -> bool {
        self.broken.is_some() || self.deserted || self.is_done()
    }

    /// Writes what can be written now. The next piece is asked for when the last one is gone, so
    /// that a client sends no faster than the peer takes it.
    pub(super) fn poll_send<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) {
        let mut waits = false;
        while !self.is_over() {
            if self.piece.is_empty()
                && self.tail.is_empty()
                && !waits
                && let Some(upload) = &mut self.upload
            {
                match Pin::new(upload).poll_frame(cx) {
                    Poll::Pending => waits = true,
                    Poll::Ready(frame) => {
                        if self.take(frame.transpose()).is_err() {
                            self.give_up();
                            self.deserted = true;
                        }
                        continue;
                    }
                }
            }
            let polled = if self.has_pending() {
                self.poll_write(stream, cx)
            } else if self.unflushed {
                // TLS keeps what the socket did not take.
                let polled = Pin::new(&mut *stream).poll_flush(cx);
                self.unflushed &= polled.is_pending();
                polled
            } else {
                return;
            };
            match polled {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.give_up();
                    self.broken = Some(error);
                }
            }
        }
    }

    /// Takes over a frame of the upload, or its end.
    fn take(
        &mut self,
        frame: Result<Option<Frame<Bytes>>, UploadError>,
    ) -> Result<(), UploadError> {
        let frame = frame?.map(Frame::into_data);
        match (frame, &mut self.framing) {
            (Some(Ok(data)), Framing::Length(left)) => {
                // More than was said is not sent: it would be read as another request.
                *left = left.checked_sub(data.len() as u64).ok_or(UploadError)?;
                self.piece = data;
                let last = self.upload.as_ref().is_none_or(UploadBody::is_end_stream);
                if last && *left > 0 {
                    return Err(UploadError);
                }
                if last {
                    self.upload = None;
                }
            }
            (Some(Ok(data)), Framing::Chunked) if !data.is_empty() => {
                // Writing to memory does not fail.
                drop(write!(self.text, "{:x}\r\n", data.len()));
                self.piece = data;
                let last = self.upload.as_ref().is_none_or(UploadBody::is_end_stream);
                self.tail = if last { LAST_CHUNK_FOLLOWS } else { CHUNK_ENDS };
                if last {
                    self.upload = None;
                }
            }
            (None, Framing::Length(0)) => self.upload = None,
            (None, Framing::Length(_)) => return Err(UploadError),
            (Some(Err(frame)), Framing::Chunked) => {
                let mut fields = frame.into_trailers().unwrap_or_default();
                if !self.trailers {
                    fields.clear();
                }
                encode_trailers(&fields, &mut self.text);
                self.upload = None;
            }
            (None, Framing::Chunked) => {
                encode_trailers(&http::HeaderMap::new(), &mut self.text);
                self.upload = None;
            }
            // An empty piece; trailers, for which a body with a length has no place.
            (Some(_), _) | (None, Framing::None) => {}
        }
        Ok(())
    }

    fn has_pending(&self) -> bool {
        self.written < self.text.len() || !self.piece.is_empty() || !self.tail.is_empty()
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let text = self.text.get(self.written..).unwrap_or_default();
        let stream = Pin::new(stream);
        let polled = if self.piece.is_empty() && self.tail.is_empty() {
            stream.poll_write(cx, text)
        } else {
            let parts = [text, &self.piece, self.tail].map(IoSlice::new);
            // Without vectored writes the first part that is not empty goes.
            stream.poll_write_vectored(cx, &parts)
        };
        polled.map(|result| {
            let mut left = result?;
            if left == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.sent += left as u64;
            self.unflushed = true;
            let text = left.min(self.text.len() - self.written);
            self.written += text;
            left -= text;
            if self.written == self.text.len() {
                self.text.clear();
                self.written = 0;
            }
            let piece = left.min(self.piece.len());
            self.piece.advance(piece);
            left -= piece;
            self.tail = self.tail.get(left..).unwrap_or_default();
            Ok(())
        })
    }

    fn give_up(&mut self) {
        self.upload = None;
        self.piece = Bytes::new();
        self.tail = &[];
        self.text.clear();
        self.written = 0;
        self.unflushed = false;
    }

    /// For the next request: gives the memory back.
    pub(super) fn rest(&mut self) {
        self.text = Vec::new();
        self.piece = Bytes::new();
    }
}

const CHUNK_ENDS: &[u8] = b"\r\n";
const LAST_CHUNK_FOLLOWS: &[u8] = b"\r\n0\r\n\r\n";
/// Enough for most heads; the allocator keeps blocks up to about this size at hand.
const HEAD: usize = 1000;
