//! Sequences of operations against a group, beside a plain account of what must hold.
//!
//! Property tests and fuzz targets make a sequence out of bytes and run it. Each operation is done
//! to the group and to the account; whatever the group then says is checked against the account.
//! The account does not say which of several right answers is given, only which are wrong.

mod account;
mod bytes;
mod judge;
mod watch;
mod world;

use std::time::Duration;

use crate::health::Probed;
use crate::peer::PeerIndex;
use crate::{Admin, Verdict};
use bytes::Bytes;
use world::World;

/// Something that happens to a group.
#[derive(Clone, Copy, Debug)]
enum Op {
    Abort(PeerIndex),
    Administer(PeerIndex, Admin),
    Arrive(u8),
    Check(PeerIndex, Probed),
    ClearPrimary,
    Decide(u8),
    Drop(u8),
    Failback,
    ForcePrimary(PeerIndex),
    Pick(Wish),
    Refund,
    Reload,
    Settle(u8, Verdict),
    Wait(Duration),
}

/// A request, as the bytes make it.
#[derive(Clone, Copy, Debug)]
struct Wish {
    pin: Option<PeerIndex>,
    /// One bit for each peer that was tried.
    tried: u8,
    kind: u8,
    entropy: u8,
}

/// Makes a group and a sequence of operations out of bytes, and runs it.
///
/// # Panics
///
/// When the group breaks an invariant; the message says which.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let Some(mut world) = World::new(&mut bytes) else {
        return;
    };
    while let Some(op) = bytes.op(world.peers()) {
        world.step(op);
    }
    world.end();
}
