//! What the listener of a `subscriptions/listen` was promised (MCP 2026-07-28 "Subscriptions").

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Id;

/// What a server has agreed to tell a listener: the first message on its stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acknowledged {
    filter: Map<String, Value>,
    /// What tells the subscription: the id of the request that made it.
    subscription: Id<'static>,
}

/// Whether the tools of two peers differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tools {
    /// They do, or that is not known.
    Differ,
    /// They are the same.
    Same,
}

impl Acknowledged {
    /// Reads a message; none if it is something else.
    pub fn peek(message: &str) -> Option<Self> {
        let message: Message<'_> = serde_json::from_str(message).ok()?;
        if message.method != "notifications/subscriptions/acknowledged" {
            return None;
        }
        let params = message.params;
        let subscription = params.meta?.subscription?.get();
        // JSON has numbers that nobody can read, as 1e999: what is said in a peer's place is readable.
        serde_json::from_str::<Value>(subscription).ok()?;
        let subscription = Id::from_json(subscription)?;
        Some(Self {
            filter: params.notifications,
            subscription: subscription.into_owned(),
        })
    }

    /// Whether who was promised `other` lacks nothing here (rule 15).
    pub fn covers(&self, other: &Self) -> bool {
        self.subscription == other.subscription
            && other.filter.iter().all(|(kind, promised)| {
                let here = self.filter.get(kind);
                match promised {
                    Value::Bool(false) | Value::Null => true,
                    Value::Array(promised) => {
                        let here = here.and_then(Value::as_array);
                        promised
                            .iter()
                            .all(|one| here.is_some_and(|here| here.contains(one)))
                    }
                    promised => here == Some(promised),
                }
            })
    }

    /// What the listener is told when another peer speaks from now on (rule 16), as events: the
    /// lists it listens to may differ, and resources may have changed in between.
    ///
    /// Of more resources than `most` it tells nothing: a client that follows more learns of the move
    /// by the lists.
    pub fn announcements(&self, tools: Tools, most: usize) -> String {
        let wants = |kind: &str| self.filter.get(kind) == Some(&Value::Bool(true));
        let mut events = String::new();
        for (kind, method) in [
            ("toolsListChanged", "tools/list_changed"),
            ("promptsListChanged", "prompts/list_changed"),
            ("resourcesListChanged", "resources/list_changed"),
        ] {
            let same = kind == "toolsListChanged" && tools == Tools::Same;
            if wants(kind) && !same {
                events.push_str(&self.event(method, None));
            }
        }
        let resources = self.filter.get("resourceSubscriptions");
        let resources = resources.and_then(Value::as_array).into_iter().flatten();
        for uri in resources.take(most) {
            events.push_str(&self.event("resources/updated", Some(uri)));
        }
        events
    }

    /// The end of the stream in order, as an event: the subscription is over, and may be made again.
    pub fn ending(&self) -> String {
        let id = self.subscription.json();
        format!(
            "event: message\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"resultType\":\"complete\",\"_meta\":{{\"{SUBSCRIPTION}\":{id}}}}}}}\n\n"
        )
    }

    fn event(&self, method: &str, uri: Option<&Value>) -> String {
        let uri = uri.map_or_else(String::new, |uri| format!("\"uri\":{uri},"));
        let id = self.subscription.json();
        format!(
            "event: message\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/{method}\",\"params\":{{{uri}\"_meta\":{{\"{SUBSCRIPTION}\":{id}}}}}}}\n\n"
        )
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    method: String,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    notifications: Map<String, Value>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/subscriptionId")]
    subscription: Option<&'a RawValue>,
}

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(filter: &str) -> Acknowledged {
        let message = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{filter},"_meta":{{"{SUBSCRIPTION}":"l"}}}}}}"#
        );
        Acknowledged::peek(&message).unwrap()
    }

    #[test]
    fn rule_15_a_promise_covers_one_that_is_no_more() {
        for (first, second, covers) in [
            ("{}", "{}", true),
            ("{}", r#"{"toolsListChanged":true}"#, true),
            (r#"{"toolsListChanged":true}"#, "{}", false),
            (
                r#"{"toolsListChanged":true}"#,
                r#"{"toolsListChanged":false}"#,
                false,
            ),
            (r#"{"toolsListChanged":false,"x":null}"#, "{}", true),
            (
                r#"{"resourceSubscriptions":["a","b"]}"#,
                r#"{"resourceSubscriptions":["b","c","a"]}"#,
                true,
            ),
            (
                r#"{"resourceSubscriptions":["a","b"]}"#,
                r#"{"resourceSubscriptions":["a"]}"#,
                false,
            ),
            (r#"{"resourceSubscriptions":[]}"#, "{}", true),
            (r#"{"later":{"a":1}}"#, r#"{"later":{"a":1}}"#, true),
            (r#"{"later":{"a":1}}"#, r#"{"later":{"a":2}}"#, false),
        ] {
            assert_eq!(
                promise(second).covers(&promise(first)),
                covers,
                "{first} {second}"
            );
        }
    }

    #[test]
    fn rule_15_a_promise_about_another_subscription_covers_nothing() {
        let other = |id: &str| {
            let message = format!(
                r#"{{"method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{}},"_meta":{{"{SUBSCRIPTION}":{id}}}}}}}"#
            );
            Acknowledged::peek(&message).unwrap()
        };
        assert!(!other("1").covers(&promise("{}")));
        assert!(!promise("{}").covers(&other("1")));
        assert!(other("1").covers(&other("1")));
    }

    #[test]
    fn other_messages_promise_nothing() {
        for message in [
            "",
            "{}",
            r#"{"method":"notifications/subscriptions/acknowledged","params":{"notifications":{}}}"#,
            r#"{"method":"notifications/tools/list_changed","params":{"notifications":{},"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#,
            r#"{"method":"notifications/subscriptions/acknowledged","params":{"notifications":[],"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#,
            r#"{"method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{"io.modelcontextprotocol/subscriptionId":1e999}}}"#,
            // No line end may get into an event of ours.
            "{\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":[\n1]}}}",
        ] {
            assert_eq!(Acknowledged::peek(message), None, "{message}");
        }
    }

    #[test]
    fn rule_16_each_promised_list_is_announced_once() {
        let all = promise(
            r#"{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":false,"resourceSubscriptions":["a\n"]}"#,
        );
        let events = all.announcements(Tools::Differ, 9);
        let methods = [
            "tools/list_changed",
            "prompts/list_changed",
            "resources/updated",
        ];
        assert_eq!(events.matches("data: ").count(), methods.len());
        for method in methods {
            assert!(
                events.contains(&format!("\"notifications/{method}\"")),
                "{events}"
            );
        }
        assert!(events.contains(r#""uri":"a\n""#), "{events}");
        assert!(!all.announcements(Tools::Same, 9).contains("tools"));
        assert_eq!(promise("{}").announcements(Tools::Differ, 9), "");
    }
}
