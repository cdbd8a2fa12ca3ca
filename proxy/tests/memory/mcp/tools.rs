//! Which calls run again, and what the proxy learns of tools.

use super::{Speaks, World};
use crate::support::{Ask, run, settle};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A list of tools: `r` reads only, `i` is idempotent, `w` is neither; the rest of a word is the
/// name.
fn tools(words: &[&str]) -> String {
    let tool = |word: &&str| {
        let (kind, name) = word.split_at(1);
        let (reads, idempotent) = (kind == "r", kind == "i");
        format!(
            r#"{{"name":"{name}","annotations":{{"readOnlyHint":{reads},"idempotentHint":{idempotent}}}}}"#
        )
    };
    let all: Vec<String> = words.iter().map(tool).collect();
    format!(r#"{{"tools":[{}]}}"#, all.join(","))
}

/// A modern call of a tool.
fn call(name: &str, more: &str) -> Ask {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{name}"{more}}}}}"#
    );
    Ask::post("/mcp", body)
        .field("content-type", "application/json")
        .field("accept", "application/json, text/event-stream")
        .field("mcp-protocol-version", "2026-07-28")
        .field("mcp-method", "tools/call")
        .field("mcp-name", name)
}

/// Two peers, the first of which is lost in the middle of a call; how often the second was called.
async fn repeated(world: &World, ask: &Ask) -> usize {
    let before = world.servers[1].count("tools/call");
    world.servers[0].state().cuts = Some("tools/call");
    world.ask(ask).await;
    world.servers[0].state().cuts = None;
    world.servers[1].count("tools/call") - before
}

fn world(first: &str, second: &str) -> World {
    let world = World::new(&[Speaks::Modern, Speaks::Modern]);
    first.clone_into(&mut world.servers[0].state().tools);
    second.clone_into(&mut world.servers[1].state().tools);
    world
}

#[test]
fn rule_23_a_call_runs_again_only_if_all_peers_call_its_tool_repeatable() {
    for (first, second, again) in [
        (&["rt"][..], &["rt"][..], 1),
        (&["it"], &["it"], 1),
        (&["rt"], &["it"], 1),
        (&["rt"], &["wt"], 0),
        (&["wt"], &["rt"], 0),
        (&["wt"], &["wt"], 0),
        (&["rt"], &[], 0),
        (&["rt", "wt"], &["rt"], 0),
        (&["rother"], &["rother"], 0),
    ] {
        run(async {
            let world = world(&tools(first), &tools(second));
            settle(SECOND).await;
            let found = repeated(&world, &call("t", "")).await;
            assert_eq!(found, again, "{first:?} {second:?}");
        });
    }
}

/// Who was shown a list that is not read is not known to be allowed its tools.
#[test]
fn a_list_is_read_as_far_as_its_limit() {
    for (limit, again) in [(1_000, 1), (100, 0)] {
        run(async {
            let list = tools(&["rt", "rother"]);
            let world = World::with(&[Speaks::Modern, Speaks::Modern], |group| {
                group.mcp_limits.list = limit;
            });
            for server in &world.servers {
                server.state().tools.clone_from(&list);
            }
            settle(SECOND).await;
            let own = |ask: Ask| ask.field("authorization", "Bearer x");
            let ask = super::world::post("tools/list")
                .field("mcp-protocol-version", "2026-07-28")
                .field("mcp-method", "tools/list");
            world.ask(&own(ask)).await;
            assert_eq!(repeated(&world, &own(call("t", ""))).await, again);
            let dropped = world.group.metrics.tools_dropped.get();
            assert_eq!(dropped == 0, again == 1);
        });
    }
}

/// What is held until it is whole is asked for again when it is cut; what is longer is cut for its
/// client too.
#[test]
fn an_answer_is_held_as_far_as_its_limit() {
    for (limit, unread) in [(4_000, 0), (1_000, 1)] {
        run(async {
            let world = World::with(&[Speaks::Modern], |group| group.mcp_limits.answer = limit);
            let long = format!("w{}", "x".repeat(2_000));
            world.servers[0].state().tools = tools(&[long.as_str()]);
            world.network.set_buffer(500);
            settle(SECOND).await;
            let reply = world.modern("tools/list").await;
            assert!(reply.text().contains(&long[1..]), "{}", reply.text());
            assert_eq!(world.group.metrics.answers_unread.get(), unread);
        });
    }
}

#[test]
fn rule_23_tasks_and_coded_bodies_never_run_again() {
    run(async {
        let world = world(&tools(&["rt"]), &tools(&["rt"]));
        settle(SECOND).await;
        assert_eq!(repeated(&world, &call("t", r#","task":{}"#)).await, 0);
        let coded = call("t", "").field("content-encoding", "gzip");
        let coded = coded.body(b"\x1f\x8bnot what it seems".to_vec());
        assert_eq!(repeated(&world, &coded).await, 0);
    });
}

#[test]
fn rule_22_a_name_in_the_head_does_not_make_another_call_repeatable() {
    run(async {
        let world = world(&tools(&["rt", "wpay"]), &tools(&["rt", "wpay"]));
        settle(SECOND).await;
        let mut ask = call("pay", "");
        for (name, value) in &mut ask.fields {
            if name == "mcp-name" {
                "t".clone_into(value);
            }
        }
        assert_eq!(repeated(&world, &ask).await, 0);
    });
}

/// A caller who was never shown a tool is not known to be allowed it, unless what was shown is what
/// the prober was shown too.
#[test]
fn rule_23_each_context_goes_by_what_it_was_shown() {
    for (shown, lists, again) in [
        (None, false, 0),
        (None, true, 1),
        (Some(tools(&["rt", "rmore"])), true, 0),
        (Some(tools(&["wt"])), true, 0),
    ] {
        run(async {
            let world = world(&tools(&["rt"]), &tools(&["rt"]));
            if let Some(shown) = &shown {
                world.servers[0].state().tools_for = Some(("Bearer x", shown.clone()));
            }
            settle(SECOND).await;
            let own = |ask: Ask| ask.field("authorization", "Bearer x");
            if lists {
                let ask = super::world::post("tools/list")
                    .field("mcp-protocol-version", "2026-07-28")
                    .field("mcp-method", "tools/list");
                world.ask(&own(ask)).await;
            }
            let found = repeated(&world, &own(call("t", ""))).await;
            assert_eq!(found, again, "{shown:?} {lists}");
            // Nobody else is concerned.
            assert_eq!(repeated(&world, &call("t", "")).await, 1);
        });
    }
}

#[test]
fn a_list_passes_as_it_is() {
    for streams in [false, true] {
        run(async {
            let world = world(&tools(&["rt"]), &tools(&["rt"]));
            world.servers[0].state().streams = streams;
            let reply = world.modern("tools/list").await;
            let result = format!(r#"{{"result":{},"jsonrpc":"2.0","id":7}}"#, tools(&["rt"]));
            if streams {
                let events = format!(": hello\n\nevent: message\ndata: {result}\n\n");
                assert_eq!(reply.text(), events);
            } else {
                assert_eq!(reply.text(), result);
                let length = reply.head.get("content-length").unwrap();
                assert_eq!(length, result.len().to_string());
            }
        });
    }
}

#[test]
fn peers_that_show_different_tools_are_told_of() {
    run(async {
        let world = world(&tools(&["rt", "wu"]), &tools(&["wu", "rt"]));
        settle(SECOND).await;
        let peers = &world.group.peers;
        assert!(peers[0].known.tools_digest().is_some());
        assert_eq!(peers[0].known.tools_digest(), peers[1].known.tools_digest());
        assert_eq!(peers[0].known.tools(), Some(2));
        assert!(!world.group.tools_differ());
        world.servers[1].state().tools = tools(&["rt"]);
        settle(70 * SECOND).await;
        assert!(world.group.tools_differ());
        world.servers[0].state().tools = tools(&["rt"]);
        peers[0].known.tools_changed();
        settle(10 * SECOND).await;
        assert!(!world.group.tools_differ());
    });
}

#[test]
fn what_was_said_before_a_restart_is_void() {
    // Also where nothing is said in its place.
    for now in [tools(&["wt"]), "{}".to_owned()] {
        run(async {
            let world = world(&tools(&["rt"]), &tools(&["rt"]));
            settle(SECOND).await;
            assert_eq!(repeated(&world, &call("t", "")).await, 1);
            {
                let mut state = world.servers[1].state();
                state.version = "2".to_owned();
                state.tools.clone_from(&now);
            }
            settle(10 * SECOND).await;
            assert_eq!(repeated(&world, &call("t", "")).await, 0, "{now}");
        });
    }
}
