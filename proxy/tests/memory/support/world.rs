//! Peers, the proxy, and the network between them.

use super::hooks::{Spy, Wish};
use super::ledger::Ledger;
use super::peer::Peer;
use proxy::clock::ClockSource;
use proxy::group::Group;
use proxy::memory::MemoryNetwork;
use proxy::metrics::ProxyMetrics;
use proxy::server::{Control, Server, ServerSettings};
use proxy::settings::{
    GroupSettings, HealthCheck, Limits, ListenerSettings, PeerSettings, PeerUrl, Probe, Scheme,
};
use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What a world is made of. By default three peers `a`, `b` and `c`, each a tier of its own, so
/// that requests go to `a` first, then to `b`; no health checks.
pub(crate) struct Plan {
    pub(crate) group: GroupSettings,
    pub(crate) limits: Limits,
    pub(crate) listener: ListenerSettings,
    pub(crate) wish: Wish,
    pub(crate) seed: u64,
    /// The peers speak TLS; their URLs must say so.
    pub(crate) acceptor: Option<TlsAcceptor>,
    /// Reads and writes move pieces.
    pub(crate) fragments: bool,
}

/// Peers, the proxy, and the network between them.
pub(crate) struct World {
    pub(crate) network: MemoryNetwork,
    pub(crate) peers: Vec<Peer>,
    pub(crate) ledger: Ledger,
    pub(crate) group: Arc<Group>,
    pub(crate) spy: Arc<Spy>,
    pub(crate) clock: ClockSource,
    pub(crate) control: Control,
    pub(crate) metrics: Arc<ProxyMetrics>,
    pub(crate) address: SocketAddr,
    pub(crate) serving: JoinHandle<io::Result<()>>,
}

impl Plan {
    pub(crate) fn new(peers: u8) -> Self {
        let peers = (1..=peers).map(|number| {
            let mut peer = lb::Peer::new(char::from(b'a' + number - 1).to_string());
            peer.priority = u32::from(number);
            let host = format!("10.0.0.{number}");
            let url = PeerUrl {
                scheme: Scheme::Http,
                authority: host.clone(),
                host,
                port: 80,
                path: String::new(),
            };
            PeerSettings {
                peer,
                url,
                credential: None,
            }
        });
        let mut group = GroupSettings::new("g", peers.collect());
        group.health_check = HealthCheck {
            probe: Some(Probe::None),
            ..HealthCheck::default()
        };
        Self {
            group,
            limits: Limits::default(),
            listener: ListenerSettings::new(SocketAddr::new(PROXY, 8080)),
            wish: Wish::default(),
            seed: 1,
            acceptor: None,
            fragments: false,
        }
    }

    pub(crate) fn start(self) -> World {
        let network = MemoryNetwork::new(PROXY);
        if self.fragments {
            network.set_fragments(self.seed);
        }
        let ledger = Ledger::default();
        let connections = Rc::new(Cell::new(0));
        let peers = (0..self.group.peers.len())
            .map(|number| {
                let acceptor = self.acceptor.clone();
                Peer::start(&network, number, &ledger, &connections, acceptor)
            })
            .collect();
        let group = Group::new(self.group).unwrap();
        let spy = Arc::new(Spy::new(Arc::clone(&group), self.wish));
        let clock = ClockSource::seeded(self.seed);
        let settings = ServerSettings {
            threads: 1,
            listeners: vec![self.listener],
            limits: self.limits,
            groups: vec![Arc::clone(&group)],
            ..ServerSettings::default()
        };
        let server = Server::bind(network.clone(), Arc::clone(&spy), clock, &settings).unwrap();
        World {
            network,
            peers,
            ledger,
            group,
            spy,
            clock,
            control: server.control(),
            metrics: server.metrics(),
            address: server.addresses()[0].tcp().unwrap(),
            serving: tokio::task::spawn_local(server.run_local()),
        }
    }
}

impl World {
    pub(crate) fn new(peers: u8) -> Self {
        Plan::new(peers).start()
    }

    /// The state of the peers.
    pub(crate) fn view(&self) -> Vec<lb::PeerView> {
        self.group.lb.view(self.clock.now()).peers
    }

    /// Nothing of any request is left.
    pub(crate) fn assert_idle(&self) {
        assert_eq!(self.metrics.requests_active.get(), 0, "requests");
        assert_eq!(self.group.metrics.active.get(), 0, "requests of the group");
        for peer in self.view() {
            assert_eq!(peer.in_flight, 0, "in flight at {}", peer.name);
        }
    }
}

/// Where the proxy is.
pub(crate) const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 9, 9));
