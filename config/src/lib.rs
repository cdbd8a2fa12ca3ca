//! The configuration of backstay: from the text of a file to the checked types of `proxy` and `lb`,
//! with every problem found, placed and explained.
//!
//! The way of a file:
//!
//! 1. `load` reads at most 1 MiB of UTF-8;
//! 2. `scan` refuses in one linear pass what would cost the YAML parser more than it is worth;
//! 3. `tree` parses, and keeps the place of every key and value;
//! 4. `shape` holds the tree against the JSON Schema, fills in `${VAR}`, and reports unknown,
//!    repeated and missing keys and wrong values;
//! 5. `file` is what is left, typed: what the user wrote;
//! 6. `check` makes it the checked types, and reports what the schema cannot say.
//!
//! Problems never stop the way; only text that is no YAML does. The value of a secret is in no
//! message. This crate knows nothing of sockets, of time (but for what has expired), or of the
//! process but its environment.

mod check;
mod environment;
mod file;
mod finding;
mod interpolate;
mod load;
mod loaded;
mod problem;
mod redact;
mod render;
mod scan;
mod schema;
mod shape;
mod source;
mod suggest;
mod tree;
mod units;
mod urls;

pub use environment::{Environment, ProcessEnvironment};
pub use load::{load, parse};
pub use loaded::{AccessLog, AccessLogFormat, Admin, Loaded, Log, LogFormat, LogLevel, Watching};
pub use problem::{Code, Problem, Problems, Severity};
pub use schema::schema;
pub use urls::from_urls;
