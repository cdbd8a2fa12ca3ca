//! The one seam to the outside: listening, connecting, resolving.
//!
//! Everything in `proxy` is generic over [`Network`], so that the whole of it also runs over an
//! in-memory network in virtual time.

mod address;
mod resolver;
mod system;
mod unix;

pub use address::Address;
pub use system::{SystemListener, SystemNetwork, SystemSocket, SystemStream};
pub use unix::SocketFile;

use crate::settings::DnsResolver;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// A way to listen, connect and resolve.
pub trait Network: Clone + Send + Sync + 'static {
    /// A connection. `Send`, because hyper hands the streams of HTTP/2 out as such when they become
    /// tunnels.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A connection between two threads, registered with neither's reactor.
    type Parcel: Send + 'static;
    /// A listening socket, registered with its thread's reactor.
    type Listener: 'static;
    /// A listening socket before it has a thread.
    type Socket: Send + 'static;

    /// From now on the system gives up connections, whose other end was not heard of for so long,
    /// whatever it was sent or asked (TCP keep-alive): those that are made or accepted from now on.
    fn set_silence(&self, silence: Duration);

    /// Opens a listening socket.
    ///
    /// # Errors
    /// What the operating system says; the address is in use, most often.
    fn bind(&self, address: SocketAddr) -> io::Result<Self::Socket>;

    /// Opens a listening socket in the file system, in place of one that nobody listens on; its
    /// file has these permissions, and goes when it is closed.
    ///
    /// # Errors
    /// What the operating system says; or somebody listens there, or another file is there.
    fn bind_unix(&self, path: &Path, mode: u32) -> io::Result<Self::Socket>;

    /// Changes the permissions of a listening socket in the file system.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// The address a socket got.
    ///
    /// # Errors
    /// What the operating system says.
    fn local_address(&self, socket: &Self::Socket) -> io::Result<Address>;

    /// Gives a listening socket to the current thread.
    ///
    /// # Errors
    /// What the operating system says.
    fn listen(&self, socket: Self::Socket) -> io::Result<Self::Listener>;

    /// Waits for the next client: its connection and its address, which a client of a socket in the
    /// file system has not.
    fn accept(
        &self,
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>>;

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

    /// Connects to a socket of this machine's file system.
    fn connect_unix(&self, path: &Path) -> impl Future<Output = io::Result<Self::Stream>>;

    /// The addresses of a name, in the order in which to try them.
    fn resolve(
        &self,
        host: &str,
        port: u16,
        by: DnsResolver,
    ) -> impl Future<Output = io::Result<Resolved>>;

    /// The targets of a service (RFC 2782), in any order. The name servers are asked directly: the
    /// system looks up nothing but addresses.
    fn resolve_service(&self, name: &str) -> impl Future<Output = io::Result<ServiceRecords>>;
}

/// The addresses of a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resolved {
    /// In the order in which to try them.
    pub addresses: Vec<SocketAddr>,
    /// How long they may be relied on.
    pub ttl: Duration,
}

/// The targets of a service (RFC 2782).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceRecords {
    /// In any order.
    pub targets: Vec<ServiceTarget>,
    /// How long they may be relied on.
    pub ttl: Duration,
}

/// One target of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceTarget {
    /// The lowest is tried first.
    pub priority: u16,
    /// The share of the connections among those of equal priority.
    pub weight: u16,
    /// Its name; `.` says that there is no such service.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// How long nothing may be heard of the other end of a connection, unless the limits say otherwise.
/// An event stream has no deadline of its own, so a peer that vanished without a word would hold its
/// client for ever. Shorter than the 90 s for which clients put up with silence, longer than a
/// router takes to start.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
