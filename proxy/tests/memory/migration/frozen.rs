//! Streams of peers that stand still: nothing breaks their connections.

use super::{World, host};
use crate::support::run;
use proxy::memory::example;
use proxy::settings::Probe;
use std::time::Duration;

#[test]
fn rule_14_a_stream_leaves_a_peer_that_stands_still() {
    run(async {
        let world = World::with(|group| {
            group.health_check.probe = Some(Probe::Mcp);
            group.health_check.interval = Duration::from_secs(1);
        });
        let mut client = world.client().await;
        client.initialize().await;
        let open = client.head("GET");
        client.client.send(&open.bytes()).await;
        let reply = client.client.wire.reply_head("GET").await.unwrap();
        assert_eq!(reply.status, 200);
        let mut text = String::new();
        let mut read = async |until: &str| {
            while !text.contains(until) {
                let some = client.client.wire.some(65_536).await.unwrap();
                text.push_str(&String::from_utf8_lossy(&some));
            }
        };
        read("\"hello\":2").await;
        world.network.freeze(example::address(2).ip());
        // Without it, this waits until the end of the test's time.
        read("\"hello\":3").await;
        let mut other = world.client().await;
        other.session.clone_from(&client.session);
        assert_eq!(host(&other.call("tools/list").await), "3");
    });
}
