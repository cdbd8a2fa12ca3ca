//! The network of the operating system.

use super::resolver::Resolver;
use super::{Network, Resolved, SILENCE};
use crate::settings::DnsResolver;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::either::Either;

/// The operating system's network.
#[derive(Clone, Debug, Default)]
pub struct SystemNetwork {
    /// Made when the first name is looked up, since it belongs to the runtime it is used in.
    resolver: Arc<OnceLock<Option<Resolver>>>,
}

/// A connection of the operating system: over a network, or over a socket in the file system.
pub type SystemStream = Either<TcpStream, UnixStream>;

impl Network for SystemNetwork {
    type Stream = SystemStream;
    type Parcel = std::net::TcpStream;
    type Listener = TcpListener;
    type Socket = std::net::TcpListener;

    fn bind(&self, address: SocketAddr) -> io::Result<Self::Socket> {
        let domain = socket2::Domain::for_address(address);
        let socket =
            socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        // A restarted proxy takes its port back at once. SO_REUSEPORT stays off: a second
        // instance would share the port unnoticed.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // What is accepted inherits this.
        notice_silence(&socket)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }

    fn local_address(&self, socket: &Self::Socket) -> io::Result<SocketAddr> {
        socket.local_addr()
    }

    fn listen(&self, socket: Self::Socket) -> io::Result<Self::Listener> {
        TcpListener::from_std(socket)
    }

    async fn accept(&self, listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        let (stream, address) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Either::Left(stream), address))
    }

    fn pack(&self, stream: Self::Stream) -> io::Result<Self::Parcel> {
        match stream {
            Either::Left(stream) => stream.into_std(),
            // Nobody listens on one.
            Either::Right(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn unpack(&self, parcel: Self::Parcel) -> io::Result<Self::Stream> {
        TcpStream::from_std(parcel).map(Either::Left)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        notice_silence(&stream)?;
        Ok(Either::Left(stream))
    }

    async fn connect_unix(&self, path: &Path) -> io::Result<Self::Stream> {
        UnixStream::connect(path).await.map(Either::Right)
    }

    async fn resolve(&self, host: &str, port: u16, by: DnsResolver) -> io::Result<Resolved> {
        let direct = match by {
            DnsResolver::Direct => self.resolver.get_or_init(Resolver::new).as_ref(),
            DnsResolver::System => None,
        };
        match direct {
            Some(resolver) => resolver.resolve(host, port).await,
            None => Ok(Resolved {
                addresses: tokio::net::lookup_host((host, port)).await?.collect(),
                ttl: SYSTEM_TTL,
            }),
        }
    }
}

/// Lets the system give a connection up of whose other end nothing is heard: asked (keep-alive)
/// while nothing is under way, unanswered (RFC 5482) while something is.
fn notice_silence<S: AsFd>(socket: &S) -> io::Result<()> {
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(SILENCE / 2)
        .with_interval(SILENCE / 6)
        .with_retries(3);
    let socket = socket2::SockRef::from(socket);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE))?;
    Ok(())
}

/// The system does not say how long its answers are good.
const SYSTEM_TTL: Duration = Duration::from_secs(30);
/// Clients that wait to be accepted: enough for a burst of a few thousand at once, as nginx and
/// `HAProxy` are run in practice. The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
