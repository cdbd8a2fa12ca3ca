//! Choosing one peer of a pool: the peers of one tier, or those of one region in it.
//!
//! The pool never changes; which of its peers may be taken is the gate's to say, per request.
//! A peer that may not be taken is passed over, never removed: the order of the others stays.

mod cycle;
mod draw;
mod gate;
mod pool;
mod rendezvous;
mod ring;
#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests;

pub(crate) use gate::{Gate, WHOLE, ramped};
pub(crate) use pool::{Pool, Seed};
