//! Events for machines: one JSON object a line.

use serde_json::{Map, Value, json};

use super::Entry;
use crate::rfc3339::rfc3339;

/// `timestamp`, `level`, `event` and the fields as they are called.
pub(super) fn plain(entry: &Entry) -> String {
    let mut object = Map::new();
    object.insert("timestamp".to_owned(), rfc3339(entry.at).into());
    object.insert("level".to_owned(), level(entry).into());
    object.insert("event".to_owned(), entry.event.as_str().into());
    for (name, value) in &entry.fields {
        object.entry(*name).or_insert_with(|| value.clone());
    }
    Value::Object(object).to_string()
}

/// The same under the names of the Elastic Common Schema (8.x); what it has no name for is in
/// `backstay`.
pub(super) fn ecs(entry: &Entry) -> String {
    let mut object = json!({
        "@timestamp": rfc3339(entry.at),
        "ecs.version": "8.11.0",
        "log.level": level(entry),
        "log.logger": entry.target,
        "message": entry.event,
        "event.action": entry.event,
        "service.name": "backstay",
    });
    let mut rest = Map::new();
    for (name, value) in &entry.fields {
        match ecs_name(name) {
            Some(name) => object[name] = value.clone(),
            None => drop(rest.insert((*name).to_owned(), value.clone())),
        }
    }
    if !rest.is_empty() {
        object["backstay"] = rest.into();
    }
    object.to_string()
}

fn ecs_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "address" => "server.address",
        "error" => "error.message",
        "reason" => "event.reason",
        _ => return None,
    })
}

fn level(entry: &Entry) -> String {
    entry.level.to_string().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;
    use tracing::Level;

    fn entry() -> Entry {
        Entry {
            at: UNIX_EPOCH,
            level: Level::INFO,
            target: "ready".to_owned(),
            event: "listening".to_owned(),
            fields: vec![("address", "127.0.0.1:8080".into()), ("n", 3.into())],
        }
    }

    #[test]
    fn plain_json_keeps_the_names_of_the_fields() {
        let line: Value = serde_json::from_str(&plain(&entry())).unwrap();
        assert_eq!(
            line,
            json!({
                "timestamp": "1970-01-01T00:00:00.000Z",
                "level": "info",
                "event": "listening",
                "address": "127.0.0.1:8080",
                "n": 3,
            })
        );
    }

    #[test]
    fn a_field_cannot_take_the_place_of_the_event() {
        let mut entry = entry();
        entry.fields = vec![("event", "forged".into())];
        let line: Value = serde_json::from_str(&plain(&entry)).unwrap();
        assert_eq!(line["event"], "listening");
    }

    #[test]
    fn ecs_has_the_names_of_the_schema() {
        let line: Value = serde_json::from_str(&ecs(&entry())).unwrap();
        assert_eq!(line["@timestamp"], "1970-01-01T00:00:00.000Z");
        assert_eq!(line["log.level"], "info");
        assert_eq!(line["event.action"], "listening");
        assert_eq!(line["server.address"], "127.0.0.1:8080");
        assert_eq!(line["backstay"], json!({"n": 3}));
    }
}
