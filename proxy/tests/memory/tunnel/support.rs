//! Clients that ask for a WebSocket, whose frames nobody here looks at.

use crate::support::{Ask, Authority, Broken, Client, Head, Plan, World, settle};
use proxy::settings::{GroupTls, Scheme};
use proxy::tls::Connector;
use std::time::Duration;

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A handshake (RFC 6455 §4.1).
pub(super) fn ask(target: &str) -> Ask {
    Ask::get(target)
        .field("connection", "Upgrade")
        .field("upgrade", "websocket")
        .field("sec-websocket-version", "13")
        .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// A client whose connection was switched.
pub(super) async fn switched(world: &World, target: &str) -> Client {
    let mut client = Client::new(world).await;
    switch(&mut client, target).await;
    client
}

/// Switches; the head that said so.
pub(super) async fn switch(client: &mut Client, target: &str) -> Head {
    client.send(&ask(target).bytes()).await;
    let head = client.wire.head().await.unwrap();
    assert_eq!(head.start, "HTTP/1.1 101 Switching Protocols");
    head
}

/// What comes back of `text` from a peer that mirrors.
pub(super) async fn mirrored(client: &mut Client, text: &str) -> String {
    client.send(text.as_bytes()).await;
    let mut back = Vec::new();
    while back.len() < text.len() {
        back.extend(client.wire.some(text.len()).await.unwrap());
    }
    String::from_utf8(back).unwrap()
}

/// All that comes until the end, and how that is.
pub(super) async fn rest(client: &mut Client) -> (Vec<u8>, Broken) {
    let mut all = Vec::new();
    loop {
        match client.wire.some(usize::MAX).await {
            Ok(some) => all.extend(some),
            Err(broken) => return (all, broken),
        }
    }
}

/// The peer is asked over TLS, and believed.
pub(super) fn over_tls(plan: &mut Plan, authority: &Authority) {
    plan.group.peers[0].url.scheme = Scheme::Https;
    let tls = GroupTls {
        ca: Some(authority.pem()),
        ..GroupTls::default()
    };
    plan.group.tls = Some(Connector::new(tls).unwrap());
    plan.acceptor = Some(authority.acceptor(&authority.issue(&["10.0.0.1"]), false));
}

/// Nothing is left of any tunnel.
pub(super) async fn assert_gone(world: &World) {
    settle(SECOND / 2).await;
    assert_eq!(world.group.metrics.tunnels.active.get(), 0, "tunnels");
    world.assert_idle();
    for peer in &world.peers {
        assert_eq!(world.network.connections(peer.ip()), 0, "connections");
    }
    assert_eq!(world.metrics.connections_active.get(), 0, "clients");
}
