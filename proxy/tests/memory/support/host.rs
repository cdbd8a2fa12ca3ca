//! Programs on the hosts of the network.

use super::wire::Wire;
use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::memory::{MemoryNetwork, example};
use proxy::network::Network as _;
use proxy::server::{Control, Server};
use proxy::settings::Settings;
use std::sync::Arc;

/// Accepts connections at a host's address for as long as the test lasts, and serves each.
pub(crate) fn serve_each<F>(network: &MemoryNetwork, host: u8, serve: impl Fn(Wire) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let network = network.seen_from(example::address(host).ip());
    let socket = network.bind(example::address(host)).unwrap();
    let listener = network.listen(socket).unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = network.accept(&listener).await {
            tokio::task::spawn_local(serve(Wire::new(proxy::tls::Wire::Plain(stream))));
        }
    });
}

/// Starts a proxy on host 1.
pub(crate) fn start_proxy(
    network: &MemoryNetwork,
    settings: &Settings,
) -> (Arc<Gateway>, ClockSource) {
    let (gateway, clock, _) = start_controlled(network, settings);
    (gateway, clock)
}

/// The same, with what controls it.
pub(crate) fn start_controlled(
    network: &MemoryNetwork,
    settings: &Settings,
) -> (Arc<Gateway>, ClockSource, Control) {
    let gateway = Gateway::new(settings).unwrap();
    let options = gateway.server_settings(settings);
    let ours = network.seen_from(example::address(1).ip());
    let clock = ClockSource::seeded(1);
    let server = Server::bind(ours, Arc::clone(&gateway), clock, &options).unwrap();
    let control = server.control();
    tokio::task::spawn_local(server.run_local());
    (gateway, clock, control)
}
