//! MCP: what messages, sessions and streams mean to the proxy. Values in, values out: no I/O, no
//! clock, no randomness here.
//!
//! - what a request is: [`detect`], [`Facts`], [`Message`], [`Method`], [`Era`]
//! - what it may do twice: [`Repeat`], [`Message::repeat`]; whether its head agrees with its
//!   body: [`agree`]
//! - who it is from: [`Principal`], [`Context`]; where its MCP session lives: [`sealed`], [`token`]
//! - what an MCP session is made of: [`initialize`]; how it is made anew: [`replay`], [`standing`];
//!   what is told apart then: [`generation`], [`rewriter`]
//! - what ties a modern request to a peer: [`tied`]; what a listener was promised: [`listening`]
//! - what a server says of itself: [`discovery`], [`listing`]; the answer in a body: [`answer`]
//! - what we answer in place of a peer: [`fault`]
//! - what went by on an event stream: [`sse`], [`events`], [`endpoint`]
//! - where requests may come from and whom they are told to ask: [`addressing`], [`oauth`]

mod asked;
mod context;
mod envelope;
mod era;
mod facts;
mod glimpse;
mod id;
mod keyring;
mod lines;
mod message;
mod method;
mod mirror;
mod name;
mod principal;
mod version;
pub mod whole;
mod wire;

pub mod addressing;
pub mod answer;
pub mod discovery;
pub mod endpoint;
pub mod events;
pub mod fault;
pub mod generation;
pub mod header;
pub mod initialize;
pub mod listening;
pub mod listing;
pub mod metrics;
pub mod oauth;
pub mod replay;
pub mod rewriter;
pub mod sealed;
pub mod sse;
pub mod standing;
pub mod tied;
pub mod token;

#[cfg(test)]
mod tests;

pub use asked::Asked;
pub use context::Context;
pub use era::Era;
pub use facts::{Detected, Facts, Kind, detect};
pub use id::Id;
pub use keyring::{Bound, KeyError, KeyRing, SealError, Unsealable};
pub use lines::Carries;
pub use message::{MAX_BATCH, Message, Request, Tie};
pub use method::{Method, Repeat};
pub use mirror::{Mismatch, agree};
pub use name::Name;
pub use principal::Principal;
pub use version::Version;
