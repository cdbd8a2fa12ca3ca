//! The one hash that places keys on peers. Its values never change: replicas, builds and releases
//! must agree on them, so the test vectors below are part of the contract.

/// Hashes bytes to 64 bits, the same on every machine, build and release.
///
/// Eight bytes at a time through a 128-bit multiply whose halves are folded together (the mixing
/// step of the wyhash family), the length last. Not for secrets: it resists accidents, not
/// attackers who choose keys.
pub fn hash64(bytes: &[u8]) -> u64 {
    let mut state = SEED;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), STEP);
    }
    let mut last = [0_u8; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    state = fold(state ^ u64::from_le_bytes(last), LAST);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    mix(state ^ length)
}

/// One value out of two, as well mixed as `hash64`; the order matters.
pub(crate) fn pair(key: u64, of: u64) -> u64 {
    mix(fold(key ^ STEP, of | 1) ^ of.rotate_left(32))
}

/// Spreads every bit of the input over the output, one to one (the finalizer of `SplitMix64`).
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(SEED);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A number below `bound`, as even as the entropy (multiply and shift, no division).
pub(crate) fn below(entropy: u64, bound: u64) -> u64 {
    high(u128::from(entropy) * u128::from(bound))
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    high(product) ^ low(product)
}

const fn high(product: u128) -> u64 {
    low(product >> 64)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
const fn low(product: u128) -> u64 {
    product as u64
}

/// The golden ratio in 64 bits: no structure, and not zero.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// Odd, with as many ones as zeros, so that a multiply spreads every input bit.
const STEP: u64 = 0xa076_1d64_78bd_642f;
/// As `STEP`, but different, so that a last block differs from an inner one.
const LAST: u64 = 0xe703_7ed1_a0b4_28db;
