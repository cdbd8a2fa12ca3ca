//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
#[cfg(feature = "demo")]
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::status::Address;

/// Keeps MCP servers and HTTP services reachable when one of them is lost.
#[derive(Debug, Parser)]
#[command(name = "backstay", version, arg_required_else_help = true)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve what a file says, until SIGTERM (drain) or SIGINT
    Run(Run),
    /// Serve without a file: one group of the given servers
    Proxy(Proxy),
    /// Three MCP servers, the proxy, a caller and a kill: failover before your eyes
    #[cfg(feature = "demo")]
    Demo(Demo),
    /// Check a file: exit 0, or 1 with every problem
    Check(Check),
    /// Groups and peers of a running proxy: exit 0, 3 not reachable, 4 degraded, 5 no usable peer
    Status(Status),
    /// Print the JSON Schema of the file
    Schema,
    /// Print the completions of a shell
    Completions {
        /// Whose.
        shell: clap_complete::Shell,
    },
}

/// Arguments of `run`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Run {
    /// The file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Serve here instead of where the file says; or at `unix:/PATH`
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Vec<proxy::network::Address>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments of `proxy`.
#[derive(clap::Args, Debug)]
pub(crate) struct Proxy {
    /// The servers, as in `http://127.0.0.1:9001/mcp`
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// Where clients connect; or `unix:/PATH`
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: proxy::network::Address,
    /// Where `/livez`, `/readyz`, `/metrics` and the admin API are; a loopback address
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments of `demo`.
#[cfg(feature = "demo")]
#[derive(clap::Args, Debug)]
pub(crate) struct Demo {
    /// End by itself after this time, as in 15s
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) length: Option<Duration>,
    /// Print lines instead of a live picture
    #[arg(long)]
    pub(crate) plain: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments of `check`.
#[derive(clap::Args, Debug)]
pub(crate) struct Check {
    /// The file
    pub(crate) file: PathBuf,
    /// How problems are written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: CheckFormat,
    /// Look at each peer too: exit 4 if some fail, 5 if all of a group do
    #[arg(long)]
    pub(crate) live: bool,
}

/// How problems are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON list.
    Json,
}

/// Arguments of `status`.
#[derive(clap::Args, Debug)]
pub(crate) struct Status {
    /// The file of the running proxy, for its admin address
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The admin address of the running proxy, as in `http://127.0.0.1:9900`
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub(crate) admin: Option<Address>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Redraw every second until interrupted
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) watch: bool,
}

/// Arguments of all that serve.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Common {
    /// Worker threads; without it as the file says, else one per core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// The least important events that are logged; without it as the file says, else info
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// How events are written; without it as the file says, else text
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// The importance of events.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Nothing but where it listens.
    Off,
    /// What failed.
    Error,
    /// What needs a look.
    Warn,
    /// What an operator did or must know.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

impl From<config::LogLevel> for LogLevel {
    fn from(level: config::LogLevel) -> Self {
        match level {
            config::LogLevel::Error => Self::Error,
            config::LogLevel::Warn => Self::Warn,
            config::LogLevel::Info => Self::Info,
            config::LogLevel::Debug => Self::Debug,
            config::LogLevel::Trace => Self::Trace,
        }
    }
}

/// How events are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
    /// One JSON object a line, with the field names of the Elastic Common Schema.
    Ecs,
}

impl From<config::LogFormat> for LogFormat {
    fn from(format: config::LogFormat) -> Self {
        match format {
            config::LogFormat::Text => Self::Text,
            config::LogFormat::Json => Self::Json,
            config::LogFormat::Ecs => Self::Ecs,
        }
    }
}

/// A whole number of `ms`, `s`, `m` or `h`.
#[cfg(feature = "demo")]
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a number and one of ms, s, m, h, as in 15s".to_owned()),
    };
    let count: u32 = digits
        .parse()
        .map_err(|_| "a whole number before the unit, as in 15s".to_owned())?;
    Ok(Duration::from_millis(u64::from(count) * millis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[cfg(feature = "demo")]
    #[test]
    fn durations_carry_units() {
        let rows = [
            ("15s", Ok(15_000)),
            ("250ms", Ok(250)),
            ("2m", Ok(120_000)),
            ("1h", Ok(3_600_000)),
            ("15", Err(())),
            ("s", Err(())),
            ("1.5s", Err(())),
            ("-1s", Err(())),
            ("5d", Err(())),
        ];
        for (text, expected) in rows {
            let millis = duration(text).map(|d| d.as_millis()).map_err(drop);
            assert_eq!(millis, expected, "{text}");
        }
    }
}
