//! The shipped hooks before scripted peers, and reloads of them.

use super::client::{Ask, CLIENT, Client};
use super::ledger::Ledger;
use super::peer::Peer;
use super::world::PROXY;
use proxy::clock::ClockSource;
use proxy::gateway::{Gateway, NotReloaded};
use proxy::group::Group;
use proxy::memory::MemoryNetwork;
use proxy::metrics::ProxyMetrics;
use proxy::server::{Control, Reloaded, Server};
use proxy::settings::{GroupSettings, ListenerSettings, PeerSettings, Probe, Settings};
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// A gateway, peers behind it, and the network between them.
pub(crate) struct Renewed {
    pub(crate) network: MemoryNetwork,
    pub(crate) peers: Vec<Peer>,
    pub(crate) ledger: Ledger,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clock: ClockSource,
    pub(crate) control: Control,
    pub(crate) metrics: Arc<ProxyMetrics>,
    pub(crate) serving: JoinHandle<io::Result<()>>,
}

/// What is answered to a request of a new client, and by which peer.
pub(crate) async fn ask(gate: &Renewed) -> (u16, Option<String>) {
    let mut client = Client::from(&gate.network, listener(8080), CLIENT).await;
    let reply = client.ask(&Ask::get("/")).await.unwrap();
    (reply.status, reply.peer().map(str::to_owned))
}

/// An answer of this peer.
pub(crate) fn from(peer: u8) -> (u16, Option<String>) {
    (200, Some(peer.to_string()))
}

/// One group `g` of these peers, `a` for 0, each a tier of its own in this order; no probes, one
/// listener.
pub(crate) fn settings(peers: &[usize]) -> Settings {
    let peers = peers.iter().zip(1..).map(|(number, priority)| {
        let name = char::from(b'a' + u8::try_from(*number).unwrap());
        let host = u8::try_from(*number + 1).unwrap();
        let mut peer = PeerSettings::at(name, SocketAddr::from(([10, 0, 0, host], 80)));
        peer.peer.priority = priority;
        peer
    });
    let mut group = GroupSettings::new("g", peers.collect());
    group.health_check.probe = Some(Probe::None);
    Settings {
        listeners: vec![ListenerSettings::new(listener(8080))],
        groups: vec![group],
        ..Settings::default()
    }
}

/// An address of the proxy.
pub(crate) fn listener(port: u16) -> SocketAddr {
    SocketAddr::new(PROXY, port)
}

impl Renewed {
    /// Three peers, of which `settings` may name any.
    pub(crate) fn start(settings: &Settings) -> Self {
        let network = MemoryNetwork::new(PROXY);
        let ledger = Ledger::default();
        let connections = Rc::new(Cell::new(0));
        let peers = (0..3)
            .map(|number| Peer::start(&network, number, &ledger, &connections, None))
            .collect();
        let gateway = Gateway::new(settings).unwrap();
        let clock = ClockSource::seeded(1);
        let options = gateway.server_settings(settings);
        let server = Server::bind(network.clone(), Arc::clone(&gateway), clock, &options).unwrap();
        Self {
            network,
            peers,
            ledger,
            gateway,
            clock,
            control: server.control(),
            metrics: server.metrics(),
            serving: tokio::task::spawn_local(server.run_local()),
        }
    }

    pub(crate) async fn reload(&self, settings: &Settings) -> Result<Reloaded, NotReloaded> {
        self.gateway.reload(&self.control, settings).await
    }

    /// The first group.
    pub(crate) fn group(&self) -> Arc<Group> {
        self.gateway.groups().swap_remove(0)
    }

    /// The state of its peers.
    pub(crate) fn view(&self) -> Vec<lb::PeerView> {
        self.group().lb.view(self.clock.now()).peers
    }
}
