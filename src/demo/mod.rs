//! The verb `demo`: three MCP servers, the proxy before them, a caller that keeps calling, and a
//! server that is killed again and again.
//!
//! Nothing is played: the servers have threads, runtimes and ports of their own and lose all their
//! connections when they are killed; the proxy is the one that `run` serves with; the caller
//! reaches it over TCP.

mod caller;
mod picture;
mod plain;
mod screen;
mod script;
mod server;
mod stage;
mod tally;
mod whoami;

use std::io::IsTerminal as _;

use crate::args::{Demo, LogFormat, LogLevel};
use crate::error::{Error, Exit};
use crate::logs::{self, LogSettings};
use crate::output;
use stage::{Show, Stage};

/// Shows failover.
///
/// # Errors
/// Ports, threads or the terminal cannot be had.
pub(crate) fn demo(args: &Demo) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::System)?;
    let level = args.common.log_level.unwrap_or(LogLevel::Info);
    let live = !args.plain && std::io::stdout().is_terminal();
    let tally = if live {
        let (sender, events) = std::sync::mpsc::channel();
        // Events are part of the picture; beside it they would break it.
        logs::start_into(level, move |entry| {
            if entry.target.starts_with("proxy") {
                // The picture is over only when the program is.
                drop(sender.send(entry.clone()));
            }
        });
        let screen = screen::Screen::open(events).map_err(Error::Output)?;
        runtime.block_on(perform(args, screen))?
    } else {
        let format = args.common.log_format.unwrap_or(LogFormat::Text);
        logs::start(LogSettings { level, format });
        runtime.block_on(perform(args, plain::Plain::default()))?
    };
    output::line(&tally.summary())?;
    let shown = tally.failed() == 0 && (args.length.is_none() || tally.failovers() > 0);
    Ok(if shown { Exit::Ok } else { Exit::NotShown })
}

async fn perform(args: &Demo, show: impl Show) -> Result<tally::Tally, Error> {
    Stage::open(&args.common)?.perform(args.length, show).await
}
