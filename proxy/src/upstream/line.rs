//! The peer's end of a tunnel, whatever HTTP it came from.

use super::h2::Pipe;
use crate::tls::Wire;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The peer's end of a tunnel.
#[derive(Debug)]
pub(crate) enum Line<S> {
    /// A connection that spoke HTTP/1.1.
    H1(Wire<S>),
    /// A stream of a connection that speaks HTTP/2.
    H2(Box<Pipe>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::H1(wire) => Pin::new(wire).poll_read(cx, buf),
            Self::H2(pipe) => Pin::new(&mut **pipe).poll_read(cx, buf),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::H1(wire) => Pin::new(wire).poll_write(cx, bytes),
            Self::H2(pipe) => Pin::new(&mut **pipe).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::H1(wire) => Pin::new(wire).poll_flush(cx),
            Self::H2(pipe) => Pin::new(&mut **pipe).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::H1(wire) => Pin::new(wire).poll_shutdown(cx),
            Self::H2(pipe) => Pin::new(&mut **pipe).poll_shutdown(cx),
        }
    }
}
