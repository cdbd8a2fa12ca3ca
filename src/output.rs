//! What is written for the person or the script that started the program.

use std::error::Error as _;
use std::io::Write as _;

use crate::error::Error;

/// Writes a text and a line end to standard output.
///
/// # Errors
/// It cannot be written.
pub(crate) fn line(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

/// Writes an error and all its causes to standard error.
pub(crate) fn complain(error: &Error) {
    let mut text = match error {
        // Every problem begins with its own `error[...]`.
        Error::Problems(problems) => format!("{problems}"),
        error => format!("error: {error}"),
    };
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    // Without standard error there is nobody left to tell.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
