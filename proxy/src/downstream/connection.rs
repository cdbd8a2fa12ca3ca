//! One client connection, from its first byte to its last.

use super::activity::{Activity, Verdict};
use super::handshake::Shaking;
use super::registry::{Origin, Registered, Registry};
use super::sniff::{Sniff, Spoken};
use super::watched::Watched;
use super::{http1, http2};
use crate::hooks::Hooks;
use crate::network::{Address, Network};
use crate::session::ConnectionInfo;
use crate::thread::Thread;
use crate::tls::{Alpn, ClientCertificate, ClientTls, Terminator, Wire};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// Who is at the other end, and what the listener says of such clients.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// None: it came over a socket in the file system.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) local: Address,
    pub(crate) trusted: bool,
    pub(crate) half_close: bool,
    /// It has to speak TLS.
    pub(crate) tls: Option<Arc<Terminator>>,
}

impl Client {
    /// What a reload may end the connection for.
    fn origin(&self) -> Origin {
        Origin {
            client: self.address.map(|address| address.ip()),
            local: self.local.clone(),
            trusted: self.trusted,
        }
    }
}

/// A client connection and what is known of it.
pub(super) struct Connection<N: Network, H: Hooks> {
    pub(super) thread: Rc<Thread<N, H>>,
    pub(super) stream: Wire<Watched<N::Stream>>,
    pub(super) client: Client,
    pub(super) info: Arc<ConnectionInfo>,
    pub(super) activity: Arc<Activity>,
    pub(super) registered: Registered,
}

/// Serves one connection until it ends, or is told to.
pub(crate) async fn serve_connection<N: Network, H: Hooks>(
    thread: Rc<Thread<N, H>>,
    registry: Rc<Registry>,
    stream: N::Stream,
    client: Client,
) {
    let activity = Arc::new(Activity::default());
    let stream = Watched::new(stream, &activity);
    let mut stream = match &client.tls {
        None => Wire::Plain(stream),
        Some(terminator) => {
            let shaking = Shaking {
                thread: &thread,
                registry: &registry,
                activity: &activity,
                origin: client.origin(),
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
    let mut info = ConnectionInfo::new(client.address, client.local.clone(), client.trusted);
    info.tls = ClientTls::of(&stream);
    if client.tls.as_ref().is_some_and(|tls| tls.forwards()) {
        let certificate = info.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        info.client_cert = certificate.and_then(ClientCertificate::header);
    }
    let upload = Arc::default();
    let registered = registry.enter(&activity, &upload, client.origin(), thread.clock.now());
    let agreed = stream.negotiated();
    let spoken = match &mut stream {
        Wire::Plain(stream) => sniff(stream, &registered).await,
        // Over TLS only ALPN tells (RFC 9113 §3.2).
        Wire::Tls(_) if agreed == Some(Alpn::H2) => Some(Spoken::Http2),
        Wire::Tls(_) => Some(Spoken::Http1),
    };
    let connection = Connection {
        stream,
        client,
        info: Arc::new(info),
        activity: Arc::clone(&activity),
        registered,
        thread: Rc::clone(&thread),
    };
    match spoken {
        Some(Spoken::Http1) => http1::serve(connection, &upload).await,
        Some(Spoken::Http2) => http2::serve(connection).await,
        None => {}
    }
    if activity.is_silent() {
        thread.shared.metrics.limits.silence.increment();
    }
}

/// What the client speaks; none if it has gone, or has to.
async fn sniff<S>(stream: &mut Watched<S>, registered: &Registered) -> Option<Spoken>
where
    S: tokio::io::AsyncRead + Unpin,
{
    let mut sniff = Sniff::default();
    let sniffed = std::future::poll_fn(|cx| {
        // Nothing is in flight that could be finished first.
        if registered
            .poll_verdict(Verdict::Serve, cx.waker())
            .is_ready()
        {
            return Poll::Ready(None);
        }
        sniff.poll(stream, cx).map(Result::ok)
    });
    let (spoken, first) = sniffed.await?;
    stream.read_again(first);
    Some(spoken)
}

/// Polls what hyper serves until it ends, or is told to.
pub(super) async fn until_told<F>(
    activity: &Activity,
    registered: &Registered,
    mut serving: Pin<&mut F>,
    drain: fn(Pin<&mut F>),
) -> hyper::Result<()>
where
    F: Future<Output = hyper::Result<()>>,
{
    let mut known = Verdict::Serve;
    std::future::poll_fn(|cx| {
        loop {
            while let Poll::Ready(verdict) = registered.poll_verdict(known, cx.waker()) {
                known = verdict;
                match verdict {
                    Verdict::Serve => {}
                    Verdict::Drain => drain(serving.as_mut()),
                    Verdict::Close => return Poll::Ready(Ok(())),
                }
            }
            let polled = serving.as_mut().poll(cx);
            // A request may have been the last.
            if polled.is_ready() || activity.verdict() <= known {
                return polled;
            }
        }
    })
    .await
}
