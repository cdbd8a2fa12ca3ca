//! What a client has set in its MCP session, and would have to set again.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Method;

/// What a client has set in its MCP session besides `initialize`: it is set again where the session
/// moves (rule 8).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// The log level asked for last.
    pub level: Option<String>,
    /// The resources it is subscribed to.
    pub subscriptions: BTreeSet<String>,
}

impl Standing {
    /// Notes a request that a peer has answered well, with at most `most` subscriptions.
    pub fn note(&mut self, method: Method, body: &[u8], most: usize) -> Noted {
        let Ok(Request { params }) = serde_json::from_slice(body) else {
            return Noted::Same;
        };
        match (method, params) {
            (
                Method::LoggingSetLevel,
                Params {
                    level: Some(level), ..
                },
            ) => {
                let new = Some(level);
                Noted::changed(std::mem::replace(&mut self.level, new.clone()) != new)
            }
            (Method::ResourcesSubscribe, Params { uri: Some(uri), .. }) => {
                if self.subscriptions.len() >= most && !self.subscriptions.contains(&uri) {
                    return Noted::Dropped;
                }
                Noted::changed(self.subscriptions.insert(uri))
            }
            (Method::ResourcesUnsubscribe, Params { uri: Some(uri), .. }) => {
                Noted::changed(self.subscriptions.remove(&uri))
            }
            _ => Noted::Same,
        }
    }

    /// Whether a request of this method may change it.
    pub fn is_about(method: Option<Method>) -> bool {
        matches!(
            method,
            Some(
                Method::LoggingSetLevel | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe
            )
        )
    }
}

/// What became of something that a client has set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Noted {
    /// It is set again where the session moves.
    Changed,
    /// There is too much already: it is not set again, and the client is told of changes no more.
    Dropped,
    /// It was so before.
    Same,
}

impl Noted {
    fn changed(changed: bool) -> Self {
        if changed { Self::Changed } else { Self::Same }
    }
}

#[derive(Deserialize)]
struct Request {
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    level: Option<String>,
    uri: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_each_kind_stands() {
        let mut standing = Standing::default();
        let set = |level: &str| format!(r#"{{"params":{{"level":"{level}"}}}}"#);
        let about = |uri: &str| format!(r#"{{"params":{{"uri":"{uri}"}}}}"#);
        for (method, body, changes) in [
            (Method::LoggingSetLevel, set("debug"), true),
            (Method::LoggingSetLevel, set("debug"), false),
            (Method::LoggingSetLevel, set("error"), true),
            (Method::ResourcesSubscribe, about("a"), true),
            (Method::ResourcesSubscribe, about("b"), true),
            (Method::ResourcesSubscribe, about("b"), false),
            (Method::ResourcesUnsubscribe, about("a"), true),
            (Method::ResourcesUnsubscribe, about("c"), false),
            (Method::ToolsCall, about("d"), false),
            (Method::ResourcesSubscribe, "{}".to_owned(), false),
        ] {
            let noted = standing.note(method, body.as_bytes(), 256);
            assert_eq!(noted, Noted::changed(changes), "{body}");
        }
        assert_eq!(standing.level.as_deref(), Some("error"));
        assert_eq!(standing.subscriptions, BTreeSet::from(["b".to_owned()]));
    }

    #[test]
    fn one_client_fills_no_memory() {
        let mut standing = Standing::default();
        for uri in 0..100 {
            let body = format!(r#"{{"params":{{"uri":"{uri}"}}}}"#);
            let noted = standing.note(Method::ResourcesSubscribe, body.as_bytes(), 64);
            assert_eq!(noted == Noted::Dropped, uri >= 64);
        }
        assert_eq!(standing.subscriptions.len(), 64);
    }
}
