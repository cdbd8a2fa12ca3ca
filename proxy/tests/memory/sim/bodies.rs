//! Bodies that say where they come from: each byte depends on a number and on its place.

/// So many bytes of the body with this number.
pub(super) fn body(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while bytes.len() < length {
        word = word.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Sets the bodies of answers apart from those of requests.
pub(super) const ANSWER: u64 = 1 << 32;

/// So many events, whose data depends on a number.
pub(super) fn events(number: u64, count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|at| format!("id: {at}\ndata: {number}-{at}\n\n").into_bytes())
        .collect()
}
