//! Operations out of bytes: any bytes make some sequence, and a few changed bytes a similar one.

use std::time::Duration;

use super::{Op, Wish};
use crate::health::Probed;
use crate::peer::PeerIndex;
use crate::{Admin, Verdict};

/// Bytes still to be read.
#[derive(Debug)]
pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next operation on a group of so many peers.
    pub(super) fn op(&mut self, peers: u16) -> Option<Op> {
        let kind = self.byte()?;
        let arg = self.byte()?;
        let peer = PeerIndex(u16::from(arg & 7) % peers);
        Some(match kind % 24 {
            0..=6 => Op::Pick(Wish {
                pin: (arg & 0xc0 == 0xc0).then_some(peer),
                tried: if arg & 0x20 == 0 { 0 } else { self.byte()? },
                kind: arg,
                entropy: kind,
            }),
            7..=11 => Op::Settle(arg >> 4, verdict(arg)),
            12 | 13 => Op::Drop(arg),
            14 | 15 => Op::Wait(WAITS[usize::from(arg) % WAITS.len()]),
            16 | 17 => Op::Check(
                peer,
                if arg & 8 == 0 {
                    Probed::Failed
                } else {
                    Probed::Passed
                },
            ),
            18 => Op::Abort(peer),
            19 => Op::Administer(
                peer,
                match arg >> 3 & 3 {
                    0 => Admin::Disabled,
                    1 => Admin::Draining,
                    _ => Admin::Enabled,
                },
            ),
            20 => Op::Arrive(arg),
            21 => Op::Decide(arg),
            22 => match arg >> 3 & 3 {
                0 => Op::ForcePrimary(peer),
                1 => Op::ClearPrimary,
                2 => Op::Failback,
                _ => Op::Refund,
            },
            _ if arg & 8 == 0 => Op::Reload,
            _ => Op::Wait(Duration::from_millis(u64::from(arg))),
        })
    }
}

fn verdict(arg: u8) -> Verdict {
    match arg % 8 {
        0..=2 => Verdict::Succeed,
        3 => Verdict::ConnectFail,
        4 => Verdict::Fail,
        5 => Verdict::RateFail,
        6 => Verdict::Neutral,
        _ => Verdict::Overload {
            cooldown: Duration::from_millis(u64::from(arg) * 50),
        },
    }
}

/// Around every deadline of the default policy.
const WAITS: [Duration; 10] = [
    Duration::from_millis(1),
    Duration::from_millis(100),
    Duration::from_millis(999),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(31),
    Duration::from_secs(61),
    Duration::from_secs(700),
];
