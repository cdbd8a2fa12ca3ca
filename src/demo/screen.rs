//! The demonstration as a picture in the terminal.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::picture::{Style, picture};
use super::stage::{Picture, Show};
use crate::error::Error;
use crate::logs::Entry;

/// The terminal, while the picture is on it. Dropping it gives the terminal back.
#[derive(Debug)]
pub(super) struct Screen {
    events: Receiver<Entry>,
    timeline: VecDeque<String>,
    now: Duration,
    style: Style,
}

impl Screen {
    /// Takes the terminal over; the text on it comes back in the end.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn open(events: Receiver<Entry>) -> io::Result<Self> {
        put("\x1b[?1049h\x1b[?25l")?;
        // https://no-color.org
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ok(Self {
            events,
            timeline: VecDeque::new(),
            now: Duration::ZERO,
            style: if plain { Style::Plain } else { Style::Coloured },
        })
    }

    fn note(&mut self, what: &str) {
        if self.timeline.len() == REMEMBERED {
            self.timeline.pop_front();
        }
        let line = format!("{:6.1}s  {what}", self.now.as_secs_f64());
        self.timeline.push_back(line);
    }
}

impl Show for Screen {
    fn deed(&mut self, after: Duration, what: &str) -> Result<(), Error> {
        self.now = after;
        self.note(&format!("* {what}"));
        Ok(())
    }

    fn draw(&mut self, seen: &Picture<'_>) -> Result<(), Error> {
        self.now = seen.after;
        while let Ok(entry) = self.events.try_recv() {
            let line = crate::logs::text(&entry).replace(" group=demo", "");
            self.note(&line);
        }
        let (columns, rows) = size();
        let lines = picture(seen, self.timeline.make_contiguous(), rows, self.style);
        let mut frame = String::from("\x1b[H");
        for (index, line) in lines.iter().take(rows).enumerate() {
            if index > 0 {
                frame.push_str("\r\n");
            }
            frame.push_str(&fit(line, columns));
            frame.push_str("\x1b[0m\x1b[K");
        }
        frame.push_str("\x1b[J");
        put(&frame).map_err(Error::Output)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // If it cannot be given back, there is nothing left to try.
        drop(put("\x1b[0m\x1b[?25h\x1b[?1049l"));
    }
}

/// The beginning of a line that fits; escape sequences take no room.
fn fit(line: &str, columns: usize) -> String {
    let (mut fitting, mut taken, mut escaped) = (String::new(), 0, false);
    for c in line.chars() {
        if escaped {
            escaped = c != 'm';
        } else if c == '\x1b' {
            escaped = true;
        } else if taken < columns {
            taken += 1;
        } else {
            continue;
        }
        fitting.push(c);
    }
    fitting
}

/// Columns and rows.
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// One call for a frame: half a frame would flicker.
fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// More than any terminal has rows.
const REMEMBERED: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_what_is_seen_of_it() {
        let rows = [
            ("short", 10, "short"),
            ("exactly", 7, "exactly"),
            ("too long", 3, "too"),
            ("\x1b[31mred\x1b[0m and", 5, "\x1b[31mred\x1b[0m a"),
            ("zürich", 3, "zür"),
        ];
        for (line, columns, expected) in rows {
            assert_eq!(fit(line, columns), expected, "{line:?}");
        }
    }
}
