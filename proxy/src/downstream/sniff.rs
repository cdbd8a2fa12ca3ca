//! Which HTTP a client speaks, told by its first bytes.

use bytes::{Bytes, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Spoken {
    Http1,
    Http2,
}

/// Looks for the preface that a client with prior knowledge of HTTP/2 begins with (RFC 9113 §3.3,
/// §3.4). An upgrade to `h2c` is not offered: it is obsolete, and a way to smuggle (§3.1).
#[derive(Debug, Default)]
pub(super) struct Sniff {
    read: BytesMut,
}

impl Sniff {
    /// Ready when the first bytes have told; they come with it, to be read again.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Spoken, Bytes)>> {
        loop {
            // On the stack, so that a connection that says nothing costs no buffer.
            let mut space = [0; FIRST_READ];
            let mut buf = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf))?;
            self.read.extend_from_slice(buf.filled());
            let spoken = match spoken(&self.read) {
                Some(spoken) => spoken,
                // It has ended: HTTP/1.1 knows what to make of that.
                None if buf.filled().is_empty() => Spoken::Http1,
                None => continue,
            };
            return Poll::Ready(Ok((spoken, std::mem::take(&mut self.read).freeze())));
        }
    }
}

/// Which HTTP begins with these bytes; none, while both may.
fn spoken(first: &[u8]) -> Option<Spoken> {
    let length = first.len().min(PREFACE.len());
    if first[..length] != PREFACE[..length] {
        Some(Spoken::Http1)
    } else if length == PREFACE.len() {
        Some(Spoken::Http2)
    } else {
        None
    }
}

/// What an HTTP/2 client begins with.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Most request heads fit, so that they take one system call.
const FIRST_READ: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_preface_is_http2() {
        for (first, expected) in [
            (&b""[..], None),
            (b"P", None),
            (b"PRI * HTTP/2.0\r\n\r\n", None),
            (&PREFACE[..23], None),
            (PREFACE, Some(Spoken::Http2)),
            (
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04",
                Some(Spoken::Http2),
            ),
            (b"PO", Some(Spoken::Http1)),
            (b"PRI / HTTP/1.1\r\n", Some(Spoken::Http1)),
            (b"PRI * HTTP/2.0\r\nhost: a\r\n", Some(Spoken::Http1)),
            (b"GET / HTTP/1.1\r\n\r\n", Some(Spoken::Http1)),
        ] {
            assert_eq!(spoken(first), expected, "{first:?}");
        }
    }
}
