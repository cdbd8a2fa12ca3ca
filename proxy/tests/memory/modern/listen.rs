//! Listeners and their streams as long as nothing but one peer is lost (rules 15 and 16).

use super::{World, ask};
use crate::support::{run_within, settle};
use lb::{Admin, PeerIndex};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A listener, and what it has heard.
pub(super) struct Listener {
    heard: Rc<RefCell<String>>,
    /// Whether its stream ended in order, once it has ended.
    ended: Rc<RefCell<Option<bool>>>,
}

impl Listener {
    /// Listens to this; something has been heard when it is back.
    pub(super) async fn new(world: &World, filter: Value) -> Self {
        let listener = Self {
            heard: Rc::default(),
            ended: Rc::default(),
        };
        let mut client = world.client().await;
        let ask = ask("subscriptions/listen", json!({"notifications": filter}));
        client.send(&ask.bytes()).await;
        let (heard, ended) = (Rc::clone(&listener.heard), Rc::clone(&listener.ended));
        tokio::task::spawn_local(async move {
            let reply = client.wire.reply_head("POST").await.unwrap();
            let listening = client.wire.body(reply.framing, |piece| {
                let piece = String::from_utf8_lossy(piece);
                heard.borrow_mut().push_str(&piece);
            });
            let end = listening.await.is_ok();
            ended.replace(Some(end));
        });
        settle(SECOND / 10).await;
        listener
    }

    /// The messages it has heard since it was last asked.
    pub(super) fn messages(&self) -> Vec<Value> {
        let heard = self.heard.take();
        let data = heard.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    /// The last words of their methods, or `result` or `error`.
    pub(super) fn kinds(&self) -> Vec<String> {
        let messages = self.messages();
        let kind = |message: &Value| {
            assert!(message["id"].is_null() || message["id"] == "l", "{message}");
            match message["method"].as_str() {
                Some(method) => method.trim_start_matches("notifications/").to_owned(),
                None if message["result"].is_null() => "error".to_owned(),
                None => "result".to_owned(),
            }
        };
        messages.iter().map(kind).collect()
    }

    /// All it has heard since it was last asked.
    pub(super) fn text(&self) -> String {
        self.heard.take()
    }

    pub(super) fn ended(&self) -> Option<bool> {
        *self.ended.borrow()
    }
}

pub(super) fn run(test: impl Future<Output = ()>) {
    run_within(Duration::from_secs(8 * 3600), test);
}

/// The server that has the only stream.
pub(super) fn serving(world: &World) -> usize {
    let asked = |server: &super::Modern| server.seen("subscriptions/listen").len();
    let most = world.servers.iter().map(asked).max().unwrap();
    let mut servers = world.servers.iter();
    servers.position(|server| asked(server) == most).unwrap()
}

const TOOLS: &str = "tools/list_changed";
const PROMISE: &str = "subscriptions/acknowledged";

#[test]
fn rule_15_a_listener_does_not_notice_the_loss_of_its_peer() {
    for age in [SECOND, 3600 * SECOND] {
        run(async {
            let world = World::new(2);
            let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
            assert_eq!(listener.kinds(), [PROMISE]);
            let first = serving(&world);
            // However old the stream is, the next peer has its time.
            world.servers[1 - first].think(SECOND / 2);
            settle(age).await;
            world.servers[first].change_tools();
            settle(SECOND).await;
            assert_eq!(listener.kinds(), [TOOLS]);
            world.servers[first].kill();
            settle(2 * SECOND).await;
            // No second promise; rule 16: the lists of the other may differ.
            assert_eq!(listener.kinds(), [TOOLS]);
            let other = &world.servers[1 - first];
            let seen = other.seen("subscriptions/listen");
            assert_eq!(seen.len(), 1);
            assert_eq!(seen[0]["id"], "l", "the same request");
            other.change_tools();
            settle(SECOND).await;
            let messages = listener.messages();
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0]["params"]["host"], other.host);
            assert_eq!(listener.ended(), None);
            let metrics = &world.group().metrics;
            assert_eq!(metrics.listens.moved.get(), 1);
        });
    }
}

#[test]
fn rule_15_a_group_of_one_gets_its_listeners_back_when_it_returns() {
    run(async {
        let world = World::new(1);
        let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
        listener.kinds();
        world.servers[0].kill();
        settle(600 * SECOND).await;
        assert_eq!(listener.ended(), None);
        world.servers[0].revive();
        // Its breaker may be open for a minute.
        settle(90 * SECOND).await;
        assert_eq!(listener.kinds(), [TOOLS]);
        world.servers[0].change_tools();
        settle(SECOND).await;
        assert_eq!(listener.kinds(), [TOOLS]);
    });
}

#[test]
fn rule_15_the_end_in_order_of_a_peer_that_stays_is_the_listeners() {
    run(async {
        let world = World::new(2);
        let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
        world.servers[serving(&world)].end_streams();
        settle(SECOND).await;
        assert_eq!(listener.kinds(), [PROMISE, "result"]);
        assert_eq!(listener.ended(), Some(true));
    });
}

#[test]
fn rule_15_the_end_in_order_of_a_draining_peer_moves_the_listener() {
    run(async {
        let world = World::new(2);
        let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
        let first = serving(&world);
        let peer = PeerIndex(u16::try_from(first).unwrap());
        let now = world.clock.now();
        world.group().lb.set_admin(peer, Admin::Draining, now);
        world.servers[first].end_streams();
        settle(2 * SECOND).await;
        assert_eq!(listener.kinds(), [PROMISE, TOOLS]);
        assert_eq!(listener.ended(), None);
        let asked = world.servers[1 - first].seen("subscriptions/listen").len();
        assert_eq!(asked, 1);
    });
}

#[test]
fn rule_16_only_what_was_promised_is_announced_and_bears_the_subscription() {
    run(async {
        let world = World::new(2);
        for server in &world.servers {
            server.be_silent_on("promptsListChanged");
        }
        let filter = json!({
            "promptsListChanged": true,
            "resourcesListChanged": true,
            "resourceSubscriptions": ["a:1"],
            "toolsListChanged": false,
        });
        let listener = Listener::new(&world, filter).await;
        let promise = listener.messages().remove(0);
        let promised = promise["params"]["notifications"].as_object().unwrap();
        assert!(!promised.contains_key("promptsListChanged"), "{promised:?}");
        world.servers[serving(&world)].kill();
        settle(2 * SECOND).await;
        let told = listener.messages();
        let methods: Vec<&str> = told
            .iter()
            .map(|told| told["method"].as_str().unwrap())
            .collect();
        assert_eq!(
            methods,
            [
                "notifications/resources/list_changed",
                "notifications/resources/updated"
            ]
        );
        assert_eq!(told[1]["params"]["uri"], "a:1");
        for told in told {
            assert_eq!(told["params"]["_meta"][super::server::SUBSCRIPTION], "l");
        }
    });
}

#[test]
fn rule_16_a_list_that_is_known_to_be_the_same_is_not_announced() {
    for (learned, told) in [(2, vec![]), (1, vec![TOOLS.to_owned()])] {
        run(async {
            let world = World::new(2);
            for server in &world.servers {
                server.list_whole();
            }
            // What anonymous clients are shown passes by, and is remembered.
            for _ in 0..learned {
                world.result("tools/list", json!({})).await;
            }
            let listener = Listener::new(&world, json!({"toolsListChanged": true})).await;
            listener.kinds();
            world.servers[serving(&world)].kill();
            settle(2 * SECOND).await;
            assert_eq!(listener.kinds(), told, "{learned}");
            assert_eq!(listener.ended(), None);
        });
    }
}

#[test]
fn rule_16_the_listeners_of_a_lost_peer_do_not_come_all_at_once() {
    run(async {
        let world = World::new(2);
        let mut listeners = Vec::new();
        for _ in 0..40 {
            listeners.push(Listener::new(&world, json!({"toolsListChanged": true})).await);
        }
        let [first, second] = &world.servers[..] else {
            panic!("two")
        };
        let before = second.seen("subscriptions/listen").len();
        assert_eq!(before, 20);
        first.kill();
        settle(SECOND / 5).await;
        let early = second.seen("subscriptions/listen").len() - before;
        assert!(early < 18, "{early} at once");
        settle(2 * SECOND).await;
        assert_eq!(second.seen("subscriptions/listen").len(), 40);
    });
}
