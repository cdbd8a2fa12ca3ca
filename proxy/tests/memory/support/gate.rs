//! The shipped hooks between scripted peers and strict clients.

use super::client::{Ask, Client};
use super::ledger::Ledger;
use super::peer::Peer;
use super::reply::Reply;
use super::world::PROXY;
use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::group::Group;
use proxy::memory::MemoryNetwork;
use proxy::metrics::ProxyMetrics;
use proxy::server::Server;
use proxy::settings::{
    GroupSettings, ListenerSettings, PeerSettings, Probe, RouteAnswer, RouteMatch, RouteSettings,
    Settings,
};
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

/// The shipped hooks between scripted peers and strict clients.
pub(crate) struct Gate {
    pub(crate) network: MemoryNetwork,
    /// As [`group`] counts them, from 0.
    pub(crate) peers: Vec<Peer>,
    pub(crate) ledger: Ledger,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) metrics: Arc<ProxyMetrics>,
    pub(crate) address: SocketAddr,
}

/// A group of peers by their numbers, each a tier of its own in that order; no health checks.
pub(crate) fn group(name: &str, numbers: &[u8]) -> GroupSettings {
    let peer = |(tier, number): (u32, &u8)| {
        let address = SocketAddr::from(([10, 0, 0, number + 1], 80));
        let mut peer = PeerSettings::at(format!("peer-{number}"), address);
        peer.peer.priority = tier;
        peer.url.authority = format!("peer-{number}");
        peer
    };
    let mut group = GroupSettings::new(name, (1..).zip(numbers).map(peer).collect());
    group.health_check.probe = Some(Probe::None);
    group
}

/// A route of a path to a group by its position.
pub(crate) fn route(path: &str, group: usize) -> RouteSettings {
    let matches = RouteMatch {
        path: path.to_owned(),
        ..RouteMatch::default()
    };
    RouteSettings::new(matches, RouteAnswer::Group(group))
}

impl Gate {
    /// Serves what the settings say, at the proxy's address unless they name one.
    pub(crate) fn start(mut settings: Settings) -> Self {
        if settings.listeners.is_empty() {
            let address = SocketAddr::new(PROXY, 8080);
            settings.listeners = vec![ListenerSettings::new(address)];
        }
        let host = settings.listeners[0].listen.ip().unwrap();
        let network = MemoryNetwork::new(host);
        let ledger = Ledger::default();
        let connections = Rc::new(Cell::new(0));
        let peers = settings.groups.iter().map(|group| group.peers.len()).sum();
        let peers = (0..peers)
            .map(|number| Peer::start(&network, number, &ledger, &connections, None))
            .collect();
        let gateway = Gateway::new(&settings).unwrap();
        let options = gateway.server_settings(&settings);
        let clock = ClockSource::seeded(1);
        let server = Server::bind(network.clone(), Arc::clone(&gateway), clock, &options).unwrap();
        let (metrics, address) = (server.metrics(), server.addresses()[0].tcp().unwrap());
        tokio::task::spawn_local(server.run_local());
        Self {
            network,
            peers,
            ledger,
            gateway,
            metrics,
            address,
        }
    }

    /// One group, and no routes.
    pub(crate) fn of(group: GroupSettings) -> Self {
        Self::start(Settings {
            groups: vec![group],
            ..Settings::default()
        })
    }

    /// Groups and routes.
    pub(crate) fn routed(groups: Vec<GroupSettings>, routes: Vec<RouteSettings>) -> Self {
        Self::start(Settings {
            groups,
            routes,
            ..Settings::default()
        })
    }

    pub(crate) fn group(&self, at: usize) -> Arc<Group> {
        Arc::clone(&self.gateway.groups()[at])
    }

    /// A client on a host of its own.
    pub(crate) async fn client(&self) -> Client {
        let host = IpAddr::from([10, 0, 1, 1]);
        Client::from(&self.network, self.address, host).await
    }

    /// Asks on a new connection.
    pub(crate) async fn ask(&self, ask: &Ask) -> Reply {
        self.client().await.ask(ask).await.unwrap()
    }
}
