//! The one seam to the outside: listening, connecting, resolving.
//!
//! Everything in `proxy` is generic over [`Network`], so that the whole of it also runs over an
//! in-memory network in virtual time.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A way to listen, connect and resolve.
pub trait Network: Clone + Send + Sync + 'static {
    /// A connection. `Send`, because upgraded connections may leave their thread.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A connection between two threads, registered with neither's reactor.
    type Parcel: Send + 'static;
    /// A listening socket, registered with its thread's reactor.
    type Listener: 'static;
    /// A listening socket before it has a thread.
    type Socket: Send + 'static;

    /// Opens a listening socket.
    ///
    /// # Errors
    /// What the operating system says; the address is in use, most often.
    fn bind(&self, address: SocketAddr) -> io::Result<Self::Socket>;

    /// The address a socket got.
    ///
    /// # Errors
    /// What the operating system says.
    fn local_address(&self, socket: &Self::Socket) -> io::Result<SocketAddr>;

    /// Gives a listening socket to the current thread.
    ///
    /// # Errors
    /// What the operating system says.
    fn listen(&self, socket: Self::Socket) -> io::Result<Self::Listener>;

    /// Waits for the next client.
    fn accept(
        &self,
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>>;

    /// Takes a connection off this thread's reactor.
    ///
    /// # Errors
    /// What the operating system says.
    fn pack(&self, stream: Self::Stream) -> io::Result<Self::Parcel>;

    /// Gives a connection to this thread's reactor.
    ///
    /// # Errors
    /// What the operating system says.
    fn unpack(&self, parcel: Self::Parcel) -> io::Result<Self::Stream>;

    /// Connects.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>>;

    /// The addresses of a name.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>>;
}

/// The operating system's network.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNetwork;

impl Network for SystemNetwork {
    type Stream = TcpStream;
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
        Ok((stream, address))
    }

    fn pack(&self, stream: Self::Stream) -> io::Result<Self::Parcel> {
        stream.into_std()
    }

    fn unpack(&self, parcel: Self::Parcel) -> io::Result<Self::Stream> {
        TcpStream::from_std(parcel)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Clients that wait to be accepted: enough for a burst of a few thousand at once, as nginx and
/// `HAProxy` are run in practice. The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
