//! Which limit of ours an error of a connection to a peer comes from.

use super::h1::Fault;
use crate::metrics::{Counter, LimitMetrics};
use std::error::Error;
use std::io;

/// What counts the limit that an exchange with a peer has exceeded, if it was one.
pub(crate) fn exceeded<'a>(
    error: &(dyn Error + Send + Sync + 'static),
    limits: &'a LimitMetrics,
) -> Option<&'a Counter> {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.counter(limits);
    }
    let system = match error.downcast_ref::<h2::Error>() {
        Some(error) => error.get_io(),
        None => error.downcast_ref::<io::Error>(),
    };
    system
        .filter(|error| error.kind() == io::ErrorKind::TimedOut)
        .map(|_| &limits.silence)
}
