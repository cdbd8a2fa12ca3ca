//! Scripted peers, strict clients, and the proxy between them.

mod client;
mod gate;
pub(crate) mod h2;
pub(crate) mod h2_peer;
mod hooks;
mod host;
mod ledger;
mod mcp_server;
mod peer;
mod renewed;
mod reply;
mod rng;
mod runtime;
mod script;
mod secure;
mod wire;
mod world;

pub(crate) use client::{Ask, CLIENT, Client, chunk};
pub(crate) use gate::{Gate, group, route};
pub(crate) use hooks::{Logged, Watch, reply};
pub(crate) use host::{serve_each, start_controlled, start_proxy};
pub(crate) use ledger::{Entry, Ledger};
pub(crate) use mcp_server::McpServer;
pub(crate) use peer::Peer;
pub(crate) use renewed::{Renewed, ask, from, listener, settings};
pub(crate) use reply::Reply;
pub(crate) use rng::Rng;
pub(crate) use runtime::{run, run_within, settle, within};
pub(crate) use script::{Answer, End, Form, Script, Step};
pub(crate) use secure::{Authority, Dial};
pub(crate) use wire::{Broken, Framing, Head, Wire};
pub(crate) use world::{PROXY, Plan, World};
