//! Keys: unknown, repeated, missing, not available yet.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Shape, of_type};
use crate::finding::Finding;
use crate::problem::Code;
use crate::source::Mark;
use crate::tree::{Node, Scalar};
use crate::{schema, suggest};

impl Shape<'_> {
    /// The entries with a known key and a sound value.
    pub(super) fn mapping(
        &mut self,
        entries: &[(Node, Node)],
        schema: &'static Value,
        path: &str,
    ) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties").filter(|s| s.is_object());
        let keys = keys(properties);
        let mut seen: BTreeMap<String, Option<Mark>> = BTreeMap::new();
        let mut values = Map::new();
        let mut complete = true;
        for (key, value) in entries {
            let mark = key.first().map(Scalar::mark);
            let Some(name) = self.key(key, &keys, path) else {
                complete = false;
                continue;
            };
            let at = join(path, &name);
            if let Some(first) = seen.get(&name) {
                let finding = Finding::new(
                    Code::DuplicateKey,
                    &at,
                    format!("the key `{name}` is there twice"),
                );
                let line = first.map_or(0, |first| first.line);
                self.found.add(
                    finding
                        .at(mark)
                        .label("delete one of them")
                        .help(format!("the first is on line {line}")),
                );
                continue;
            }
            seen.insert(name.clone(), mark);
            let property = properties.and_then(|known| known.get(&name)).or(others);
            let Some(property) = property else {
                // It may be a key that must be there, under another name.
                complete &= self.unknown(&name, &at, mark, properties);
                continue;
            };
            if property.get("x-not-yet").is_some() {
                complete = false;
                self.not_yet(&name, &at, mark);
                continue;
            }
            if let Some(value) = self.value(value, property, &at, mark) {
                values.insert(name, value);
            }
        }
        if complete {
            self.missing(schema, &seen, path);
        }
        Value::Object(values)
    }

    fn key(&mut self, key: &Node, known: &[&str], path: &str) -> Option<String> {
        let Node::Scalar(scalar) = key else {
            let mark = key.first().map(Scalar::mark);
            let finding = Finding::new(Code::WrongType, path, "a key must be a word");
            self.found
                .add(finding.at(mark).label("this is a list or mapping"));
            return None;
        };
        let name = scalar.shown();
        // Another proxy's `on` is better told by our word for it.
        let foreign = suggest::alias(&name, known).is_some();
        let sound = foreign || self.ambiguous(scalar, &join(path, &name), "key");
        sound.then_some(name)
    }

    /// Reports the key, and whether it cannot stand for one that must be there.
    fn unknown(
        &mut self,
        name: &str,
        at: &str,
        mark: Option<Mark>,
        properties: Option<&'static Map<String, Value>>,
    ) -> bool {
        let keys = keys(properties);
        let meant = suggest::alias(name, &keys).or_else(|| suggest::nearest(name, &keys));
        let finding = Finding::new(Code::UnknownKey, at, format!("unknown key `{name}`")).at(mark);
        let finding = if name == "<<" {
            finding
                .label("merge keys are not supported")
                .help("write the keys out, or use an alias for a whole value")
        } else if let Some(meant) = meant {
            finding.label(format!("did you mean `{meant}`?"))
        } else if let Some(home) = properties.and_then(|known| home(name, known)) {
            finding
                .label(format!("belongs into `{home}`"))
                .help(format!("write `{home}: {{{name}: …}}`"))
        } else {
            let words: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
            finding
                .label("no such key here")
                .help(format!("the keys here are {}", words.join(", ")))
        };
        self.found.add(finding);
        if let Some(meant) = meant {
            let place = at.len().saturating_sub(name.len());
            let parent = at.get(..place).unwrap_or_default();
            self.found.excuse(format!("{parent}{meant}"));
        }
        meant.is_none()
    }

    fn not_yet(&mut self, name: &str, at: &str, mark: Option<Mark>) {
        let message = format!("`{name}` is not available yet");
        let finding = Finding::new(Code::NotAvailable, at, message).at(mark);
        self.found.add(
            finding
                .label("known, but this version does not do it")
                .help("delete it; it is refused so that nobody relies on it"),
        );
    }

    fn missing(&mut self, schema: &Value, seen: &BTreeMap<String, Option<Mark>>, path: &str) {
        let required = schema.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        let absent: Vec<&str> = required.filter(|key| !seen.contains_key(*key)).collect();
        for key in absent {
            let message = match path {
                "" => format!("the key `{key}` is missing"),
                _ => format!("`{path}` has no `{key}`"),
            };
            let finding = Finding::new(Code::MissingKey, path, message).on_key();
            let finding = match path {
                "" => finding,
                _ => finding.label(format!("`{key}` is missing here")),
            };
            let at = format!(".{}", join(path, key));
            let mut examples = EXAMPLES.iter();
            let example = examples.find(|(name, _)| at.ends_with(&format!(".{name}")));
            self.found.add(match example {
                Some((_, example)) => finding.help(format!("for example `{example}`")),
                None => finding,
            });
        }
    }
}

fn keys(properties: Option<&'static Map<String, Value>>) -> Vec<&'static str> {
    let properties = properties.into_iter().flatten();
    properties.map(|(key, _)| key.as_str()).collect()
}

/// The key beside it that holds a key of this name.
fn home(name: &str, properties: &'static Map<String, Value>) -> Option<&'static str> {
    let mut homes = properties.iter().filter(|(_, property)| {
        let form = of_type(&schema::forms(property), "object");
        let inner = form.and_then(|form| form.get("properties"));
        inner.is_some_and(|inner| inner.get(name).is_some())
    });
    homes.next().map(|(key, _)| key.as_str())
}

pub(super) fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

/// What to write for a key that must be there, by the end of its path.
const EXAMPLES: &[(&str, &str)] = &[
    ("group", "group: search"),
    (
        "groups",
        "groups: [{peers: [{url: http://127.0.0.1:9001}]}]",
    ),
    ("hash.key", "key: header:x-tenant"),
    ("id", "id: 2026-01"),
    ("listen", "listen: 127.0.0.1:8080"),
    ("peers", "peers: [{url: http://127.0.0.1:9001}]"),
    ("secret", "secret: \"${SEAL_SECRET}\""),
    ("url", "url: http://127.0.0.1:9001"),
];
