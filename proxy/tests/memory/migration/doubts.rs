//! MCP sessions of which it is in doubt whether their peer still knows them.

use super::{Mcp, World, host};
use crate::support::run;
use proxy::settings::Probe;
use std::time::Duration;

/// A prober that looks every second.
fn probed() -> World {
    looked_at(Duration::from_secs(1))
}

fn looked_at(interval: Duration) -> World {
    World::with(|group| {
        group.health_check.probe = Some(Probe::Mcp);
        group.health_check.interval = interval;
    })
}

/// The peer's id of the session of this client.
async fn upstream(world: &World, client: &mut Mcp) -> String {
    assert_eq!(host(&client.call("tools/list").await), "2");
    let seen = world.servers[0].seen();
    let of = seen.iter().rfind(|seen| seen.body.contains("\"id\":7"));
    of.unwrap().session.clone().unwrap()
}

/// A peer whose prober has seen it start over, and which still knows one session: that of this
/// client, by this id. `since` is what has passed after it forgot the others.
async fn remembered(since: Duration) -> (World, Mcp, String) {
    let world = probed();
    let mut client = world.client().await;
    client.initialize().await;
    let upstream = upstream(&world, &mut client).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.servers[0].forget_all_but(&upstream);
    tokio::time::sleep(since).await;
    (world, client, upstream)
}

#[test]
fn rule_5_a_session_whose_peer_was_seen_to_start_over_moves_before_its_request_is_sent() {
    run(async {
        let world = probed();
        let mut client = world.client().await;
        client.initialize().await;
        let old = upstream(&world, &mut client).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        world.servers[0].forget();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(world.moved(), 0);
        assert_eq!(host(&client.call("tools/call").await), "2");
        assert_eq!(world.moved(), 1);
        let seen = world.servers[0].seen();
        let calls: Vec<_> = seen
            .iter()
            .filter(|seen| seen.body.contains("tools/call"))
            .collect();
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert_ne!(calls[0].session.as_ref(), Some(&old));
    });
}

#[test]
fn a_session_that_its_peer_still_knows_stays_whatever_the_prober_saw() {
    run(async {
        let (world, mut client, upstream) = remembered(Duration::from_secs(30)).await;
        let of_ours = |text: &str| {
            let seen = world.servers[0].seen();
            let ours = seen
                .iter()
                .filter(|seen| seen.session.as_ref() == Some(&upstream));
            ours.filter(|seen| seen.body.contains(text)).count()
        };
        for calls in 1..4 {
            assert_eq!(host(&client.call("tools/call").await), "2");
            assert_eq!(of_ours("tools/call"), calls);
        }
        // It was asked once whether the session lives.
        assert_eq!(of_ours("\"ping\""), 1);
        assert_eq!(world.moved(), 0);
    });
}

/// What becomes of the request itself says more.
#[test]
fn a_peer_that_does_not_say_whether_it_knows_a_session_is_sent_the_request() {
    run(async {
        let (world, mut client, _) = remembered(Duration::from_millis(30_500)).await;
        world.servers[0].refuse_next("500 Internal Server Error");
        assert_eq!(host(&client.call("tools/call").await), "2");
        assert_eq!(world.servers[0].count("tools/call"), 1);
        assert_eq!(world.moved(), 0);
    });
}

#[test]
fn rule_5_a_session_is_made_anew_where_servers_say_400_for_unknown_ones() {
    run(async {
        let world = World::new();
        world.servers[0].set_unknown("400 Bad Request");
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].forget();
        assert_eq!(host(&client.call("tools/call").await), "2");
        assert_eq!(world.moved(), 1);
    });
}

#[test]
fn a_400_about_the_request_is_the_client_s() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.initialize().await;
        world.servers[0].refuse_next("400 Bad Request");
        assert_eq!(client.call("tools/call").await.status, 400);
        assert_eq!(world.servers[0].count("tools/call"), 1);
        assert_eq!(world.moved(), 0);
    });
}

#[test]
fn rule_5_a_404_for_somebody_else_is_the_peer_s_word() {
    run(async {
        for world in [World::new(), probed()] {
            world.servers[0].own_sessions();
            let mut owner = world.client().await;
            owner.credential = Some("Bearer a".to_owned());
            owner.initialize().await;
            assert_eq!(host(&owner.call("tools/list").await), "2");
            let mut other = world.client().await;
            other.session.clone_from(&owner.session);
            other.credential = Some("Bearer b".to_owned());
            for _ in 0..3 {
                assert_eq!(other.call("tools/list").await.status, 404);
                assert_eq!(host(&owner.call("tools/call").await), "2");
            }
            assert_eq!(world.moved(), 0);
        }
    });
}

/// Rules 3 and 5: credentials that name nobody do not bind, but an end that no peer confirms is
/// believed only of those which the peer has served.
#[test]
fn rule_5_whoever_has_only_found_an_id_does_not_end_its_session() {
    run(async {
        for stranger in [None, Some("Bearer b")] {
            let world = World::new();
            world.servers[0].own_sessions();
            let mut owner = world.client().await;
            owner.credential = Some("Bearer a".to_owned());
            owner.initialize().await;
            assert_eq!(host(&owner.call("tools/list").await), "2");
            let mut other = world.client().await;
            other.session.clone_from(&owner.session);
            other.credential = stranger.map(str::to_owned);
            let end = other.head("DELETE");
            assert_eq!(other.client.ask(&end).await.unwrap().status, 404);
            assert_eq!(host(&owner.call("tools/list").await), "2");
            world.servers[0].kill();
            other.client.ask(&end).await.unwrap();
            assert_eq!(host(&owner.call("tools/list").await), "3");
            assert_eq!(world.moved(), 1);
            world.servers[1].kill();
            let end = owner.head("DELETE");
            assert_eq!(owner.client.ask(&end).await.unwrap().status, 200);
            assert_eq!(owner.call("tools/list").await.status, 404);
        }
    });
}

/// Rule 3: tokens are refreshed in mid-session, even while a peer restarts. The prober would see that
/// in an hour, and is asked to look.
#[test]
fn rule_3_a_refreshed_token_loses_no_session() {
    run(async {
        let world = looked_at(Duration::from_secs(3600));
        let mut client = world.client().await;
        client.credential = Some("Bearer a".to_owned());
        client.initialize().await;
        assert_eq!(host(&client.call("tools/list").await), "2");
        client.credential = Some("Bearer b".to_owned());
        assert_eq!(host(&client.call("tools/list").await), "2");
        tokio::time::sleep(Duration::from_secs(30)).await;
        world.servers[0].forget();
        client.credential = Some("Bearer c".to_owned());
        let reply = client.call("tools/call").await;
        assert_eq!(host(&reply), "2", "{} {}", reply.status, reply.text());
        assert_eq!(world.moved(), 1);
    });
}
