//! `headers` of groups and routes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// What is changed in the headers that pass: by the group, then by the route.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Headers {
    /// In what the peers see.
    pub(crate) request: Option<Fields>,
    /// In what the client sees.
    pub(crate) response: Option<Fields>,
}

/// Headers to remove, then to set, then to add. A value may hold `{client_ip}`, `{host}` (that the
/// client asks for, without port), `{path}`, `{query}` (with its `?`), `{request_id}` and `{rest}`
/// (of the path, after what the route matched); `{{` is a brace. Headers of the connection, of the
/// framing of bodies and of MCP sessions, and `host`, cannot be changed here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    /// Headers that have this value from now on, and no other.
    pub(crate) set: Option<BTreeMap<String, String>>,
    /// Headers that have this value from now on, beside those that are there.
    pub(crate) add: Option<BTreeMap<String, String>>,
    /// Headers that go.
    pub(crate) remove: Option<Vec<String>>,
}
