//! What one server gave out goes back to it (rule 26).

use super::server::token;
use super::{World, ask, message};
use crate::support::{run, settle};
use serde_json::{Value, json};
use std::time::Duration;

/// Asks for a first page: the cursor to the next, and whose it is.
async fn first_page(world: &World) -> (Value, Value) {
    let page = world.result("tools/list", json!({})).await;
    (page["nextCursor"].clone(), page["host"].clone())
}

#[test]
fn rule_26_the_next_page_comes_from_the_peer_of_the_first() {
    for streams in [false, true] {
        run(async {
            let world = World::new(3);
            if streams {
                world.servers.iter().for_each(super::Modern::stream);
            }
            let mut hosts = Vec::new();
            for _ in 0..6 {
                let (cursor, host) = first_page(&world).await;
                assert!(cursor.as_str().unwrap().starts_with("bs1."), "{cursor}");
                let page = world.result("tools/list", json!({"cursor": cursor})).await;
                assert_eq!(page["host"], host);
                assert_eq!(page["nextCursor"], Value::Null);
                // It got back what it gave, and no mark of ours.
                let seen = world.server(&host).seen("tools/list");
                let given = &seen.last().unwrap()["params"]["cursor"];
                assert_eq!(*given, token(world.server(&host).host));
                hosts.push(host.as_u64());
            }
            hosts.sort_unstable();
            hosts.dedup();
            assert_eq!(hosts.len(), 3, "all serve");
        });
    }
}

#[test]
fn rule_26_a_call_that_asked_for_input_goes_on_where_it_began() {
    for streams in [false, true] {
        run(async {
            let world = World::new(2);
            if streams {
                world.servers.iter().for_each(super::Modern::stream);
            }
            for _ in 0..4 {
                let asked = world.result("tools/call", json!({"name": "ask"})).await;
                assert_eq!(asked["resultType"], "input_required");
                let state = &asked["requestState"];
                let params = json!({"name": "ask", "requestState": state, "inputResponses": {}});
                let done = world.result("tools/call", params).await;
                let seen = world.server(&done["host"]).seen("tools/call");
                let given = &seen.last().unwrap()["params"]["requestState"];
                assert_eq!(*given, token(world.server(&done["host"]).host));
            }
        });
    }
}

#[test]
fn rule_26_the_cursor_of_a_peer_is_the_same_behind_every_replica() {
    run(async {
        let (one, other) = (World::new(2), World::new(2));
        let (cursor, host) = first_page(&one).await;
        let page = other.result("tools/list", json!({"cursor": cursor})).await;
        assert_eq!(page["host"], host);
        for _ in 0..2 {
            let (again, by) = first_page(&other).await;
            assert_eq!(again == cursor, by == host);
        }
    });
}

#[test]
fn rule_26_a_task_is_asked_for_where_it_was_made() {
    for streams in [false, true] {
        run(async {
            let world = World::new(3);
            if streams {
                world.servers.iter().for_each(super::Modern::stream);
            }
            let mut tasks = Vec::new();
            for _ in 0..6 {
                let made = world.result("tools/call", json!({"name": "task"})).await;
                // Rule 26: never altered.
                assert!(made["taskId"].as_str().unwrap().starts_with("task "));
                tasks.push(made["taskId"].clone());
            }
            assert_eq!(world.group().tasks_known(), 6);
            for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
                for task in &tasks {
                    let found = world.result(method, json!({"taskId": task})).await;
                    assert_eq!(found["taskId"], *task);
                }
            }
        });
    }
}

/// Rules 20 and 26: nobody else is asked, and the client knows that nothing has happened.
#[test]
fn rule_26_a_lost_minter_is_told_and_nobody_else_is_asked() {
    run(async {
        let world = World::new(2);
        let (cursor, host) = first_page(&world).await;
        let task = loop {
            let made = world.result("tools/call", json!({"name": "task"})).await;
            if made["taskId"].to_string().contains(&format!("of {host}")) {
                break made["taskId"].clone();
            }
        };
        let minter = world.server(&host);
        let asked = || {
            let servers = world.servers.iter();
            servers
                .map(|server| server.seen("tools/list").len() + server.seen("tasks/get").len())
                .sum::<usize>()
        };
        minter.kill();
        let before = asked();
        for (method, params) in [
            ("tools/list", json!({"cursor": cursor})),
            ("tasks/get", json!({"taskId": task})),
        ] {
            let reply = world.reply(method, params.clone()).await;
            let error = message(&reply);
            assert_eq!(reply.status, 503, "{error}");
            assert_eq!(error["id"], "l");
            assert_eq!(error["error"]["code"], -31008, "{error}");
            assert_eq!(error["error"]["data"]["delivery"], "not_sent");
            assert!(reply.head.get("retry-after").is_some());
            assert_eq!(asked(), before, "nobody was asked");
        }
        minter.revive();
        settle(Duration::from_secs(5)).await;
        let page = world.result("tools/list", json!({"cursor": cursor})).await;
        assert_eq!(page["host"], host);
    });
}

#[test]
fn rule_26_a_mark_that_is_not_ours_for_this_group_reaches_no_peer() {
    run(async {
        let world = World::new(2);
        let other = World::keyed(2, "other", |_| ());
        let (foreign, _) = first_page(&other).await;
        let (cursor, _) = first_page(&world).await;
        let asked = world.servers[0].seen("tools/list").len();
        let cursor = cursor.as_str().unwrap();
        let mut tampered = cursor.to_owned();
        tampered.replace_range(9..10, if &cursor[9..10] == "A" { "B" } else { "A" });
        for cursor in [
            foreign.as_str().unwrap(),
            &tampered,
            "bs1.",
            "bs1.k.AAAA",
            &cursor[..cursor.find(':').unwrap()],
        ] {
            let (status, error) = world.ask("tools/list", json!({"cursor": cursor})).await;
            assert_eq!(status, 400, "{cursor}: {error}");
            assert_eq!(error["error"]["code"], -32602, "{cursor}: {error}");
            assert_eq!(error["error"]["data"]["delivery"], "not_sent");
        }
        assert_eq!(world.servers[0].seen("tools/list").len(), asked);
    });
}

#[test]
fn rule_26_a_minter_that_has_left_the_group_is_told() {
    run(async {
        let (before, now) = (World::new(3), World::new(2));
        let cursor = loop {
            let (cursor, host) = first_page(&before).await;
            if host == 4 {
                break cursor;
            }
        };
        let (status, error) = now.ask("tools/list", json!({"cursor": cursor})).await;
        assert_eq!(status, 400, "{error}");
        assert_eq!(error["error"]["code"], -32602, "{error}");
        assert_eq!(error["error"]["data"]["delivery"], "not_sent");
        let asked = now.servers.iter().map(|server| server.seen("tools/list"));
        assert_eq!(asked.flatten().count(), 0);
    });
}

#[test]
fn rule_26_what_has_no_mark_passes_as_it_is() {
    run(async {
        let world = World::new(2);
        for value in [json!("abc"), json!(""), json!(7), json!("bs2.x"), json!({})] {
            let (status, _) = world
                .ask("tools/list", json!({"cursor": value.clone()}))
                .await;
            assert_eq!(status, 400, "the peer's own answer");
            let mut servers = world.servers.iter();
            let saw = servers.any(|server| {
                let seen = server.seen("tools/list");
                seen.iter().any(|seen| seen["params"]["cursor"] == value)
            });
            assert!(saw, "{value}");
        }
        // Deeper down a value is a tool's own.
        let (cursor, _) = first_page(&world).await;
        let params = json!({"name": "x", "arguments": {"cursor": cursor}});
        let done = world.result("tools/call", params.clone()).await;
        let seen = world.server(&done["host"]).seen("tools/call");
        assert_eq!(seen.last().unwrap()["params"], params);
    });
}

/// Rules 22 and 26: a body that was read decides, so its head must say the same.
#[test]
fn rule_26_a_head_that_belies_a_marked_body_is_refused() {
    run(async {
        let world = World::new(2);
        let (cursor, _) = first_page(&world).await;
        let mut lying = ask("tools/list", json!({"cursor": cursor}));
        for (name, value) in &mut lying.fields {
            if name == "mcp-method" {
                "prompts/list".clone_into(value);
            }
        }
        let reply = world.client().await.ask(&lying).await.unwrap();
        assert_eq!(reply.status, 400);
        assert_eq!(message(&reply)["error"]["code"], -32020);
    });
}

#[test]
fn rule_26_one_peer_or_shared_state_need_no_marks() {
    for (servers, shared) in [(1, false), (2, true)] {
        run(async {
            let world = World::with(servers, |group| group.shared_state = shared);
            for _ in 0..4 {
                let (cursor, host) = first_page(&world).await;
                assert_eq!(cursor, token(world.server(&host).host));
                world.result("tools/call", json!({"name": "task"})).await;
            }
            assert_eq!(world.group().tasks_known(), 0);
            // The body is not waited for either: the peer hears of the request before its end.
            let mut client = world.client().await;
            let whole = ask("tools/list", json!({})).bytes();
            client.send(&whole[..whole.len() - 1]).await;
            settle(Duration::from_secs(1)).await;
            let open = world.gateway.groups()[0].lb.view(world.clock.now()).peers;
            assert_eq!(open.iter().map(|peer| peer.in_flight).sum::<u32>(), 1);
        });
    }
}

#[test]
fn a_connection_outlives_an_answer_that_was_marked() {
    run(async {
        let world = World::new(2);
        for _ in 0..6 {
            first_page(&world).await;
        }
        for server in &world.servers {
            assert_eq!(server.connections(), 1);
        }
    });
}

#[test]
fn what_is_too_long_to_look_into_passes_and_is_counted() {
    run(async {
        let world = World::new(2);
        let long = "x".repeat(4 * 1024 * 1024);
        let params = json!({"name": "x", "arguments": {"text": long}});
        let (status, _) = world.ask("tools/call", params).await;
        assert_eq!(status, 200);
        assert_eq!(world.group().metrics.ties_unread.get(), 1);
        let answer = world.result("tools/call", json!({"name": "long"})).await;
        assert_eq!(answer["text"].as_str().map(str::len), Some(5 * 1024 * 1024));
        assert_eq!(world.group().metrics.ties_unread.get(), 2);
    });
}

/// It was made behind another replica, or before a restart of this one.
#[test]
fn rule_26_a_task_that_is_not_remembered_is_looked_for_once() {
    for streams in [false, true] {
        run(async {
            let world = World::new(3);
            if streams {
                world.servers.iter().for_each(super::Modern::stream);
            }
            let asked = || {
                let servers = world.servers.iter();
                servers
                    .map(|server| server.seen("tasks/get").len())
                    .sum::<usize>()
            };
            for host in 2..5 {
                let params = json!({"taskId": format!("task 1 of {host}")});
                let found = world.result("tasks/get", params.clone()).await;
                assert_eq!(found["host"], host);
                let before = asked();
                world.result("tasks/get", params).await;
                assert_eq!(asked(), before + 1, "now it is remembered");
            }
            let before = asked();
            let (status, error) = world.ask("tasks/get", json!({"taskId": "?"})).await;
            assert_eq!(status, 400);
            assert_eq!(error["error"]["code"], -32602, "the word of the last peer");
            assert_eq!(asked(), before + 3);
        });
    }
}
