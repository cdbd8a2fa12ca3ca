//! The committed schema is the one that the types make.

use std::path::Path;

use config::schema;

/// `UPDATE=1 cargo test -p backstay-config` writes it anew.
#[test]
fn the_committed_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == text,
        "config/schema.json is not that of the types"
    );
}

/// An operator reads it in an editor: nothing is left unexplained.
#[test]
fn every_key_has_a_description() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap().values();
    for object in definitions.chain([&schema]) {
        for (key, property) in object["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{key}");
        }
    }
}

/// No Option leaks a null into the schema, and no object takes keys it does not know.
#[test]
fn nothing_may_be_null_and_no_object_is_open() {
    let schema = schema();
    assert!(!schema.to_string().contains("\"null\""));
    let definitions = schema["$defs"].as_object().unwrap().values();
    for object in definitions.chain([&schema]) {
        if object["type"] == "object" {
            assert_eq!(object["additionalProperties"], false, "{object}");
        }
    }
}
