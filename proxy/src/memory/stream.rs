//! One end of a connection, as tokio reads and writes it.

use super::link::{Cut, Link, Side};
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

/// One end of a connection. Dropping it closes the connection; if bytes that came in were not
/// read, that is a reset.
#[derive(Debug)]
pub struct MemoryStream {
    link: Arc<Link>,
    side: Side,
    /// Until the next bytes arrive.
    arrival: Option<Pin<Box<Sleep>>>,
}

impl MemoryStream {
    pub(super) fn new(link: Arc<Link>, side: Side) -> Self {
        Self {
            link,
            side,
            arrival: None,
        }
    }

    /// Resets the connection: the other end reads what has arrived, then `ECONNRESET`.
    pub fn reset(self) {
        self.link.reset(self.side);
    }

    /// Cuts the connection when this end has written `bytes` more.
    pub fn cut_after(&self, bytes: u64, cut: Cut) {
        self.link.cut_after(self.side, bytes, cut);
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        loop {
            let until = match stream.link.poll_read(stream.side, cx, buf) {
                Ok(read) => return Poll::Ready(read),
                Err(None) => return Poll::Pending,
                Err(Some(until)) => until,
            };
            match &mut stream.arrival {
                Some(arrival) if arrival.deadline() == until => {}
                Some(arrival) => arrival.as_mut().reset(until),
                None => stream.arrival = Some(Box::pin(sleep_until(until))),
            }
            if let Some(arrival) = &mut stream.arrival
                && arrival.as_mut().poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            stream.arrival = None;
        }
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.link.poll_write(self.side, cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.finish(self.side);
        Poll::Ready(Ok(()))
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.link.drop_end(self.side);
    }
}
