//! Groups of MCP servers: what the proxy learns of them, and what follows from it.

mod discover;
mod eras;
mod probes;
mod server;
mod survey;
mod tools;
mod world;

use server::{Server, Speaks};
use world::World;
