//! Messages that do not arrive.

use super::{World, ask};
use crate::support::run;
use lb::{Admin, PeerIndex};
use proxy::clock::ClockSource;
use std::time::Duration;

#[test]
fn rule_17_a_message_that_no_peer_takes_is_answered_on_the_stream() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        world.servers[0].kill();
        world.servers[1].kill();
        assert_eq!(client.post(&ask(7, "tools/list")).await.status, 202);
        let seen = client.until(r#""id":7,"#).await;
        assert!(seen.contains(r#""delivery":"not_sent""#), "{seen}");
        // It is not sent later either.
        world.servers[1].revive();
        tokio::time::sleep(Duration::from_secs(60)).await;
        client.call(8, "tools/call").await;
        assert_eq!(world.servers[1].count("\"id\":7"), 0);
    });
}

#[test]
fn rule_19_an_error_status_is_told_on_the_stream() {
    run(async {
        for (status, code) in [
            ("429 Too Many Requests", "-31004"),
            ("500 Internal Server Error", "-31006"),
            ("503 Service Unavailable", "-31001"),
        ] {
            let world = World::new();
            let mut client = world.client().await;
            world.servers[0].refuse(Some(status));
            assert_eq!(client.post(&ask(7, "tools/call")).await.status, 202);
            let seen = client.until(r#""id":7,"#).await;
            assert!(seen.contains(code), "{status}: {seen}");
            world.servers[0].refuse(None);
            let seen = client.call(8, "tools/call").await;
            assert!(seen.contains(r#""id":8,"result":{"host":2}"#), "{seen}");
        }
    });
}

#[test]
fn a_refusal_of_the_message_itself_is_the_client_s() {
    run(async {
        for (status, code) in [("401 Unauthorized", 401), ("404 Not Found", 404)] {
            let world = World::of(2, |settings| settings.limits.legacy_stream.requests = 2);
            let mut client = world.client().await;
            world.servers[0].refuse(Some(status));
            for id in 7..10 {
                assert_eq!(client.post(&ask(id, "tools/call")).await.status, code);
            }
            // They count for nothing.
            world.servers[0].refuse(None);
            let seen = client.call(10, "tools/call").await;
            assert!(seen.contains(r#""id":10,"result":{"host":2}"#), "{seen}");
        }
    });
}

/// One that has started over knows no stream, and those it had break off in a moment.
#[test]
fn rule_17_a_message_to_a_peer_that_knows_no_stream_waits_for_another_place() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        let streams = world.servers[0].forget();
        let breaks = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            drop(streams);
        };
        let (seen, ()) = tokio::join!(client.call(1, "tools/call"), breaks);
        assert!(seen.contains(r#""id":1,"result":{"host":3}"#), "{seen}");
    });
}

/// A peer that cannot be used any more is left, though its stream is not cut: it may stand still.
#[test]
fn rule_17_a_stream_leaves_a_peer_that_takes_no_messages() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        let lb = &world.gateway.groups()[0].lb;
        let now = ClockSource::seeded(1).now();
        lb.set_admin(PeerIndex(0), Admin::Disabled, now);
        let seen = client.call(1, "tools/call").await;
        assert!(seen.contains(r#""id":1,"result":{"host":3}"#), "{seen}");
        assert_eq!(world.servers[0].count("tools/call"), 0);
    });
}

#[test]
fn a_stream_takes_no_more_requests_than_it_may() {
    run(async {
        let world = World::of(2, |settings| settings.limits.legacy_stream.requests = 3);
        let mut client = world.client().await;
        world.servers[0].be_silent();
        for id in 1..=4 {
            assert_eq!(client.post(&ask(id, "tools/call")).await.status, 202);
        }
        let seen = client.until("\"error\"").await;
        assert!(seen.contains(r#""id":4,"#), "{seen}");
        assert!(seen.contains(r#""delivery":"not_sent""#), "{seen}");
        assert_eq!(world.servers[0].count("tools/call"), 3);
        let crowded = &world.gateway.groups()[0].metrics.migrations.crowded;
        assert_eq!(crowded.get(), 1);
    });
}

#[test]
fn what_is_too_large_to_be_kept_is_not_asked_again() {
    run(async {
        let world = World::of(2, |settings| settings.limits.legacy_stream.bodies = 300);
        let mut client = world.client().await;
        world.servers[0].be_silent();
        let large = ask(7, "tools/list").replace("\"x\"", &format!("\"{}\"", "x".repeat(300)));
        assert_eq!(client.post(&large).await.status, 202);
        assert_eq!(client.post(&ask(8, "tools/list")).await.status, 202);
        world.servers[0].kill();
        let seen = client.until(r#""id":8,"result":{"host":3}"#).await;
        assert_eq!(seen.matches("delivery").count(), 1, "{seen}");
        assert_eq!(world.servers[1].count("tools/list"), 1);
    });
}

/// Messages from another principal do not find the stream.
#[test]
fn rule_3_a_token_that_was_changed_finds_no_stream() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        let last = client.endpoint.pop().unwrap();
        client.endpoint.push(if last == 'A' { 'B' } else { 'A' });
        assert_eq!(client.post(&ask(7, "tools/list")).await.status, 404);
        assert_eq!(world.servers[0].count("tools/list"), 0);
    });
}

#[test]
fn rule_9_a_stream_that_is_refused_takes_the_credential_of_the_next_message() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        world.servers[1].require("Bearer 2");
        world.servers[0].kill();
        tokio::time::sleep(Duration::from_secs(300)).await;
        let brought = world.servers[1].credentials();
        assert!(brought.iter().all(|one| one == "Bearer 1"), "{brought:?}");
        assert!((2..30).contains(&brought.len()), "{}", brought.len());
        let seen = client.call(1, "tools/list").await;
        assert!(seen.contains(r#""id":1,"result":{"host":3}"#), "{seen}");
    });
}
