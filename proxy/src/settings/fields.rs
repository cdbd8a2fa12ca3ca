//! What is changed in the fields of a head.

use super::Template;
use http::{HeaderName, HeaderValue};

/// What is changed in the heads that pass: by a group, then by a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderEdits {
    /// In what the peers see.
    pub request: FieldEdits,
    /// In what the client sees.
    pub response: FieldEdits,
}

/// Fields to remove, then to set, then to add. None of them is one of framing, of the connection,
/// `Host`, or the MCP session id: those are the proxy's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldEdits {
    /// Go, whatever their values.
    pub remove: Vec<HeaderName>,
    /// Have one value from now on.
    pub set: Vec<(HeaderName, FieldValue)>,
    /// Have one value more.
    pub add: Vec<(HeaderName, FieldValue)>,
}

impl FieldEdits {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// The same for every request.
    Fixed(HeaderValue),
    /// Made for each; if one of its variables has no value, the field is left as it is.
    Made(Template),
}
