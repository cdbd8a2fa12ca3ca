//! Where `${VAR}` gets its value.

use std::collections::BTreeMap;

/// Where `${VAR}` gets its value.
pub trait Environment {
    /// The value of the variable, none when it is not set or not UTF-8.
    fn lookup(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn lookup(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl Environment for BTreeMap<String, String> {
    fn lookup(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}
