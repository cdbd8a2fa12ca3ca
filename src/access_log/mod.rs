//! One line for each request, written by a thread of its own.
//!
//! A request leaves a record and goes; it never waits for a disk. When the writer falls behind,
//! records are dropped and counted.

mod line;
mod record;
mod writer;

pub(crate) use writer::{Dropped, Writer, open};
