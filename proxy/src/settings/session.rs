//! How MCP session ids are sealed and bound.

use std::fmt;

/// How MCP session ids are sealed and bound.
#[derive(Clone, Debug, Default)]
pub struct SessionSettings {
    /// The first seals, all open; empty: the process makes one and keeps it.
    pub keys: Vec<SealKey>,
    /// Which principal an id is bound to.
    pub binding: SessionBinding,
}

/// A key that seals MCP session ids.
#[derive(Clone, Eq, PartialEq)]
pub struct SealKey {
    /// Its name, 1 to 32 visible ASCII characters; not secret.
    pub id: String,
    /// 32 bytes.
    pub secret: [u8; 32],
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Which principal an MCP session id is bound to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum SessionBinding {
    /// A JWT binds by issuer, subject and client; an opaque token does not bind.
    #[default]
    Auto,
    /// The value of a header that a trusted hop in front sets.
    Header(http::HeaderName),
    /// Nothing: whoever knows the id may use it.
    None,
}
