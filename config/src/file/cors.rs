//! `cors`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::Span;

/// Cross-origin answers for browsers that ask MCP routes: preflights are answered here, and the
/// peers hear of no origin that is listed. Without it, origins and preflights are the peers' to
/// judge.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cors {
    /// Who may ask, such as `https://app.example`, or `*` alone for everybody.
    #[schemars(required, length(min = 1))]
    pub(crate) origins: Option<Vec<String>>,
    /// Fields that requests may have besides those of MCP. Default: none.
    pub(crate) headers: Option<Vec<String>>,
    /// Fields of answers that scripts may read besides those of MCP. Default: none.
    pub(crate) expose: Option<Vec<String>>,
    /// Whether browsers may send cookies and client certificates; not to be had with `*`.
    /// Default: false.
    pub(crate) credentials: Option<bool>,
    /// How long browsers may remember the answer to a preflight. Default: `10m`.
    pub(crate) max_age: Option<Span>,
}
