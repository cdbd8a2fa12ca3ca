//! MCP servers, the shipped hooks before them, and clients.

use super::{Server, Speaks};
use crate::support::{Ask, Client, PROXY, Reply};
use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::group::Group;
use proxy::memory::MemoryNetwork;
use proxy::server::Control;
use proxy::settings::{GroupSettings, ListenerSettings, PeerSettings, Probe, Protocol, Settings};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// MCP servers, the shipped hooks before them, and clients.
pub(crate) struct World {
    pub(crate) network: MemoryNetwork,
    pub(crate) servers: Vec<Server>,
    pub(crate) group: Arc<Group>,
    pub(crate) control: Control,
    pub(crate) serving: JoinHandle<io::Result<()>>,
    pub(crate) clock: ClockSource,
    address: SocketAddr,
}

/// A group of `peers` MCP servers at `/mcp`, each a tier of its own, probed as such.
fn group(peers: u8) -> GroupSettings {
    let peer = |number: u8| {
        let address = SocketAddr::from(([10, 0, 0, number], 80));
        let mut peer = PeerSettings::at(format!("peer-{number}"), address);
        peer.peer.priority = number.into();
        "/mcp".clone_into(&mut peer.url.path);
        peer
    };
    let mut group = GroupSettings::new("g", (1..=peers).map(peer).collect());
    group.protocol = Protocol::Mcp;
    group.health_check.probe = Some(Probe::Mcp);
    group
}

impl World {
    /// A server for each of these, in order, and a group of them.
    pub(crate) fn new(speaks: &[Speaks]) -> Self {
        Self::with(speaks, |_| ())
    }

    /// The same with the settings of the group changed.
    pub(crate) fn with(speaks: &[Speaks], change: impl Fn(&mut GroupSettings)) -> Self {
        let network = MemoryNetwork::new(PROXY);
        let servers: Vec<Server> = (1..)
            .zip(speaks)
            .map(|(host, speaks)| Server::start(&network, host, *speaks))
            .collect();
        let mut settings = group(u8::try_from(speaks.len()).unwrap());
        change(&mut settings);
        let address = SocketAddr::new(PROXY, 8080);
        let settings = Settings {
            listeners: vec![ListenerSettings::new(address)],
            groups: vec![settings],
            ..Settings::default()
        };
        let gateway = Gateway::new(&settings).unwrap();
        let options = gateway.server_settings(&settings);
        let clock = ClockSource::seeded(1);
        let group = Arc::clone(&gateway.groups()[0]);
        let server =
            proxy::server::Server::bind(network.clone(), gateway, clock, &options).unwrap();
        Self {
            control: server.control(),
            serving: tokio::task::spawn_local(server.run_local()),
            network,
            servers,
            group,
            clock,
            address,
        }
    }

    /// Asks on a new connection.
    pub(crate) async fn ask(&self, ask: &Ask) -> Reply {
        let host = IpAddr::from([10, 0, 1, 1]);
        let mut client = Client::from(&self.network, self.address, host).await;
        client.ask(ask).await.unwrap()
    }

    /// A legacy request.
    pub(crate) async fn legacy(&self, method: &str) -> Reply {
        self.ask(&post(method)).await
    }

    /// A modern request.
    pub(crate) async fn modern(&self, method: &str) -> Reply {
        let ask = post(method).field("mcp-protocol-version", "2026-07-28");
        self.ask(&ask.field("mcp-method", method)).await
    }

    /// The state of the peers.
    pub(crate) fn view(&self) -> Vec<lb::PeerView> {
        self.group.lb.view(self.clock.now()).peers
    }
}

/// A request of an MCP client, without the headers that tell its era.
pub(crate) fn post(method: &str) -> Ask {
    let params = match method {
        "initialize" => {
            r#"{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}"#
        }
        _ => "{}",
    };
    let body = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#);
    Ask::post("/mcp", body)
        .field("content-type", "application/json")
        .field("accept", "application/json, text/event-stream")
}
