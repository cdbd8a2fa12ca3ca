//! Streams of HTTP+SSE (MCP 2024-11-05) that outlive their peers.

mod loss;
mod messages;
mod server;

use crate::support::{Ask, Client, Reply, start_proxy};
use proxy::gateway::Gateway;
use proxy::memory::{MemoryNetwork, example};
use proxy::settings::{GroupSettings, ListenerSettings, PeerSettings, Probe, Settings};
use server::Server;
use std::sync::Arc;

/// Servers on hosts 2 and up, the first preferred, and a gateway on host 1.
struct World {
    network: MemoryNetwork,
    servers: Vec<Server>,
    gateway: Arc<Gateway>,
}

impl World {
    fn new() -> Self {
        Self::of(2, |_| {})
    }

    fn of(servers: u8, change: impl FnOnce(&mut Settings)) -> Self {
        let network = MemoryNetwork::new(example::address(9).ip());
        let hosts = 2..2 + servers;
        let servers = hosts.clone().map(|host| Server::start(&network, host));
        let servers = servers.collect();
        let peers = hosts.map(|host| {
            let mut peer = PeerSettings::at(format!("peer-{host}"), example::address(host));
            peer.peer.priority = host.into();
            peer
        });
        let mut group = GroupSettings::new("g", peers.collect());
        group.health_check.probe = Some(Probe::None);
        let mut settings = Settings {
            listeners: vec![ListenerSettings::new(example::address(1))],
            groups: vec![group],
            ..Settings::default()
        };
        change(&mut settings);
        let (gateway, _) = start_proxy(&network, &settings);
        Self {
            network,
            servers,
            gateway,
        }
    }

    /// A client that has opened a stream.
    async fn opened(&self) -> Mcp {
        let address = example::address(9).ip();
        let mut stream = Client::from(&self.network, example::address(1), address).await;
        let ask = Ask::get("/sse").field("accept", "text/event-stream");
        stream
            .send(&ask.field("authorization", "Bearer 1").bytes())
            .await;
        let reply = stream.wire.reply_head("GET").await.unwrap();
        assert_eq!(reply.status, 200);
        let mut client = Mcp {
            stream,
            network: self.network.clone(),
            endpoint: String::new(),
            text: String::new(),
        };
        client.until("event: endpoint").await;
        client.until("\n\n").await;
        let (_, endpoint) = client.text.split_once("data: ").unwrap();
        client.endpoint = endpoint.lines().next().unwrap().to_owned();
        client
    }

    /// One that has also agreed on what is spoken.
    async fn client(&self) -> Mcp {
        let mut client = self.opened().await;
        assert_eq!(client.post(INITIALIZE).await.status, 202);
        client.until("protocolVersion").await;
        assert_eq!(client.post(INITIALIZED).await.status, 202);
        client
    }

    fn moved(&self) -> u64 {
        self.gateway.groups()[0].metrics.migrations.moved.get()
    }
}

/// A client of HTTP+SSE.
struct Mcp {
    stream: Client,
    network: MemoryNetwork,
    endpoint: String,
    /// All that came on the stream.
    text: String,
}

impl Mcp {
    async fn post(&mut self, body: &str) -> Reply {
        let ask = Ask::post(&self.endpoint, body).field("content-type", "application/json");
        let ask = ask.field("authorization", "Bearer 2");
        // An old connection may have been closed for its idleness.
        let address = example::address(9).ip();
        let mut posts = Client::from(&self.network, example::address(1), address).await;
        posts.ask(&ask).await.unwrap()
    }

    /// Asks something; what the stream has said by the time it is answered.
    async fn call(&mut self, id: u32, method: &str) -> String {
        assert_eq!(self.post(&ask(id, method)).await.status, 202);
        self.until(&format!("\"id\":{id},")).await
    }

    /// Reads the stream until this came.
    async fn until(&mut self, text: &str) -> String {
        while !self.text.contains(text) {
            let some = self.stream.wire.some(65_536).await.unwrap();
            self.text.push_str(&String::from_utf8_lossy(&some));
        }
        self.text.clone()
    }
}

fn ask(id: u32, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"name":"x"}}}}"#)
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},"clientInfo":{"name":"c","version":"9"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
