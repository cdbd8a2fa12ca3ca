//! The loss of the peer (rule 17).

use super::{INITIALIZE, World, ask};
use crate::support::{run, within};
use proxy::settings::PeerLoss;
use std::time::Duration;

#[test]
fn rule_17_a_stream_goes_on_with_another_peer_behind_the_client_s() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        let seen = client.call(1, "tools/list").await;
        assert!(seen.contains(r#""id":1,"result":{"host":2}"#), "{seen}");
        world.servers[0].kill();
        for id in 2..5 {
            let seen = client.call(id, "tools/call").await;
            assert!(
                seen.contains(&format!(r#""id":{id},"result":{{"host":3}}"#)),
                "{seen}"
            );
        }
        // What makes the stream an MCP session is nothing the client sees.
        assert_eq!(
            client.text.matches("endpoint").count(),
            1,
            "{}",
            client.text
        );
        assert_eq!(
            client.text.matches("protocolVersion").count(),
            1,
            "{}",
            client.text
        );
        let second = &world.servers[1];
        assert_eq!(second.count(r#""protocolVersion":"2024-11-05""#), 1);
        assert_eq!(second.count(r#""name":"c","version":"9""#), 1);
        assert_eq!(second.count("notifications/initialized"), 1);
        assert_eq!(second.count("tools/call"), 3);
        assert_eq!(world.moved(), 1);
    });
}

#[test]
fn rule_17_what_was_asked_is_asked_again_if_it_may_be_and_told_otherwise() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        world.servers[0].be_silent();
        assert_eq!(client.post(&ask(7, "tools/call")).await.status, 202);
        assert_eq!(client.post(&ask(8, "tools/list")).await.status, 202);
        world.servers[0].kill();
        let seen = client.until(r#""id":8,"result":{"host":3}"#).await;
        assert_eq!(seen.matches(r#""id":7,"#).count(), 1, "{seen}");
        assert_eq!(seen.matches(r#""delivery":"unknown""#).count(), 1, "{seen}");
        assert_eq!(world.servers[1].count("tools/call"), 0);
        assert_eq!(world.servers[1].count("tools/list"), 1);
    });
}

#[test]
fn rule_17_what_was_on_its_way_is_told_or_asked_again_too() {
    run(async {
        for (method, end) in [
            ("tools/list", r#""id":7,"result":{"host":3}"#),
            ("tools/call", r#""delivery":"unknown""#),
        ] {
            let world = World::new();
            let mut client = world.client().await;
            world.servers[0].die_next();
            assert_eq!(client.post(&ask(7, method)).await.status, 202);
            let seen = client.until(end).await;
            assert_eq!(seen.matches(r#""id":7,"#).count(), 1, "{seen}");
            let seen = client.call(9, "tools/call").await;
            assert!(seen.contains(r#""id":9,"result":{"host":3}"#), "{seen}");
        }
    });
}

#[test]
fn rule_17_an_initialize_without_an_answer_is_asked_again() {
    run(async {
        let world = World::new();
        let mut client = world.opened().await;
        world.servers[0].die_next();
        assert_eq!(client.post(INITIALIZE).await.status, 202);
        client.until("protocolVersion").await;
        assert_eq!(world.servers[1].count("\"initialize\""), 1);
        let seen = client.call(1, "tools/call").await;
        assert!(seen.contains(r#""id":1,"result":{"host":3}"#), "{seen}");
    });
}

#[test]
fn rule_17_a_stream_before_its_first_message_goes_on_too() {
    run(async {
        let world = World::new();
        let mut client = world.opened().await;
        world.servers[0].kill();
        assert_eq!(client.post(INITIALIZE).await.status, 202);
        client.until("protocolVersion").await;
        assert_eq!(world.servers[1].count("\"initialize\""), 1);
    });
}

#[test]
fn rule_17_a_stream_waits_for_its_only_peer_to_return() {
    run(async {
        let world = World::of(1, |_| {});
        let mut client = world.client().await;
        for restart in 1..4 {
            world.servers[0].kill();
            tokio::time::sleep(Duration::from_secs(300)).await;
            world.servers[0].revive();
            // Its breaker opens for a minute at most, and the stream looks every 30 seconds.
            tokio::time::sleep(Duration::from_secs(120)).await;
            let seen = client.call(restart, "tools/call").await;
            assert!(
                seen.contains(&format!(r#""id":{restart},"result":{{"host":2}}"#)),
                "{seen}"
            );
        }
        assert_eq!(world.moved(), 3);
        assert_eq!(world.servers[0].streams(), 1);
    });
}

#[test]
fn rule_17_a_message_that_waits_has_a_peer_that_returns_found_soon() {
    run(async {
        let world = World::of(1, |settings| {
            settings.groups[0].policy.breaker = None;
        });
        let mut client = world.client().await;
        world.servers[0].kill();
        // By now the stream looks but every 30 seconds.
        tokio::time::sleep(Duration::from_secs(300)).await;
        let servers = world.servers.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            servers[0].revive();
        });
        let seen = within(Duration::from_secs(5), client.call(1, "tools/call")).await;
        assert!(seen.contains(r#""id":1,"result":{"host":2}"#), "{seen}");
    });
}

#[test]
fn rule_17_a_stream_that_its_server_ends_goes_on_elsewhere() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        world.servers[0].end_streams();
        let seen = client.call(1, "tools/call").await;
        assert!(seen.contains(r#""id":1,"result":{"host":3}"#), "{seen}");
    });
}

/// A server that ends every stream at once is asked ever more seldom.
#[test]
fn a_stream_that_breaks_as_soon_as_it_is_there_comes_back_ever_more_slowly() {
    run(async {
        let world = World::of(1, |_| {});
        let _client = world.client().await;
        for _ in 0..6_000 {
            world.servers[0].end_streams();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let moved = world.moved();
        assert!((5..40).contains(&moved), "{moved} in 300 s");
    });
}

#[test]
fn rule_10_questions_of_a_server_that_is_gone_are_cancelled() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        let question = r#"{"jsonrpc":"2.0","id":0,"method":"roots/list"}"#;
        let answer = r#"{"jsonrpc":"2.0","id":0,"result":{"roots":[]}}"#;
        world.servers[0].say(question);
        client.until("roots/list").await;
        assert_eq!(client.post(answer).await.status, 202);
        world.servers[0].say(&question.replace('0', "1").replace("2.1", "2.0"));
        client.until(r#""id":1,"method":"roots/list""#).await;
        world.servers[0].kill();
        let seen = client.until("notifications/cancelled").await;
        assert!(seen.contains(r#""requestId":1,"#), "{seen}");
        assert_eq!(seen.matches("notifications/cancelled").count(), 1, "{seen}");
        client.call(5, "tools/list").await;
        // Rules 11 and 12: the next server counts from 0 again.
        world.servers[1].say(question);
        client.until(r#""id":"backstay-2:0""#).await;
        assert_eq!(client.post(answer).await.status, 202);
        assert_eq!(world.servers[1].count("\"roots\":[]"), 0);
        let answer = answer.replace("\"id\":0", r#""id":"backstay-2:0""#);
        assert_eq!(client.post(&answer).await.status, 202);
        assert_eq!(world.servers[1].count(r#""id":0,"result":{"roots":[]}"#), 1);
    });
}

#[test]
fn rule_16_what_has_changed_is_told_if_it_is_declared() {
    run(async {
        let declared = r#"{"tools":{"listChanged":true}}"#;
        for (before, after, told) in [
            ("{}", declared, 1),
            ("{}", r#"{"tools":{}}"#, 0),
            ("{}", "{}", 0),
            (declared, declared, 0),
        ] {
            let world = World::new();
            world.servers[0].set_capabilities(before);
            world.servers[1].set_capabilities(after);
            let mut client = world.client().await;
            world.servers[0].kill();
            let seen = client.call(1, "tools/list").await;
            assert_eq!(seen.matches("tools/list_changed").count(), told, "{seen}");
        }
    });
}

#[test]
fn rule_8_what_the_client_set_is_set_again() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        for (id, method, params) in [
            (1, "logging/setLevel", r#"{"level":"error"}"#),
            (2, "resources/subscribe", r#"{"uri":"a:1"}"#),
        ] {
            let body = ask(id, method).replace(r#"{"name":"x"}"#, params);
            assert_eq!(client.post(&body).await.status, 202);
            client.until(&format!("\"id\":{id},")).await;
        }
        world.servers[0].kill();
        client.call(3, "tools/call").await;
        for set in [r#""level":"error""#, r#""uri":"a:1""#] {
            assert_eq!(world.servers[1].count(set), 1, "{set}");
        }
    });
}

#[test]
fn rule_8_a_stream_goes_nowhere_where_another_revision_is_spoken() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        world.servers[1].speak("2025-03-26");
        world.servers[0].kill();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(world.moved(), 0);
        world.servers[0].revive();
        tokio::time::sleep(Duration::from_secs(120)).await;
        let seen = client.call(1, "tools/call").await;
        assert!(seen.contains(r#""id":1,"result":{"host":2}"#), "{seen}");
    });
}

#[test]
fn rule_17_half_an_event_is_none() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        world.servers[0].begin_huge_event();
        client.until(&"x".repeat(1_000)).await;
        world.servers[0].kill();
        let seen = client.call(1, "tools/call").await;
        assert!(seen.contains("\nevent: incomplete\n\n"));
    });
}

#[test]
fn a_group_that_moves_nothing_ends_the_stream_and_says_what_is_lost() {
    run(async {
        let world = World::of(2, |settings| {
            settings.groups[0].on_peer_loss = PeerLoss::Fail;
        });
        let mut client = world.client().await;
        world.servers[0].be_silent();
        assert_eq!(client.post(&ask(7, "tools/list")).await.status, 202);
        world.servers[0].kill();
        client.until(r#""delivery":"unknown""#).await;
        // The last chunk: the end is in order.
        client.until("\r\n0\r\n\r\n").await;
        assert_eq!(world.servers[1].streams(), 0);
    });
}

#[test]
fn nothing_is_kept_of_a_stream_whose_client_has_left() {
    run(async {
        let world = World::new();
        let client = world.client().await;
        assert_eq!(world.gateway.legacy_streams(), 1);
        drop(client);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.gateway.legacy_streams(), 0);
        let client = world.client().await;
        world.servers[0].kill();
        world.servers[1].kill();
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(client);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.gateway.legacy_streams(), 0);
    });
}
