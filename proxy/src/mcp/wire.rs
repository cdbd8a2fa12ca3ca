//! The inside of what is sealed: bytes with their lengths before them.

/// Appends a length and the bytes; four billion are enough.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    // LEB128: one byte for the lengths that occur.
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or_default());
    out.extend_from_slice(bytes);
}

/// Takes what [`put`] wrote; none if it is not there whole.
pub(super) fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length = 0_usize;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let (bytes, tail) = rest.split_at_checked(length)?;
            *rest = tail;
            return Some(bytes);
        }
    }
    None
}

/// Takes what [`put`] wrote of a text.
pub(super) fn take_text(rest: &mut &[u8]) -> Option<String> {
    let bytes = take(rest)?;
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// Takes a fixed number of bytes.
pub(super) fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*bytes)
}
