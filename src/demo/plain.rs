//! The demonstration as lines, for scripts and logs.

use std::time::Duration;

use super::stage::{Picture, Show};
use super::tally::millis;
use crate::error::Error;
use crate::output;

/// The demonstration as lines.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// The second of the last line.
    second: Option<u64>,
}

impl Show for Plain {
    fn deed(&mut self, after: Duration, what: &str) -> Result<(), Error> {
        output::line(&format!("{:5.1}s  {what}", after.as_secs_f64()))
    }

    fn draw(&mut self, picture: &Picture<'_>) -> Result<(), Error> {
        let second = picture.after.as_secs();
        if self.second == Some(second) {
            return Ok(());
        }
        self.second = Some(second);
        output::line(&line(picture))
    }
}

fn line(picture: &Picture<'_>) -> String {
    let tally = picture.tally;
    let (median, slow) = tally.latency();
    let mut line = format!(
        "{:5.1}s  serving={} calls={} failed={} failovers={} p50={:.1}ms p99={:.1}ms",
        picture.after.as_secs_f64(),
        tally.serving().unwrap_or("-"),
        tally.calls(),
        tally.failed(),
        tally.failovers(),
        millis(median),
        millis(slow),
    );
    for peer in &picture.group.peers {
        line.extend([" ", &peer.name, "=", &peer.breaker.state]);
    }
    line
}
