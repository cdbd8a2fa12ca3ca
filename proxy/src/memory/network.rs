//! Hosts, names, listening and connecting.

use super::host::{Connecting, Host, Power};
use super::link::{Cut, Link, Making, Side};
use super::listener::{Backlog, MemoryListener};
use super::names::Names;
use super::passage::Passage;
use super::stream::MemoryStream;
use crate::network::{Address, Network, Resolved, SILENCE, ServiceRecords};
use crate::settings::DnsResolver;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::future::{pending, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// A network inside this process, as one of its hosts sees it. Clones share the network.
#[derive(Clone, Debug)]
pub struct MemoryNetwork {
    /// Where connections made through this handle come from.
    pub(super) source: IpAddr,
    shared: Arc<Mutex<Shared>>,
}

/// Which way bytes flow, as seen from a host that accepted a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// From the host to the one that connected.
    FromHost,
    /// To the host.
    ToHost,
}

#[derive(Debug)]
pub(super) struct Shared {
    hosts: BTreeMap<IpAddr, Host>,
    /// By host, and where on it.
    listening: BTreeMap<(IpAddr, Address), Backlog>,
    pub(super) names: Names,
    /// From one host to another.
    pub(super) passages: BTreeMap<(IpAddr, IpAddr), Passage>,
    pub(super) severed: BTreeSet<(IpAddr, IpAddr)>,
    /// Who waits for a way to open.
    pub(super) waiting: Vec<Waker>,
    next_port: u16,
    buffer: usize,
    /// The generator of the fragments; none: bytes move in one piece.
    fragments: Option<u64>,
}

impl MemoryNetwork {
    /// An empty network, seen from the host `source`.
    pub fn new(source: IpAddr) -> Self {
        let shared = Shared {
            hosts: BTreeMap::new(),
            listening: BTreeMap::new(),
            names: Names::default(),
            passages: BTreeMap::new(),
            severed: BTreeSet::new(),
            waiting: Vec::new(),
            next_port: FIRST_PORT,
            buffer: BUFFER,
            fragments: None,
        };
        Self {
            source,
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    /// The same network, seen from another host.
    #[must_use]
    pub fn seen_from(&self, source: IpAddr) -> Self {
        Self {
            source,
            shared: Arc::clone(&self.shared),
        }
    }

    /// Bytes that fit into each direction of the connections to come; 64 KiB at first.
    pub fn set_buffer(&self, bytes: usize) {
        self.lock().buffer = bytes.max(1);
    }

    /// From now on reads and writes on new connections move pieces whose lengths `seed` decides.
    pub fn set_fragments(&self, seed: u64) {
        // The generator of a connection stands still at zero.
        self.lock().fragments = Some(seed | 1);
    }

    /// Decides what happens to those who connect to a host.
    pub fn set_connecting(&self, host: IpAddr, connecting: Connecting) {
        self.lock().host(host).connecting = connecting;
    }

    /// Cuts the next connection to a host after `bytes` flowed that way; called again, the one
    /// after it.
    pub fn cut_next(&self, host: IpAddr, flow: Flow, bytes: u64, cut: Cut) {
        let mut shared = self.lock();
        shared.host(host).cuts.push_back((flow, bytes, cut));
    }

    /// Stops the processes of a host as `SIGSTOP` does: connections to it are still made, and
    /// bytes fill its buffers, but none are read and none are written.
    pub fn freeze(&self, host: IpAddr) {
        self.set_power(host, Power::Frozen);
    }

    /// Lets a frozen host go on.
    pub fn thaw(&self, host: IpAddr) {
        self.set_power(host, Power::On);
    }

    /// Ends the processes of a host: its connections are reset, and who connects is refused.
    pub fn kill(&self, host: IpAddr) {
        self.set_power(host, Power::Off);
    }

    /// Lets a killed host be connected to again; its listeners are still there.
    pub fn restart(&self, host: IpAddr) {
        self.set_power(host, Power::On);
    }

    /// Resets every connection of a host, which runs on.
    pub fn reset_all(&self, host: IpAddr) {
        let links = self.lock().host(host).links();
        for (link, side) in links {
            link.reset(side);
        }
    }

    /// How often somebody tried to connect to a host.
    pub fn connects(&self, host: IpAddr) -> u64 {
        self.lock().host(host).connects
    }

    /// How many connections a host has, those that only the other end still holds included.
    pub fn connections(&self, host: IpAddr) -> usize {
        self.lock().host(host).links().len()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_power(&self, host: IpAddr, power: Power) {
        let mut shared = self.lock();
        let entry = shared.host(host);
        entry.power = power;
        let links = entry.links();
        let mut acceptors = Vec::new();
        let mut dead = Vec::new();
        for ((ip, _), backlog) in &mut shared.listening {
            if *ip == host {
                acceptors.extend(backlog.acceptor.take());
                if power == Power::Off {
                    dead.extend(backlog.waiting.drain(..));
                }
            }
        }
        // Waking and dropping may come back here: only without the lock.
        drop(shared);
        for (link, side) in links {
            match power {
                Power::On => link.set_frozen(side, false),
                Power::Frozen => link.set_frozen(side, true),
                Power::Off => {
                    link.set_frozen(side, false);
                    link.reset(side);
                }
            }
        }
        drop(dead);
        acceptors.into_iter().for_each(Waker::wake);
    }

    pub(super) fn unbind(&self, place: &(IpAddr, Address)) {
        let backlog = self.lock().listening.remove(place);
        drop(backlog);
    }

    fn open(&self, place: (IpAddr, Address)) -> io::Result<MemoryListener> {
        match self.lock().listening.entry(place.clone()) {
            Entry::Occupied(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Entry::Vacant(free) => free.insert(Backlog::default()),
        };
        Ok(MemoryListener {
            network: self.clone(),
            place,
        })
    }

    /// Makes a connection to a host that accepts.
    fn link(&self, place: &(IpAddr, Address)) -> io::Result<MemoryStream> {
        let mut shared = self.lock();
        let (here, there) = (self.source, place.0);
        if shared.host(there).power == Power::Off || !shared.listening.contains_key(place) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let port = shared.take_port();
        let link = Link::new(Making {
            capacity: shared.buffer,
            fragments: shared.next_fragments(),
            passages: [(there, here), (here, there)].map(|way| shared.passage(way)),
            seed: u64::from(port).wrapping_mul(GOLDEN),
            hosts: [there, here],
            silences: [there, here].map(|ip| shared.host(ip).silence.unwrap_or(SILENCE)),
        });
        for (ip, side) in [(here, Side::Connected), (there, Side::Accepted)] {
            let host = shared.host(ip);
            host.attach(&link, side);
            link.set_frozen(side, host.power == Power::Frozen);
            let other = if side == Side::Connected { there } else { here };
            if shared.severed.contains(&(ip, other)) {
                link.set_held(side, true);
            }
        }
        if let Some((flow, bytes, cut)) = shared.host(there).cuts.pop_front() {
            let side = match flow {
                Flow::FromHost => Side::Accepted,
                Flow::ToHost => Side::Connected,
            };
            link.cut_after(side, bytes, cut);
        }
        let client = MemoryStream::new(Arc::clone(&link), Side::Connected);
        let acceptor = shared.listening.get_mut(place).and_then(|backlog| {
            let server = MemoryStream::new(link, Side::Accepted);
            let source = place.1.tcp().map(|_| SocketAddr::new(here, port));
            backlog.waiting.push_back((server, source));
            backlog.acceptor.take()
        });
        drop(shared);
        acceptor.into_iter().for_each(Waker::wake);
        Ok(client)
    }
}

impl Shared {
    pub(super) fn host(&mut self, host: IpAddr) -> &mut Host {
        self.hosts.entry(host).or_default()
    }

    pub(super) fn passage(&self, way: (IpAddr, IpAddr)) -> Passage {
        self.passages.get(&way).copied().unwrap_or_default()
    }

    fn take_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }

    fn next_fragments(&mut self) -> Option<u64> {
        let state = self.fragments.as_mut()?;
        // A Weyl step and a mixer, so that the generators of two connections do not resemble.
        *state = state.wrapping_add(GOLDEN);
        let mixed = (*state ^ (*state >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        Some((mixed ^ (mixed >> 32)) | 1)
    }
}

impl Network for MemoryNetwork {
    type Stream = MemoryStream;
    type Parcel = MemoryStream;
    type Listener = MemoryListener;
    type Socket = MemoryListener;

    /// That of the host's system, for connections from now on.
    fn set_silence(&self, silence: Duration) {
        self.lock().host(self.source).silence = Some(silence);
    }

    fn bind(&self, mut address: SocketAddr) -> io::Result<Self::Socket> {
        if address.port() == 0 {
            address.set_port(self.lock().take_port());
        }
        self.open((address.ip(), address.into()))
    }

    /// The host's own: only who is on it connects. Nobody leaves a file behind, and everybody may
    /// connect.
    fn bind_unix(&self, path: &Path, _: u32) -> io::Result<Self::Socket> {
        self.open((self.source, Address::Unix(path.into())))
    }

    fn set_mode(&self, _: &Path, _: u32) -> io::Result<()> {
        Ok(())
    }

    fn local_address(&self, socket: &Self::Socket) -> io::Result<Address> {
        Ok(socket.place.1.clone())
    }

    fn listen(&self, socket: Self::Socket) -> io::Result<Self::Listener> {
        Ok(socket)
    }

    async fn accept(
        &self,
        listener: &Self::Listener,
    ) -> io::Result<(Self::Stream, Option<SocketAddr>)> {
        poll_fn(|cx| {
            let mut shared = self.lock();
            let power = shared.host(listener.place.0).power;
            let Some(backlog) = shared.listening.get_mut(&listener.place) else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            if power != Power::Frozen
                && let Some(accepted) = backlog.waiting.pop_front()
            {
                return Poll::Ready(Ok(accepted));
            }
            backlog.acceptor = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn pack(&self, stream: Self::Stream) -> io::Result<Self::Parcel> {
        Ok(stream)
    }

    fn unpack(&self, parcel: Self::Parcel) -> io::Result<Self::Stream> {
        Ok(parcel)
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        let connecting = {
            let mut shared = self.lock();
            let host = shared.host(address.ip());
            host.connects += 1;
            host.connecting
        };
        match connecting {
            Connecting::Accept => {}
            Connecting::Delay(delay) => tokio::time::sleep(delay).await,
            Connecting::Exhaust => return Err(io::Error::from_raw_os_error(EMFILE)),
            Connecting::Hang => pending().await,
            Connecting::Refuse => return Err(io::ErrorKind::ConnectionRefused.into()),
        }
        self.way(address.ip()).await;
        self.link(&(address.ip(), address.into()))
    }

    /// A path is where somebody on this host listens, else the address of the host that was given
    /// it as a name.
    async fn connect_unix(&self, path: &Path) -> io::Result<Self::Stream> {
        let place = (self.source, Address::Unix(path.into()));
        let name = path.to_string_lossy().into_owned();
        let first = {
            let shared = self.lock();
            if shared.listening.contains_key(&place) {
                drop(shared);
                return self.link(&place);
            }
            shared.names.first(&name)
        };
        match first {
            Some(ip) => self.connect(SocketAddr::new(ip, 80)).await,
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    async fn resolve(&self, host: &str, port: u16, _: DnsResolver) -> io::Result<Resolved> {
        let asked = self.lock().names.ask(host, port);
        match asked {
            Some(answer) => answer,
            None => pending().await,
        }
    }

    async fn resolve_service(&self, name: &str) -> io::Result<ServiceRecords> {
        let asked = self.lock().names.ask_service(name);
        match asked {
            Some(answer) => answer,
            None => pending().await,
        }
    }
}

/// Where the system takes the ports of its own from (RFC 6335 §6).
const FIRST_PORT: u16 = 49_152;
/// 2^64 divided by the golden ratio: far apart for neighbours.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// As much as a socket buffers on a good day; tests of stuck readers set less.
const BUFFER: usize = 64 * 1024;
/// The same number on Linux, macOS and the BSDs.
const EMFILE: i32 = 24;
