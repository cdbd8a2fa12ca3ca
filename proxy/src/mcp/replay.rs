//! The messages that make an MCP session anew on another peer (rule 8).

use bytes::Bytes;

use super::sealed::Replay;

/// The `initialize` request: with the version that was negotiated, not the one the client offered
/// first, so that nothing changes for it.
///
/// `id` must be unlike any of the client's.
pub fn initialize(replay: &Replay, id: &str) -> Bytes {
    let Replay {
        version,
        capabilities,
        client_name,
        client_version,
        ..
    } = replay;
    let name = quoted(client_name);
    let release = quoted(client_version);
    let client = format!(r#"{{"name":{name},"version":{release}}}"#);
    let params = format!(
        r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{client}}}"#
    );
    request(id, "initialize", &params)
}

/// The notification that follows a successful `initialize`.
pub fn initialized() -> Bytes {
    Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
}

/// `logging/setLevel`.
pub fn set_level(level: &str, id: &str) -> Bytes {
    let level = quoted(level);
    request(id, "logging/setLevel", &format!(r#"{{"level":{level}}}"#))
}

/// `resources/subscribe`.
pub fn subscribe(uri: &str, id: &str) -> Bytes {
    let uri = quoted(uri);
    request(id, "resources/subscribe", &format!(r#"{{"uri":{uri}}}"#))
}

/// `ping`: whether an MCP session still lives.
pub fn ping(id: &str) -> Bytes {
    request(id, "ping", "{}")
}

fn request(id: &str, method: &str, params: &str) -> Bytes {
    let id = quoted(id);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#).into()
}

/// A string as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::initialize::ClientHello;
    use super::super::{Message, Method, Version};
    use super::*;

    fn replay() -> Replay {
        Replay {
            version: Version::V2025_06_18,
            capabilities: r#"{"roots":{"listChanged":true}}"#.to_owned(),
            client_name: "a \"b\"".to_owned(),
            client_version: "1\n2".to_owned(),
            server: [0; 16],
        }
    }

    #[test]
    fn an_initialize_says_what_the_client_said() {
        let body = initialize(&replay(), "x");
        let hello = ClientHello::peek(&body).unwrap();
        assert_eq!(hello.capabilities, replay().capabilities);
        assert_eq!(hello.name, replay().client_name);
        assert_eq!(hello.version, replay().client_version);
        assert!(
            std::str::from_utf8(&body)
                .unwrap()
                .contains(r#""2025-06-18""#)
        );
    }

    #[test]
    fn every_message_is_json_rpc_with_its_id() {
        for (body, method) in [
            (initialize(&replay(), "n\"1"), Method::Initialize),
            (set_level("debug\"", "n\"1"), Method::LoggingSetLevel),
            (
                subscribe("file:///a\\b", "n\"1"),
                Method::ResourcesSubscribe,
            ),
            (ping("n\"1"), Method::Ping),
        ] {
            let Message::Request(request) = Message::peek(&body) else {
                panic!("{body:?}");
            };
            assert_eq!(request.method, method);
            assert_eq!(request.id.json(), r#""n\"1""#);
        }
        assert!(matches!(
            Message::peek(&initialized()),
            Message::Notification {
                method: Method::NotificationInitialized,
                ..
            }
        ));
    }
}
