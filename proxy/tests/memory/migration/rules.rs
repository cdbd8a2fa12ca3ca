//! Rule by rule.

use super::{Stream, World, host};
use crate::support::{McpServer, run};
use proxy::settings::PeerLoss;
use std::time::Duration;

#[test]
fn rule_8_an_idle_session_moves_and_its_client_notices_nothing() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        assert_eq!(host(&client.call("tools/list").await), "2");
        world.servers[0].kill();
        for _ in 0..3 {
            let reply = client.call("tools/list").await;
            assert_eq!(host(&reply), "3", "{}", reply.text());
            assert_eq!(reply.head.get("mcp-session-id"), None);
        }
        let [_, second] = &world.servers;
        assert_eq!(second.count("\"initialize\""), 1);
        assert_eq!(second.count("notifications/initialized"), 1);
        // The negotiated version, and what the client said of itself.
        assert_eq!(second.count(r#""protocolVersion":"2025-06-18""#), 1);
        assert_eq!(second.count(r#""name":"c","version":"9""#), 1);
        assert_eq!(world.moved(), 1);
    });
}

#[test]
fn rule_10_an_unsafe_call_that_was_not_sent_runs_once_on_the_other_peer() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].kill();
        assert_eq!(host(&client.call("tools/call").await), "3");
        let runs: usize = world
            .servers
            .iter()
            .map(|server| server.count("tools/call"))
            .sum();
        assert_eq!(runs, 1);
    });
}

#[test]
fn rule_5_a_restarted_peer_gets_its_session_back() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].forget();
        assert_eq!(host(&client.call("tools/call").await), "2");
        assert_eq!(world.servers[0].count("\"initialize\""), 2);
        assert_eq!(world.servers[1].seen().len(), 0);
        // What is superseded is not used again.
        assert_eq!(host(&client.call("tools/call").await), "2");
        let seen = world.servers[0].seen();
        assert_eq!(seen.last().unwrap().session.as_deref(), Some("s2-2"));
    });
}

#[test]
fn rule_5_what_its_client_ended_stays_ended() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        let end = client.head("DELETE");
        assert_eq!(client.client.ask(&end).await.unwrap().status, 200);
        let asked = world.servers[0].seen().len();
        let reply = client.call("tools/list").await;
        assert_eq!(reply.status, 404, "{}", reply.text());
        assert_eq!(world.servers[0].seen().len(), asked, "no peer was asked");
        assert_eq!(world.moved(), 0);
    });
}

#[test]
fn rule_5_a_session_ended_after_its_peer_is_ended_too() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].kill();
        let end = client.head("DELETE");
        assert_eq!(client.client.ask(&end).await.unwrap().status, 200);
        assert_eq!(client.call("tools/list").await.status, 404);
        assert_eq!(world.servers[1].seen().len(), 0);
    });
}

/// The SDKs of TypeScript throw if what they end is not known any more.
#[test]
fn rule_5_a_session_ended_after_its_peer_has_restarted_is_ended_too() {
    for unknown in ["400 Bad Request", "404 Not Found"] {
        run(async move {
            let world = World::new();
            world.servers[0].set_unknown(unknown);
            let mut client = world.client().await;
            client.initialize().await;
            world.servers[0].forget();
            let end = client.head("DELETE");
            assert_eq!(client.client.ask(&end).await.unwrap().status, 200);
            assert_eq!(client.call("tools/list").await.status, 404);
            assert_eq!(world.moved(), 0);
        });
    }
}

#[test]
fn rule_5_a_stream_of_what_its_client_ended_moves_no_more() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        let mut stream = Stream::open(&world, &client).await;
        stream.until("\"hello\":2").await;
        let end = client.head("DELETE");
        assert_eq!(client.client.ask(&end).await.unwrap().status, 200);
        world.servers[0].kill();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.moved(), 0);
        assert_eq!(world.servers[1].seen().len(), 0);
    });
}

#[test]
fn rule_8_requests_that_wait_share_one_move() {
    run(async {
        let world = World::new();
        let mut first = world.client().await;
        first.initialize().await;
        world.servers[0].kill();
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let mut client = world.client().await;
            client.session.clone_from(&first.session);
            tasks.push(tokio::task::spawn_local(async move {
                host(&client.call("tools/list").await)
            }));
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), "3");
        }
        assert_eq!(world.servers[1].count("\"initialize\""), 1);
        assert_eq!(world.servers[1].sessions(), 1);
    });
}

#[test]
fn rule_8_what_the_client_set_is_set_again() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}"#,
            r#"{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"a:1"}}"#,
            r#"{"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"a:2"}}"#,
            r#"{"jsonrpc":"2.0","id":4,"method":"resources/unsubscribe","params":{"uri":"a:2"}}"#,
        ] {
            assert_eq!(client.post(body).await.status, 200);
        }
        world.servers[0].kill();
        assert_eq!(host(&client.call("tools/list").await), "3");
        let [_, second] = &world.servers;
        assert_eq!(second.count(r#""level":"debug""#), 1);
        assert_eq!(second.count("a:1"), 1);
        assert_eq!(second.count("a:2"), 0);
    });
}

#[test]
fn rule_9_the_request_brings_its_own_credential_and_gets_the_peer_s_refusal() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.credential = Some("Bearer old".to_owned());
        client.initialize().await;
        world.servers[0].kill();
        world.servers[1].require("Bearer new");
        let reply = client.call("tools/list").await;
        assert_eq!(reply.status, 401, "{}", reply.text());
        // Rule 28: it leads to a document of ours.
        let challenge = reply.head.get("www-authenticate").unwrap();
        let ours = "\"http://test/.well-known/oauth-protected-resource/mcp\"";
        assert!(challenge.contains(ours), "{challenge}");
        client.credential = Some("Bearer new".to_owned());
        assert_eq!(host(&client.call("tools/list").await), "3");
        let seen = world.servers[1].seen();
        let brought = |credential: &str| {
            let of = seen
                .iter()
                .filter(|seen| seen.credential.as_deref() == Some(credential));
            of.count()
        };
        assert_eq!((brought("Bearer old"), brought("Bearer new")), (1, 3));
    });
}

#[test]
fn rule_9_the_refusal_is_told_too_where_the_peer_of_before_has_left_the_group() {
    run(async {
        let before = World::with(|group| "gone".clone_into(&mut group.peers[0].peer.name));
        let mut client = before.client().await;
        client.initialize().await;
        let world = World::new();
        for server in &world.servers {
            server.require("Bearer new");
        }
        let mut here = world.client().await;
        here.session.clone_from(&client.session);
        let reply = here.call("tools/list").await;
        assert_eq!(reply.status, 401, "{}", reply.text());
        here.credential = Some("Bearer new".to_owned());
        assert_eq!(host(&here.call("tools/list").await), "2");
    });
}

#[test]
fn rule_12_answers_to_a_server_that_is_gone_are_taken_and_dropped() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].kill();
        let answer = r#"{"jsonrpc":"2.0","id":0,"result":{"roots":[]}}"#;
        assert_eq!(client.post(answer).await.status, 202);
        assert_eq!(host(&client.call("tools/list").await), "3");
        // Python counts its requests from 0 again: this one would be taken for another's.
        assert_eq!(client.post(answer).await.status, 202);
        assert_eq!(world.servers[1].count("roots\":[]"), 0);
        let now = r#"{"jsonrpc":"2.0","id":"backstay-2:0","result":{"roots":[]}}"#;
        assert_eq!(client.post(now).await.status, 202);
        assert_eq!(world.servers[1].count(r#""id":0,"result":{"roots":[]}"#), 1);
    });
}

#[test]
fn rule_13_an_answer_that_was_streaming_goes_on_with_another_peer_s_if_it_may_run_twice() {
    run(async {
        for (method, text) in [
            ("tools/list", "\"result\":{\"host\":3}"),
            ("tools/call", "\"delivery\":\"unknown\""),
        ] {
            let world = World::new();
            let mut client = world.client().await;
            client.initialize().await;
            world.servers[0].die_after_events(2);
            let reply = client.call(method).await;
            assert_eq!(reply.status, 200);
            let events = reply.text();
            assert_eq!(
                events.matches("notifications/progress").count(),
                2,
                "{events}"
            );
            assert_eq!(events.matches("\"id\":7").count(), 1, "{events}");
            assert!(events.contains(text), "{method}: {events}");
            assert_eq!(host(&client.call("tools/list").await), "3");
        }
    });
}

#[test]
fn rule_13_an_answer_that_never_comes_is_waited_for_no_longer_than_its_request_may_be_tried() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers.iter().for_each(McpServer::falter);
        let events = client.call("tools/list").await.text();
        assert_eq!(
            events.matches("\"delivery\":\"unknown\"").count(),
            1,
            "{events}"
        );
        assert_eq!(events.matches("\"id\":7").count(), 1, "{events}");
        let asked = world
            .servers
            .iter()
            .map(|server| server.count("tools/list"));
        assert_eq!(asked.sum::<usize>(), 3);
    });
}

#[test]
fn rule_14_a_stream_that_is_cut_again_and_again_is_reopened_without_haste() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers.iter().for_each(McpServer::falter);
        let open = client.head("GET");
        client.client.send(&open.bytes()).await;
        let reply = client.client.wire.reply_head("GET").await.unwrap();
        assert_eq!(reply.status, 200);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let seen = world.servers.iter().flat_map(McpServer::seen);
        let opened = seen.filter(|seen| seen.http == "GET").count();
        assert!((4..12).contains(&opened), "{opened}");
    });
}

#[test]
fn rule_14_a_stream_stays_open_over_the_loss_of_its_peer_and_tells_what_changed() {
    run(async {
        let world = World::new();
        world.servers[1].set_capabilities(r#"{"tools":{"listChanged":true}}"#);
        let mut client = world.client().await;
        client.initialize().await;
        let mut stream = Stream::open(&world, &client).await;
        stream.until("\"hello\":2").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        world.servers[0].kill();
        stream.until("\"hello\":3").await;
        stream.until("notifications/tools/list_changed").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let all = stream.until("\n:\n").await;
        assert_eq!(all.matches("HTTP/1.1").count(), 0);
        assert_eq!(
            all.matches("notifications/tools/list_changed").count(),
            1,
            "{all}"
        );
        let mut other = world.client().await;
        other.session.clone_from(&client.session);
        assert_eq!(host(&other.call("tools/list").await), "3");
        assert_eq!(world.servers[1].count("\"initialize\""), 1);
    });
}

#[test]
fn rule_8_a_session_whose_peer_dies_while_it_begins_begins_elsewhere() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        // The peer dies with the request in its hands, and again before it is told that all is well.
        world.servers[0].die_next();
        let body = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"9"}}}"#;
        let reply = client.post(body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        client.session = reply.head.get("mcp-session-id").map(str::to_owned);
        world.servers[0].revive();
        world.servers[1].die_next();
        tokio::time::sleep(Duration::from_secs(30)).await;
        let reply = client
            .post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        assert_eq!(host(&client.call("tools/list").await), "2");
    });
}

#[test]
fn rule_19_an_answer_that_is_cut_is_told_as_an_error() {
    run(async {
        for (method, text) in [
            ("tools/list", "\"host\":3"),
            ("tools/call", "\"delivery\":\"unknown\""),
        ] {
            let world = World::new();
            let mut client = world.client().await;
            client.initialize().await;
            world.servers[0].cut_next();
            let reply = client.call(method).await;
            assert_eq!(reply.status, 200);
            assert!(reply.text().contains(text), "{method}: {}", reply.text());
            assert!(reply.text().contains("\"id\":7"), "{}", reply.text());
        }
    });
}

#[test]
fn a_group_that_does_not_move_sessions_says_that_they_are_gone() {
    run(async {
        let world = World::with(|group| group.on_peer_loss = PeerLoss::Fail);
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].kill();
        assert_eq!(client.call("tools/list").await.status, 404);
        assert_eq!(world.servers[1].seen().len(), 0);
    });
}

#[test]
fn a_session_moves_on_when_its_second_peer_is_lost_too() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].kill();
        assert_eq!(host(&client.call("tools/list").await), "3");
        world.servers[1].kill();
        world.servers[0].revive();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let reply = client.call("tools/call").await;
        assert_eq!(host(&reply), "2", "{}", reply.text());
        assert_eq!(world.moved(), 2);
    });
}
