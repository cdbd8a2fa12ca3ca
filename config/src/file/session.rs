//! `session`.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// The keys that seal MCP session ids.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// The first seals, all open; so put a new key first and drop the last later. Default: one is
    /// made and kept in the state directory.
    pub(crate) keys: Option<Vec<Key>>,
}

/// A key that seals MCP session ids.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    /// Its name, 1 to 32 visible ASCII characters; not secret.
    #[schemars(required)]
    pub(crate) id: Option<String>,
    /// 32 bytes in hex (64 digits) or Base64 (43 or 44 characters), or any other text of at least
    /// 32 characters, of which the SHA-256 is taken. Best as `${VAR}`.
    #[schemars(required)]
    pub(crate) secret: Option<String>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
