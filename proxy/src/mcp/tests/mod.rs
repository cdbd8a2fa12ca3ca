//! Tests longer than the code they test.

mod endpoint;
mod facts;
mod fault;
mod message;
mod principal;
mod sealed;
mod sse;
mod tied;
mod token;
mod wire;
