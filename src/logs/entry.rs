//! One event.

use std::fmt;
use std::time::SystemTime;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// One event, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// When it happened.
    pub(crate) at: SystemTime,
    /// How important it is.
    pub(crate) level: Level,
    /// Which part of the program it comes from.
    pub(crate) target: String,
    /// Its name; a sentence, in libraries of others.
    pub(crate) event: String,
    /// What else it says, in the order of the code.
    pub(crate) fields: Vec<(&'static str, Value)>,
}

impl Entry {
    /// Takes an event apart.
    pub(super) fn new(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let mut entry = Self {
            at: SystemTime::now(),
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            event: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut entry);
        entry
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(event)) => self.event = event,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.add(field, text.into());
    }
}
