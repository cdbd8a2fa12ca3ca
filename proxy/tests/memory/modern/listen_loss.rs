//! Listeners whose stream no peer, or not every peer, goes on with (rule 15).

use super::World;
use super::listen::{Listener, SECOND, run, serving};
use crate::support::settle;
use serde_json::json;

#[test]
fn rule_15_a_peer_that_promises_less_is_passed_over() {
    run(async {
        let world = World::new(3);
        let filter = json!({"toolsListChanged": true, "resourceSubscriptions": ["a:1"]});
        let listener = Listener::new(&world, filter).await;
        let first = serving(&world);
        let (less, more) = ((first + 1) % 3, (first + 2) % 3);
        world.servers[less].be_silent_on("resourceSubscriptions");
        world.servers[first].kill();
        settle_long().await;
        assert_eq!(listener.ended(), None);
        listener.kinds();
        world.servers[more].change_tools();
        world.servers[less].change_tools();
        settle_long().await;
        let heard = listener.messages();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!(heard[0]["params"]["host"], world.servers[more].host);
    });
}

#[test]
fn rule_15_where_all_promise_less_the_stream_ends_without_a_result() {
    run(async {
        let world = World::new(3);
        let filter = json!({"toolsListChanged": true, "promptsListChanged": true});
        let listener = Listener::new(&world, filter).await;
        let first = serving(&world);
        for other in [1, 2] {
            world.servers[(first + other) % 3].be_silent_on("promptsListChanged");
        }
        // One that returns may go on with it, so it is waited for.
        world.servers[first].kill();
        settle_long().await;
        assert_eq!(listener.ended(), None);
        world.servers[first].be_silent_on("promptsListChanged");
        world.servers[first].revive();
        for _ in 0..6 {
            settle_long().await;
        }
        assert_eq!(listener.ended(), Some(true));
        assert_eq!(listener.kinds(), ["subscriptions/acknowledged"]);
        assert_eq!(world.group().metrics.listens.closed.get(), 1);
    });
}

/// What may be over soon is waited for; a refusal is a refusal, also of the credential: there is no
/// session by which another request of this client could be known.
#[test]
fn rule_15_a_refusal_is_no_place_and_a_failure_may_become_one() {
    for (status, waits) in [
        ("503 Service Unavailable", true),
        ("429 Too Many Requests", true),
        ("401 Unauthorized", false),
        ("404 Not Found", false),
    ] {
        run(async {
            let world = World::new(2);
            let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
            let first = serving(&world);
            world.servers[1 - first].refuse(Some(status));
            world.servers[first].refuse(Some(status));
            world.servers[first].kill();
            world.servers[first].revive();
            for _ in 0..6 {
                settle_long().await;
            }
            assert_eq!(listener.ended(), (!waits).then_some(true), "{status}");
            // Nothing of an answer that is no stream gets into the stream.
            assert_eq!(listener.kinds(), ["subscriptions/acknowledged"], "{status}");
            world.servers[1 - first].refuse(None);
            for _ in 0..6 {
                settle_long().await;
            }
            let goes_on = waits.then(|| "tools/list_changed".to_owned());
            assert_eq!(listener.kinds(), Vec::from_iter(goes_on), "{status}");
        });
    }
}

#[test]
fn rule_15_a_peer_that_ends_streams_at_once_is_not_asked_without_end() {
    run(async {
        let world = World::new(1);
        let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
        world.servers[0].hurry();
        world.servers[0].kill();
        world.servers[0].revive();
        for _ in 0..12 {
            settle_long().await;
        }
        let asked = world.servers[0].seen("subscriptions/listen").len();
        assert!((3..60).contains(&asked), "{asked} times in two minutes");
        assert_eq!(listener.ended(), None);
    });
}

#[test]
fn rule_15_tasks_are_listened_to_where_they_are() {
    run(async {
        let world = World::new(2);
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let made = world.result("tools/call", json!({"name": "task"})).await;
            tasks.push(made["taskId"].as_str().unwrap().to_owned());
        }
        let of = |host: u8| {
            let mine = move |task: &&String| task.ends_with(&format!("of {host}"));
            tasks.iter().filter(mine).cloned().collect::<Vec<_>>()
        };
        for server in &world.servers {
            for _ in 0..2 {
                Listener::new(&world, json!({"taskIds": of(server.host)})).await;
            }
            assert_eq!(server.seen("subscriptions/listen").len(), 2);
        }
        // One stream cannot come from two peers.
        let params = json!({"notifications": {"taskIds": tasks}});
        let (status, error) = world.ask("subscriptions/listen", params).await;
        assert_eq!(status, 400, "{error}");
        assert_eq!(error["error"]["code"], -32602);
        // They do not move, so nobody else goes on with their stream.
        let listener = Listener::new(&world, json!({"taskIds": of(2)})).await;
        world.servers[0].kill();
        settle_long().await;
        assert_eq!(listener.ended(), Some(true));
        assert_eq!(listener.kinds(), ["subscriptions/acknowledged"]);
        assert_eq!(world.servers[1].seen("subscriptions/listen").len(), 2);
    });
}

#[test]
fn rule_15_half_an_event_is_none() {
    run(async {
        let world = World::new(2);
        let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
        let first = serving(&world);
        world.servers[first].begin_huge_event();
        settle(SECOND).await;
        assert!(listener.text().len() > 1024 * 1024);
        world.servers[first].kill();
        settle(2 * SECOND).await;
        let text = listener.text();
        assert!(text.starts_with("\nevent: incomplete\n\n"), "{text}");
        assert!(text.contains("\ndata: {"), "{text}");
    });
}

#[test]
fn rule_15_a_listener_goes_on_where_the_settings_of_now_say() {
    run(async {
        let mut world = World::new(1);
        let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
        listener.kinds();
        world.replace(3).await;
        world.servers[0].kill();
        settle_long().await;
        assert_eq!(listener.kinds(), ["tools/list_changed"]);
        assert_eq!(world.servers[1].seen("subscriptions/listen").len(), 1);
    });
}

#[test]
fn rule_15_a_proxy_that_leaves_ends_subscriptions_in_order() {
    run(async {
        let world = World::new(1);
        let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
        world.control.shutdown();
        for _ in 0..33 {
            settle_long().await;
        }
        let kinds = listener.kinds();
        assert_eq!(kinds, ["subscriptions/acknowledged", "result"]);
        assert_eq!(listener.ended(), Some(true));
    });
}

#[test]
fn rule_26_a_task_that_a_listener_is_told_of_is_remembered() {
    run(async {
        let world = World::new(2);
        let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
        assert_eq!(world.group().tasks_known(), 0);
        world.servers[serving(&world)].tell_of("t");
        settle(SECOND).await;
        assert_eq!(listener.messages().len(), 2);
        assert_eq!(world.group().tasks_known(), 1);
    });
}

async fn settle_long() {
    settle(10 * SECOND).await;
}
