//! What modern clients are told when no peer answers (rule 20).

use super::{World, message};
use crate::support::{run, settle};
use lb::BreakerView;
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn rule_20_without_a_peer_it_is_503_with_the_error_and_when_to_return() {
    run(async {
        let world = World::new(2);
        world.servers.iter().for_each(super::Modern::kill);
        for method in ["tools/call", "resources/read", "subscriptions/listen"] {
            let params = json!({"name": "x", "notifications": {}});
            let reply = world.reply(method, params).await;
            let error = message(&reply);
            assert_eq!(reply.status, 503, "{method}: {error}");
            assert_eq!(error["id"], "l");
            assert_eq!(error["error"]["code"], -31001, "{method}: {error}");
            assert_eq!(error["error"]["data"]["delivery"], "not_sent");
            assert_eq!(error["error"]["data"]["retryable"], true);
            assert!(reply.head.get("retry-after").is_some(), "{method}");
            // Rule 21.
            assert_eq!(reply.head.get("cache-control"), Some("no-store"));
            assert!(reply.head.get("proxy-status").is_some());
            assert_eq!(reply.head.get("mcp-session-id"), None);
        }
    });
}

#[test]
fn rule_20_a_peer_that_does_not_answer_in_time_makes_504() {
    run(async {
        let world = World::with(2, |group| group.timeouts.first_byte = Some(SECOND));
        world.servers.iter().for_each(super::Modern::hang);
        let reply = world.reply("resources/list", json!({})).await;
        let error = message(&reply);
        assert_eq!(reply.status, 504, "{error}");
        assert_eq!(error["error"]["code"], -31003, "{error}");
        assert_eq!(error["error"]["data"]["delivery"], "unknown");
        // Nobody is asked to come again with what may have run.
        assert_eq!(reply.head.get("retry-after"), None);
    });
}

#[test]
fn rule_20_peers_that_are_full_make_429_and_say_when_to_return() {
    run(async {
        let world = World::with(2, |group| group.policy.max_in_flight = 1);
        world.servers.iter().for_each(super::Modern::hang);
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let mut client = world.client().await;
            let ask = super::ask("tools/call", json!({"name": "x"}));
            client.send(&ask.bytes()).await;
            waiting.push(client);
        }
        settle(SECOND).await;
        let reply = world.reply("tools/call", json!({"name": "x"})).await;
        let error = message(&reply);
        assert_eq!(reply.status, 429, "{error}");
        assert_eq!(error["error"]["code"], -31004, "{error}");
        assert_eq!(error["error"]["data"]["delivery"], "not_sent");
        assert!(reply.head.get("retry-after").is_some());
    });
}

#[test]
fn rule_20_an_unknown_method_is_an_answer_and_no_loss() {
    run(async {
        let world = World::new(2);
        for turn in 1..=20 {
            let (status, error) = world.ask("unknown", json!({})).await;
            assert_eq!(status, 404);
            assert_eq!(error["error"]["code"], -32601);
            let mut asked = 0;
            for server in &world.servers {
                asked += server.seen("unknown").len();
            }
            assert_eq!(asked, turn, "one peer each");
        }
        for peer in world.group().lb.view(world.clock.now()).peers {
            assert_eq!(peer.breaker, BreakerView::Closed);
            assert!(peer.usable);
        }
    });
}
