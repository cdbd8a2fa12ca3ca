//! Cross-origin answers for browsers.

use http::{HeaderName, HeaderValue};
use std::time::Duration;

/// What browsers are told about requests of other origins (Fetch §3.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CorsSettings {
    /// Who may ask.
    pub origins: Origins,
    /// Fields that requests may have besides those of MCP.
    pub headers: Vec<HeaderName>,
    /// Fields of answers that scripts may read besides those of MCP.
    pub expose: Vec<HeaderName>,
    /// How long browsers may remember the answer to a preflight.
    pub max_age: Duration,
}

/// The origins that may ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origins {
    /// All, without cookies.
    Any,
    /// These, as browsers write them.
    Listed {
        /// Scheme, host, and the port unless it is the scheme's own.
        origins: Vec<HeaderValue>,
        /// With cookies and client certificates.
        credentials: bool,
    },
}
