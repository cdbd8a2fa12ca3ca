//! What the program says while it runs: one line for each event, on standard error.
//!
//! An event has a constant name and fields. Text that came from elsewhere is only ever a value of
//! a field, and is written so that it can neither end the line nor reach the terminal.

mod entry;
mod json;
mod text;

use std::io::Write as _;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

pub(crate) use entry::Entry;
pub(crate) use text::text;

use crate::args::{Common, LogFormat, LogLevel};

/// The target of events that are logged at every level: whoever starts the program waits for them.
pub(crate) const READY: &str = "ready";

/// The library of the demonstration's servers, which tells of every request: only for finding faults.
const SERVERS: &str = "rmcp";

/// What is logged, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LogSettings {
    /// The least important events that are logged.
    pub(crate) level: LogLevel,
    /// How they are written.
    pub(crate) format: LogFormat,
}

impl LogSettings {
    /// What the arguments say, and what the file says where they say nothing.
    pub(crate) fn new(args: &Common, file: config::Log) -> Self {
        Self {
            level: args.log_level.unwrap_or_else(|| file.level.into()),
            format: args.log_format.unwrap_or_else(|| file.format.into()),
        }
    }
}

/// Logs to standard error from now on. Only the first call in a process has an effect.
pub(crate) fn start(settings: LogSettings) {
    let write: fn(&Entry) -> String = match settings.format {
        LogFormat::Text => text,
        LogFormat::Json => json::plain,
        LogFormat::Ecs => json::ecs,
    };
    start_into(settings.level, move |entry| {
        let mut line = write(entry);
        line.push('\n');
        // One call for a line keeps the lines of all threads whole; without standard error there
        // is nobody to tell.
        drop(std::io::stderr().write_all(line.as_bytes()));
    });
}

/// Hands all events of the level to `sink` from now on. Only the first call in a process has an
/// effect.
pub(crate) fn start_into(level: LogLevel, sink: impl Fn(&Entry) + Send + Sync + 'static) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let servers = if level > LevelFilter::INFO {
        level
    } else {
        LevelFilter::OFF
    };
    let targets = Targets::new()
        .with_default(level)
        .with_target(READY, LevelFilter::INFO.max(level))
        .with_target(SERVERS, servers);
    let layer = Lines { sink }.with_filter(targets);
    let subscriber = tracing_subscriber::registry().with(layer);
    drop(tracing::subscriber::set_global_default(subscriber));
}

/// Makes an entry of each event.
struct Lines<F> {
    sink: F,
}

impl<S: Subscriber, F: Fn(&Entry) + 'static> Layer<S> for Lines<F> {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        (self.sink)(&Entry::new(event));
    }
}
