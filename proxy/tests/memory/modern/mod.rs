//! The modern era (MCP 2026-07-28) before servers that understand only what they gave out
//! themselves.

mod affinity;
mod faults;
mod listen;
mod listen_loss;
mod server;

use crate::support::{Ask, Client, Reply, start_controlled};
use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::group::Group;
use proxy::memory::{MemoryNetwork, example};
use proxy::server::Control;
use proxy::settings::{
    GroupSettings, ListenerSettings, PeerSettings, Probe, SealKey, SessionSettings, Settings,
    ToolRetry,
};
use serde_json::{Value, json};
use server::Modern;
use std::sync::Arc;

/// Servers on hosts 2 and up, round robin, and a gateway on host 1.
struct World {
    network: MemoryNetwork,
    servers: Vec<Modern>,
    gateway: Arc<Gateway>,
    clock: ClockSource,
    control: Control,
    settings: Settings,
}

impl World {
    fn new(servers: u8) -> Self {
        Self::with(servers, |_| {})
    }

    fn with(servers: u8, change: impl FnOnce(&mut GroupSettings)) -> Self {
        Self::keyed(servers, "g", change)
    }

    /// A group of another name, with the same key as every other world's.
    fn keyed(servers: u8, name: &str, change: impl FnOnce(&mut GroupSettings)) -> Self {
        let network = MemoryNetwork::new(example::address(90).ip());
        let hosts = 2..2 + servers;
        let servers = hosts.clone().map(|host| Modern::start(&network, host));
        let servers = servers.collect();
        let peers =
            hosts.map(|host| PeerSettings::at(format!("peer-{host}"), example::address(host)));
        let mut group = GroupSettings::new(name, peers.collect());
        group.policy.strategy = lb::Strategy::RoundRobin;
        group.health_check.probe = Some(Probe::None);
        group.retry_tools = ToolRetry::Always;
        change(&mut group);
        let key = SealKey {
            id: "k".to_owned(),
            secret: [7; 32],
        };
        let settings = Settings {
            listeners: vec![ListenerSettings::new(example::address(1))],
            groups: vec![group],
            session: SessionSettings {
                keys: vec![key],
                ..SessionSettings::default()
            },
            ..Settings::default()
        };
        let (gateway, clock, control) = start_controlled(&network, &settings);
        Self {
            network,
            servers,
            gateway,
            clock,
            control,
            settings,
        }
    }

    /// A reload: there is another server, on this host, and it is the only peer.
    async fn replace(&mut self, host: u8) {
        self.servers.push(Modern::start(&self.network, host));
        let peer = PeerSettings::at(format!("peer-{host}"), example::address(host));
        self.settings.groups[0].peers = vec![peer];
        let reloaded = self.gateway.reload(&self.control, &self.settings).await;
        reloaded.unwrap();
    }

    fn group(&self) -> Arc<Group> {
        Arc::clone(&self.gateway.groups()[0])
    }

    /// The server a number in an answer stands for.
    fn server(&self, host: &Value) -> &Modern {
        let host = host.as_u64().unwrap_or_else(|| panic!("{host}"));
        let mut servers = self.servers.iter();
        servers
            .find(|server| u64::from(server.host) == host)
            .unwrap()
    }

    async fn client(&self) -> Client {
        let address = example::address(90).ip();
        Client::from(&self.network, example::address(1), address).await
    }

    /// Asks on a new connection; the status and the message.
    async fn ask(&self, method: &str, params: Value) -> (u16, Value) {
        let reply = self.reply(method, params).await;
        (reply.status, message(&reply))
    }

    async fn reply(&self, method: &str, params: Value) -> Reply {
        self.client().await.ask(&ask(method, params)).await.unwrap()
    }

    /// The result of what has one.
    async fn result(&self, method: &str, params: Value) -> Value {
        let (status, message) = self.ask(method, params).await;
        assert_eq!(status, 200, "{message}");
        message["result"].clone()
    }
}

/// A modern request; its id is `l`.
fn ask(method: &str, params: Value) -> Ask {
    let name = [&params["taskId"], &params["name"]]
        .into_iter()
        .find_map(|name| name.as_str().map(str::to_owned));
    let body = json!({"jsonrpc": "2.0", "id": "l", "method": method, "params": params});
    let ask = Ask::post("/mcp", body.to_string())
        .field("content-type", "application/json")
        .field("accept", "application/json, text/event-stream")
        .field("mcp-protocol-version", "2026-07-28")
        .field("mcp-method", method);
    match name {
        Some(name) => ask.field("mcp-name", &name),
        None => ask,
    }
}

/// The response in an answer of either form.
fn message(reply: &Reply) -> Value {
    let text = reply.text();
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let text = data.next_back().unwrap_or(&text);
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
