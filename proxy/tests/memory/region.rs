//! The region that a request names, by header, parameter or tool.

use crate::support::{Answer, Ask, Client, Renewed, Script, listener, run, settings};
use proxy::memory::example;
use proxy::settings::{Protocol, RegionKey, RegionSettings, Settings};

/// Peers in `eu`, `us` and `asia`, of which `eu` is ours and `asia` the next; a message of the
/// modern era goes where `key` says.
fn regional(key: RegionKey, map: &[(&str, &str)]) -> Settings {
    let mut settings = settings(&[0, 1, 2]);
    let group = &mut settings.groups[0];
    group.protocol = Protocol::Auto;
    for (peer, region) in group.peers.iter_mut().zip(REGIONS) {
        peer.peer.priority = 1;
        peer.peer.region = Some(region.to_owned());
    }
    group.policy.local_region = Some("eu".to_owned());
    group.policy.region_fallback = vec!["asia".to_owned()];
    let pair = |(value, region): &(&str, &str)| ((*value).to_owned(), (*region).to_owned());
    group.region = Some(RegionSettings {
        key,
        map: map.iter().map(pair).collect(),
    });
    settings
}

fn call(tool: &str) -> Ask {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}}}}}"#
    );
    Ask::post("/mcp", body)
        .field("content-type", "application/json")
        .field("accept", "application/json, text/event-stream")
}

fn modern(tool: &str) -> Ask {
    call(tool)
        .field("mcp-protocol-version", "2026-07-28")
        .field("mcp-method", "tools/call")
        .field("mcp-name", tool)
}

/// The region of the peer that answers.
async fn served(world: &Renewed, ask: &Ask) -> &'static str {
    for peer in &world.peers {
        let answer = Answer::new(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
            .field("content-type", "application/json");
        peer.always(Script::answer(answer));
    }
    let address = example::address(20).ip();
    let mut client = Client::from(&world.network, listener(8080), address).await;
    let reply = client.ask(ask).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    REGIONS[world.ledger.entries().last().unwrap().peer]
}

/// MCP 2026-07-28 "Value Encoding".
#[test]
fn a_parameter_names_the_region_plain_or_in_base64() {
    run(async {
        let key = RegionKey::Header("mcp-param-region".parse().unwrap());
        let world = Renewed::start(&regional(key, &[]));
        for (value, region) in [
            (Some("us"), "us"),
            // `us`
            (Some("=?base64?dXM=?="), "us"),
            (Some("asia"), "asia"),
            // No region of any peer, nothing that can be read, nothing at all: the proxy's own.
            (Some("mars"), "eu"),
            (Some("=?base64?bWFycw==?="), "eu"),
            (Some("=?base64?%%?="), "eu"),
            (Some(""), "eu"),
            (None, "eu"),
        ] {
            for ask in [modern("find"), call("find")] {
                let ask = match value {
                    Some(value) => ask.field("mcp-param-region", value),
                    None => ask,
                };
                assert_eq!(served(&world, &ask).await, region, "{value:?}");
            }
        }
    });
}

#[test]
fn a_tenant_has_a_region_and_strangers_have_the_proxy_s() {
    run(async {
        let key = RegionKey::Header("x-tenant".parse().unwrap());
        let world = Renewed::start(&regional(key, &[("acme", "us"), ("globex", "asia")]));
        for (tenant, region) in [("acme", "us"), ("globex", "asia"), ("other", "eu")] {
            let ask = Ask::get("/plain").field("x-tenant", tenant);
            assert_eq!(served(&world, &ask).await, region, "{tenant}");
            let ask = modern("find").field("x-tenant", tenant);
            assert_eq!(served(&world, &ask).await, region, "{tenant}");
        }
    });
}

#[test]
fn a_tool_has_a_region_in_both_eras() {
    run(async {
        let map = [("find", "us"), ("pay", "asia")];
        let world = Renewed::start(&regional(RegionKey::McpName, &map));
        for (tool, region) in [("find", "us"), ("pay", "asia"), ("other", "eu")] {
            assert_eq!(served(&world, &modern(tool)).await, region, "{tool}");
            assert_eq!(served(&world, &call(tool)).await, region, "{tool}");
        }
        assert_eq!(served(&world, &Ask::get("/plain")).await, "eu");
    });
}

#[test]
fn a_region_that_is_lost_falls_back_as_the_group_says() {
    run(async {
        let key = RegionKey::Header("mcp-param-region".parse().unwrap());
        let world = Renewed::start(&regional(key, &[]));
        world.network.kill(world.peers[1].ip());
        let ask = modern("find").field("mcp-param-region", "us");
        assert_eq!(served(&world, &ask).await, "asia");
    });
}

const REGIONS: [&str; 3] = ["eu", "us", "asia"];
