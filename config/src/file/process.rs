//! `log`, `access_log` and `reload`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::Span;

/// What is logged, on stderr.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// The least important events that are logged. Default: `info`.
    pub(crate) level: Option<LogLevel>,
    /// `text` for people, `json` or `ecs` (Elastic Common Schema) for machines. Default: `text`.
    pub(crate) format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
    Ecs,
}

/// When the file is read again besides on SIGHUP.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reload {
    /// When it has changed, or a link on the way to it. Default: true.
    pub(crate) watch: Option<bool>,
    /// How often it is looked at where the system does not tell of changes. Default: `30s`.
    pub(crate) poll: Option<Span>,
}

/// One line for each request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessLog {
    /// The file it is appended to. Default: stderr.
    pub(crate) file: Option<String>,
    /// `text` or `json`. Default: `json`.
    pub(crate) format: Option<AccessLogFormat>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccessLogFormat {
    Text,
    Json,
}
