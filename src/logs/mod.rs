//! What the program says while it runs: one line for each event, on standard error.
//!
//! An event has a constant name and fields. Text that came from elsewhere is only ever a value of
//! a field, and is written so that it can neither end the line nor reach the terminal.

mod entry;
mod json;
mod text;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::{Registry, reload};

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

/// Changes what is logged, and how.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    filter: reload::Handle<Targets, Registry>,
    format: Arc<AtomicU8>,
}

impl Logs {
    /// Logs so from now on.
    pub(crate) fn change(&self, settings: LogSettings) {
        self.format.store(settings.format as u8, Ordering::Relaxed);
        // It fails only when nobody logs any more.
        drop(self.filter.reload(targets(settings.level)));
    }
}

/// Logs to standard error from now on. Only the first call in a process has an effect.
pub(crate) fn start(settings: LogSettings) -> Logs {
    let format = Arc::new(AtomicU8::new(settings.format as u8));
    let now = Arc::clone(&format);
    let sink = move |entry: &Entry| {
        let mut line = match now.load(Ordering::Relaxed) {
            JSON => json::plain(entry),
            ECS => json::ecs(entry),
            _ => text(entry),
        };
        line.push('\n');
        // One call for a line keeps the lines of all threads whole; without standard error there
        // is nobody to tell.
        drop(std::io::stderr().write_all(line.as_bytes()));
    };
    let filter = start_into(settings.level, sink);
    Logs { filter, format }
}

/// Hands all events of the level to `sink` from now on. Only the first call in a process has an
/// effect.
pub(crate) fn start_into(
    level: LogLevel,
    sink: impl Fn(&Entry) + Send + Sync + 'static,
) -> reload::Handle<Targets, Registry> {
    let (filter, handle) = reload::Layer::new(targets(level));
    let layer = Lines { sink }.with_filter(filter);
    let subscriber = tracing_subscriber::registry().with(layer);
    drop(tracing::subscriber::set_global_default(subscriber));
    handle
}

fn targets(level: LogLevel) -> Targets {
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
    Targets::new()
        .with_default(level)
        .with_target(READY, LevelFilter::INFO.max(level))
        .with_target(SERVERS, servers)
}

const JSON: u8 = LogFormat::Json as u8;
const ECS: u8 = LogFormat::Ecs as u8;

/// Makes an entry of each event.
struct Lines<F> {
    sink: F,
}

impl<S: Subscriber, F: Fn(&Entry) + 'static> Layer<S> for Lines<F> {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        (self.sink)(&Entry::new(event));
    }
}
