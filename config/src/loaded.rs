//! What a file comes to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use proxy::settings::Settings;

use crate::problem::Problem;

/// What a file comes to.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The data plane. Without listeners when the file has none.
    pub settings: Settings,
    /// The admin listener; none when the file has none.
    pub admin: Option<Admin>,
    /// What is logged.
    pub log: Log,
    /// One line for each request; none when it is off.
    pub access_log: Option<AccessLog>,
    /// How a change of the file is noticed; none when it is not.
    pub watching: Option<Watching>,
    /// What works, but most likely not as meant, in the order of the file.
    pub warnings: Vec<Problem>,
}

/// Where the operator connects. At least one of the two is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Admin {
    /// The admin API; a loopback address.
    pub listen: Option<SocketAddr>,
    /// `/livez`, `/readyz` and `/metrics` only, without authentication.
    pub health_listen: Option<SocketAddr>,
}

/// How a change of the file is noticed, besides what the system tells of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watching {
    /// How often it is looked at.
    pub poll: Duration,
}

impl Default for Watching {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(30),
        }
    }
}

/// What is logged, on stderr.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Log {
    /// The least important events that are logged.
    pub level: LogLevel,
    /// How they are written.
    pub format: LogFormat,
}

/// The importance of events, the least first to be dropped last.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What needs a look.
    Warn,
    /// What an operator did or must know.
    #[default]
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word for it in the file and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How events are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// One JSON object a line, with the field names of the Elastic Common Schema.
    Ecs,
}

/// One line for each request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccessLog {
    /// The file it is appended to; none: stderr.
    pub file: Option<PathBuf>,
    /// How it is written.
    pub format: AccessLogFormat,
}

/// How the access log is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AccessLogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    #[default]
    Json,
}
