//! The headers of MCP over HTTP.

use http::HeaderName;

/// Which revision a request speaks.
pub static PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The MCP session of the legacy era.
pub static SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// The JSON-RPC method, mirrored from the body in the modern era.
pub static METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// The tool, prompt, resource or task, mirrored from the body in the modern era.
pub static NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Where a client resumes an event stream.
pub static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What the names of mirrored tool arguments begin with.
pub const PARAM_PREFIX: &str = "mcp-param-";
