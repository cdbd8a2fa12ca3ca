//! Facts about the codec, and what it makes of bytes beside what hyper's client makes of them.

mod corpus;
mod differential;
mod hyper_client;
mod limits;
mod upgrade;
mod written;

use super::replay::{Replayed, replay};
use http::Method;

/// Replays one response to a GET, in one piece.
fn get(bytes: &[u8]) -> Replayed {
    replay(Method::GET, &[bytes])
}
