//! The verb `schema`.

use crate::error::{Error, Exit};
use crate::output;

/// Prints the JSON Schema of the file.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn print() -> Result<Exit, Error> {
    output::line(&format!("{:#}", config::schema()))?;
    Ok(Exit::Ok)
}
