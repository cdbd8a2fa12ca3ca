//! MCP sessions that outlive their peers, before servers that forget what they knew.

mod counts;
mod doubts;
mod edges;
mod frozen;
mod polls;
mod recovery;
mod rules;
mod streams;
mod tokens;

use crate::support::{Ask, Client, McpServer, Reply, start_proxy};
use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::memory::{MemoryNetwork, example};
use proxy::settings::{
    GroupSettings, ListenerSettings, PeerSettings, Probe, SealKey, SessionSettings, Settings,
};
use std::sync::Arc;

/// Servers on hosts 2 and 3, the first preferred, and a gateway on host 1.
struct World {
    network: MemoryNetwork,
    servers: [McpServer; 2],
    gateway: Arc<Gateway>,
    clock: ClockSource,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut GroupSettings)) -> Self {
        let network = MemoryNetwork::new(example::address(9).ip());
        let servers = [2, 3].map(|host| McpServer::start(&network, host));
        let peers = [2, 3].map(|host| {
            let mut peer = PeerSettings::at(format!("peer-{host}"), example::address(host));
            peer.peer.priority = host.into();
            peer
        });
        let mut group = GroupSettings::new("g", peers.to_vec());
        group.health_check.probe = Some(Probe::None);
        change(&mut group);
        let settings = Settings {
            listeners: vec![ListenerSettings::new(example::address(1))],
            groups: vec![group],
            // Worlds are replicas of one another: the ids of one open in all.
            session: SessionSettings {
                keys: vec![SealKey {
                    id: "k".to_owned(),
                    secret: [7; 32],
                }],
                ..SessionSettings::default()
            },
            ..Settings::default()
        };
        let (gateway, clock) = start_proxy(&network, &settings);
        Self {
            network,
            servers,
            gateway,
            clock,
        }
    }

    async fn client(&self) -> Mcp {
        let address = example::address(9).ip();
        let client = Client::from(&self.network, example::address(1), address).await;
        Mcp {
            client,
            session: None,
            credential: None,
        }
    }

    fn kill_first(&self) {
        self.servers[0].kill();
    }

    fn moved(&self) -> u64 {
        self.gateway.groups()[0].metrics.migrations.moved.get()
    }
}

/// A client of the legacy era.
struct Mcp {
    client: Client,
    session: Option<String>,
    credential: Option<String>,
}

impl Mcp {
    fn head(&self, method: &str) -> Ask {
        let mut ask = Ask::new(method, "/mcp")
            .field("content-type", "application/json")
            .field("accept", "application/json, text/event-stream");
        if let Some(session) = &self.session {
            ask = ask
                .field("mcp-session-id", session)
                .field("mcp-protocol-version", "2025-06-18");
        }
        match &self.credential {
            Some(credential) => ask.field("authorization", credential),
            None => ask,
        }
    }

    async fn post(&mut self, body: &str) -> Reply {
        let ask = self.head("POST").body(body);
        self.client.ask(&ask).await.unwrap()
    }

    async fn initialize(&mut self) {
        let body = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},"clientInfo":{"name":"c","version":"9"}}}"#;
        let reply = self.post(body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        self.session = reply.head.get("mcp-session-id").map(str::to_owned);
        let reply = self
            .post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        assert_eq!(reply.status, 202);
    }

    async fn call(&mut self, method: &str) -> Reply {
        let body = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{}}}}"#);
        self.post(&body).await
    }
}

/// The event stream of an MCP session.
struct Stream {
    client: Mcp,
    text: String,
}

impl Stream {
    async fn open(world: &World, of: &Mcp) -> Self {
        let mut client = world.client().await;
        client.session.clone_from(&of.session);
        client.credential.clone_from(&of.credential);
        let open = client.head("GET");
        client.client.send(&open.bytes()).await;
        let reply = client.client.wire.reply_head("GET").await.unwrap();
        assert_eq!(reply.status, 200);
        Self {
            client,
            text: String::new(),
        }
    }

    /// All that came, once this has.
    async fn until(&mut self, text: &str) -> String {
        while !self.text.contains(text) {
            let some = self.client.client.wire.some(65_536).await.unwrap();
            self.text.push_str(&String::from_utf8_lossy(&some));
        }
        self.text.clone()
    }
}

fn host(reply: &Reply) -> String {
    let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    value["result"]["host"].to_string()
}
