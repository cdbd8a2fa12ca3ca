//! The TLS handshake with a client, on the task of its connection.

use super::activity::{Activity, Verdict};
use super::registry::{Origin, Registry};
use super::watched::{NotTls, Watched};
use crate::hooks::Hooks;
use crate::network::Network;
use crate::thread::Thread;
use crate::tls::{Terminator, Wire};
use rustls::HandshakeKind;
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

/// What a handshake needs to know.
pub(super) struct Shaking<'a, N: Network, H: Hooks> {
    pub(super) thread: &'a Thread<N, H>,
    pub(super) registry: &'a Rc<Registry>,
    pub(super) activity: &'a Arc<Activity>,
    pub(super) origin: Origin,
}

impl<N: Network, H: Hooks> Shaking<'_, N, H> {
    /// Shakes hands, within the limit and unless the server stops; none if it came to nothing.
    pub(super) async fn run<S>(
        self,
        terminator: &Terminator,
        stream: Watched<S>,
        client: Option<SocketAddr>,
    ) -> Option<Wire<Watched<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let metrics = &self.thread.shared.metrics.tls;
        self.activity.shake(true);
        // There is no upload yet.
        let upload = Arc::default();
        let now = self.thread.clock.now();
        let registered = self
            .registry
            .enter(self.activity, &upload, self.origin, now);
        let mut accepting = pin!(accept(terminator, stream));
        let accepted = std::future::poll_fn(|cx| {
            if registered
                .poll_verdict(Verdict::Serve, cx.waker())
                .is_ready()
            {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            accepting.as_mut().poll(cx)
        })
        .await;
        self.activity.shake(false);
        match accepted {
            Ok(stream) => {
                metrics.handshakes.increment();
                if let Wire::Tls(stream) = &stream
                    && stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
                {
                    metrics.resumed.increment();
                }
                Some(stream)
            }
            Err(error) => {
                metrics.failed.increment();
                tracing::debug!(client = client.map(display), %error, "tls_handshake_failed");
                None
            }
        }
    }
}

async fn accept<S>(terminator: &Terminator, stream: Watched<S>) -> io::Result<Wire<Watched<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let acceptor = TlsAcceptor::from(terminator.config());
    let (error, mut stream) = match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => return Ok(Wire::Tls(Box::new(stream.into()))),
        Err(failed) => failed,
    };
    let mistaken = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<NotTls>());
    if mistaken.is_some_and(|mistaken| mistaken.first.is_ascii_uppercase()) {
        // It begins like a method. The client may be gone; then nobody needs the answer.
        drop(tokio::time::timeout(LINGER, explain(&mut stream)).await);
    }
    Err(error)
}

/// Answers in cleartext, and reads on for a while: a close with bytes unread is a reset, which may
/// overtake the answer (RFC 9112 §9.6).
async fn explain<S>(stream: &mut Watched<S>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(PLAIN).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(LARGEST);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

/// How long a client may take to read what it did wrong.
const LINGER: Duration = Duration::from_secs(1);
/// Nor is more of its request read than this.
const LARGEST: u64 = 64 * 1024;

/// To a client that speaks cleartext HTTP on a port for HTTPS; what nginx has 497 for.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
content-type: text/plain; charset=utf-8\r\n\
proxy-status: backstay; error=http_request_error\r\n\
content-length: 41\r\n\
connection: close\r\n\
\r\n\
this port speaks HTTPS: begin with https\n";
