//! A stream that became a tunnel, as bytes to read and write.

use super::shared::Lease;
use ::h2::{Reason, RecvStream, SendStream};
use bytes::{Buf as _, Bytes};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that became a tunnel (RFC 8441). Dropping it resets the stream, unless both ends have
/// ended.
pub(crate) struct Pipe {
    sending: SendStream<Bytes>,
    coming: RecvStream,
    /// Came, and was not read yet.
    rest: Bytes,
    _lease: Lease,
}

impl Pipe {
    pub(super) fn new(sending: SendStream<Bytes>, coming: RecvStream, lease: Lease) -> Self {
        Self {
            sending,
            coming,
            rest: Bytes::new(),
            _lease: lease,
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rest.is_empty() {
            match ready!(this.coming.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(data)) => this.rest = data,
                // The peer wants nothing more of what is coming, which is no error of its own.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        let some = this.rest.len().min(buf.remaining());
        buf.put_slice(&this.rest[..some]);
        this.rest.advance(some);
        // It is on its way downstream: the peer may send as much again.
        let released = this.coming.flow_control().release_capacity(some);
        Poll::Ready(released.map_err(io::Error::other))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.sending.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        this.sending.reserve_capacity(bytes.len().min(PIECE));
        let mut room = this.sending.capacity();
        // This tells of changes only, and of some that change nothing.
        while room == 0 {
            room = match ready!(this.sending.poll_capacity(cx)) {
                Some(Ok(room)) => room,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let some = bytes.get(..room).unwrap_or(bytes);
        let sent = this.sending.send_data(Bytes::copy_from_slice(some), false);
        Poll::Ready(sent.map(|()| some.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = self.get_mut().sending.send_data(Bytes::new(), true);
        Poll::Ready(sent.map_err(io::Error::other))
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").finish_non_exhaustive()
    }
}

/// Asked for at once: the largest payload of a frame by default (RFC 9113 §6.5.2).
const PIECE: usize = 16 * 1024;
