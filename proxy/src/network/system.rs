//! The network of the operating system.

use super::resolver::Resolver;
use super::unix::{self, SocketFile};
use super::{Address, Network, Resolved, SILENCE, ServiceRecords};
use crate::settings::DnsResolver;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

/// The operating system's network.
#[derive(Clone, Debug)]
pub struct SystemNetwork {
    /// Made when the first name is looked up, since it belongs to the runtime it is used in.
    resolver: Arc<OnceLock<Option<Resolver>>>,
    /// In milliseconds.
    silence: Arc<AtomicU64>,
}

impl Default for SystemNetwork {
    fn default() -> Self {
        Self {
            resolver: Arc::default(),
            silence: Arc::new(AtomicU64::new(millis(SILENCE))),
        }
    }
}

/// A connection of the operating system: over a network, or over a socket in the file system.
pub type SystemStream = Either<TcpStream, UnixStream>;

/// A listening socket of the operating system before it has a thread.
#[derive(Debug)]
pub enum SystemSocket {
    /// It has an address and a port.
    Tcp(std::net::TcpListener),
    /// It has a place in the file system. In this order, for [`SocketFile`]'s sake.
    Unix(SocketFile, std::os::unix::net::UnixListener),
}

/// A listening socket of the operating system.
#[derive(Debug)]
pub enum SystemListener {
    /// It has an address and a port. What it accepts notices such a silence, in milliseconds.
    Tcp(TcpListener, Cell<u64>),
    /// It has a place in the file system. In this order, for [`SocketFile`]'s sake.
    Unix(SocketFile, UnixListener),
}

impl Network for SystemNetwork {
    type Stream = SystemStream;
    type Parcel = Either<std::net::TcpStream, std::os::unix::net::UnixStream>;
    type Listener = SystemListener;
    type Socket = SystemSocket;

    fn set_silence(&self, silence: Duration) {
        self.silence.store(millis(silence), Ordering::Relaxed);
    }

    fn bind(&self, address: SocketAddr) -> io::Result<Self::Socket> {
        let domain = socket2::Domain::for_address(address);
        let socket =
            socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        // A restarted proxy takes its port back at once. SO_REUSEPORT stays off: a second
        // instance would share the port unnoticed.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(SystemSocket::Tcp(socket.into()))
    }

    fn bind_unix(&self, path: &Path, mode: u32) -> io::Result<Self::Socket> {
        let (file, listener) = unix::bind(path, mode, BACKLOG)?;
        Ok(SystemSocket::Unix(file, listener))
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        unix::set_mode(path, mode)
    }

    fn local_address(&self, socket: &Self::Socket) -> io::Result<Address> {
        match socket {
            SystemSocket::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            SystemSocket::Unix(file, _) => Ok(Address::Unix(file.path().into())),
        }
    }

    fn listen(&self, socket: Self::Socket) -> io::Result<Self::Listener> {
        match socket {
            SystemSocket::Tcp(listener) => {
                let listener = TcpListener::from_std(listener)?;
                Ok(SystemListener::Tcp(listener, Cell::default()))
            }
            SystemSocket::Unix(file, listener) => {
                let listener = UnixListener::from_std(listener)?;
                Ok(SystemListener::Unix(file, listener))
            }
        }
    }

    async fn accept(
        &self,
        listener: &Self::Listener,
    ) -> io::Result<(Self::Stream, Option<SocketAddr>)> {
        match listener {
            SystemListener::Tcp(listener, told) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let silence = self.silence.load(Ordering::Relaxed);
                if told.get() != silence {
                    notice_silence(&stream, silence)?;
                    // What is accepted from now on inherits it, and nobody has to be told again.
                    notice_silence(listener, silence)?;
                    told.set(silence);
                }
                Ok((Either::Left(stream), Some(address)))
            }
            SystemListener::Unix(_, listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Either::Right(stream), None))
            }
        }
    }

    fn pack(&self, stream: Self::Stream) -> io::Result<Self::Parcel> {
        match stream {
            Either::Left(stream) => stream.into_std().map(Either::Left),
            Either::Right(stream) => stream.into_std().map(Either::Right),
        }
    }

    fn unpack(&self, parcel: Self::Parcel) -> io::Result<Self::Stream> {
        match parcel {
            Either::Left(stream) => TcpStream::from_std(stream).map(Either::Left),
            Either::Right(stream) => UnixStream::from_std(stream).map(Either::Right),
        }
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        notice_silence(&stream, self.silence.load(Ordering::Relaxed))?;
        Ok(Either::Left(stream))
    }

    async fn connect_unix(&self, path: &Path) -> io::Result<Self::Stream> {
        UnixStream::connect(path).await.map(Either::Right)
    }

    async fn resolve(&self, host: &str, port: u16, by: DnsResolver) -> io::Result<Resolved> {
        let direct = match by {
            DnsResolver::Direct => self.resolver(),
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

    async fn resolve_service(&self, name: &str) -> io::Result<ServiceRecords> {
        match self.resolver() {
            Some(resolver) => resolver.resolve_service(name).await,
            None => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the name servers are not known",
            )),
        }
    }
}

impl SystemNetwork {
    fn resolver(&self) -> Option<&Resolver> {
        self.resolver.get_or_init(Resolver::new).as_ref()
    }
}

/// Lets the system give a connection up of whose other end nothing is heard: asked (keep-alive)
/// while nothing is under way, unanswered (RFC 5482) while something is.
fn notice_silence<S: AsFd>(socket: &S, millis: u64) -> io::Result<()> {
    let silence = Duration::from_millis(millis);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(silence / 2)
        .with_interval(silence / 6)
        .with_retries(3);
    let socket = socket2::SockRef::from(socket);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(silence))?;
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The system does not say how long its answers are good.
const SYSTEM_TTL: Duration = Duration::from_secs(30);
/// Clients that wait to be accepted: enough for a burst of a few thousand at once, as nginx and
/// `HAProxy` are run in practice. The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(stream: &SystemStream) -> Duration {
        let Either::Left(stream) = stream else {
            panic!("no TCP");
        };
        let socket = socket2::SockRef::from(stream);
        assert!(socket.keepalive().unwrap());
        socket.tcp_keepalive_time().unwrap() * 2
    }

    #[tokio::test]
    async fn either_end_of_a_connection_notices_silence() {
        let network = SystemNetwork::default();
        let socket = network.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = network.local_address(&socket).unwrap().tcp().unwrap();
        let listener = network.listen(socket).unwrap();
        for seconds in [60, 60, 20, 20, 60] {
            let expected = Duration::from_secs(seconds);
            network.set_silence(expected);
            let made = network.connect(address).await.unwrap();
            let (accepted, _) = network.accept(&listener).await.unwrap();
            assert_eq!([silence(&made), silence(&accepted)], [expected; 2]);
        }
    }
}
