//! The JSON Schema of the file, made from the types of [`crate::file`].

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::file::File;

/// The JSON Schema (2020-12) of the file, for editors. The same schema checks a file here.
pub fn schema() -> Value {
    get().clone()
}

/// The schema, made once.
pub(crate) fn get() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let generator = SchemaSettings::draft2020_12().into_generator();
        let mut schema = generator.into_root_schema_for::<File>().to_value();
        forbid_null(&mut schema);
        schema
    })
}

/// A field may be left out, but `key:` with nothing behind it is a slip: takes the null that
/// `Option` allows out of the schema again.
fn forbid_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            without_null(object);
            object.values_mut().for_each(forbid_null);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        _ => {}
    }
}

fn without_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(branches)) = object.get_mut("anyOf") {
        branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = branches.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            // The description of the field says more than that of its type.
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
}

/// A part of the schema with its reference followed.
pub(crate) fn resolve(schema: &'static Value) -> &'static Value {
    let target = schema.get("$ref").and_then(Value::as_str);
    let name = target.and_then(|target| target.strip_prefix("#/$defs/"));
    name.and_then(|name| get().get("$defs")?.get(name))
        .unwrap_or(schema)
}

/// What a value may be: one schema for each of the forms.
pub(crate) fn forms(schema: &'static Value) -> Vec<&'static Value> {
    let schema = resolve(schema);
    match schema.get("anyOf").and_then(Value::as_array) {
        Some(branches) => branches.iter().flat_map(forms).collect(),
        None => vec![schema],
    }
}

/// The words of an enumeration.
pub(crate) fn words(schema: &'static Value) -> Option<Vec<&'static str>> {
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![word]);
    }
    let words = schema.get("enum")?.as_array()?;
    Some(words.iter().filter_map(Value::as_str).collect())
}
