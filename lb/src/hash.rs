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

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use super::*;

    /// Part of the contract: a change moves every key of every deployment.
    #[test]
    fn the_hash_is_what_it_always_was() {
        let alphabet = b"abcdefghijklmnopqrstuvwxyz";
        let vectors: [(&[u8], u64); 8] = [
            (b"", 0x8591_2fce_f12a_1532),
            (b"\0", 0xbd4d_178b_2bf6_6f2c),
            (b"a", 0xda0f_e3e4_bcc7_a5c9),
            (b"abc", 0x07a4_47e7_0f1f_9859),
            (b"12345678", 0x56d1_69e7_cb28_a73e),
            (b"123456789", 0x70f8_c8d5_73eb_02bd),
            (alphabet, 0xadfc_1d5a_8693_56fa),
            (&[0xff; 64], 0xdaa6_37b2_e8ca_300a),
        ];
        for (bytes, hash) in vectors {
            assert_eq!(hash64(bytes), hash, "{bytes:?} {:#018x}", hash64(bytes));
        }
    }

    #[test]
    fn the_hash_of_a_pair_is_what_it_always_was() {
        for (key, of, hash) in [
            (0, 0, 0x4396_d60d_bd85_37af),
            (1, 2, 0xb38a_6cb3_5482_ac61),
            (2, 1, 0xe4bd_d943_8e8c_841c),
        ] {
            assert_eq!(pair(key, of), hash, "{key} {of} {:#018x}", pair(key, of));
        }
    }

    #[test]
    fn each_input_bit_moves_about_half_of_the_output() {
        let base = [0x5a_u8; 24];
        for bit in 0..192 {
            let mut other = base;
            other[bit / 8] ^= 1 << (bit % 8);
            let moved = (hash64(&base) ^ hash64(&other)).count_ones();
            assert!((12..=52).contains(&moved), "bit {bit} moves {moved}");
        }
    }

    #[test]
    fn short_keys_do_not_collide() {
        let mut seen: Vec<u64> = (0..100_000_u32)
            .map(|number| hash64(format!("user-{number}").as_bytes()))
            .chain((0..40).map(|length| hash64(&vec![0; length])))
            .collect();
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn below_stays_below_and_reaches_both_ends() {
        for bound in [1, 2, 3, 1_000, u64::MAX] {
            assert_eq!(below(0, bound), 0);
            assert_eq!(below(u64::MAX, bound), bound - 1);
        }
        assert_eq!(below(7, 0), 0);
    }
}
