//! The two messages of `grpc.health.v1.Health/Check`, by hand: a field of protobuf each.

use bytes::{BufMut as _, Bytes, BytesMut};

/// What a server says of a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Serving {
    /// It is served.
    Yes,
    /// It is not.
    No,
    /// It is not known to the server.
    Unknown,
}

/// A `HealthCheckRequest` in its frame ("Requests": Length-Prefixed-Message). An empty service is
/// the server as a whole.
pub(crate) fn check(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(STRING_1);
        varint(&mut message, service.len());
        message.put(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(HEAD + message.len());
    // Not compressed.
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put(message);
    frame.freeze()
}

/// What a `HealthCheckResponse` in its frame says; none if it is none.
pub fn serving(frame: &[u8]) -> Option<Serving> {
    let (head, message) = frame.split_at_checked(HEAD)?;
    let [0, length @ ..] = head else { return None };
    let length = length.try_into().map(u32::from_be_bytes).ok()?;
    if usize::try_from(length).ok()? != message.len() {
        return None;
    }
    let mut rest = message;
    // What is not said is 0.
    let mut status = 0;
    while !rest.is_empty() {
        let key = number(&mut rest)?;
        match (key, key & 7) {
            (VARINT_1, _) => status = number(&mut rest)?,
            // Fields of later versions.
            (_, 0) => drop(number(&mut rest)?),
            (_, 1) => rest = rest.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(number(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            (_, 5) => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(match status {
        1 => Serving::Yes,
        3 => Serving::Unknown,
        _ => Serving::No,
    })
}

/// Takes a varint.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn varint(out: &mut BytesMut, mut value: usize) {
    loop {
        let [lowest, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.put_u8(lowest & 0x7f);
        }
        // More follow.
        out.put_u8(lowest | 0x80);
    }
}

/// A flag and a length.
const HEAD: usize = 5;
/// Field 1 of a `HealthCheckRequest`: a string.
const STRING_1: u8 = 0x0a;
/// Field 1 of a `HealthCheckResponse`: an enumeration.
const VARINT_1: u64 = 0x08;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_its_service() {
        assert_eq!(check(""), &b"\0\0\0\0\0"[..]);
        assert_eq!(check("a.B"), &b"\0\0\0\0\x05\x0a\x03a.B"[..]);
        let long = check(&"x".repeat(300));
        assert_eq!(&long[..8], b"\0\0\0\x01\x2f\x0a\xac\x02");
        assert_eq!(long.len(), 308);
    }

    #[test]
    fn only_serving_is_serving() {
        for (frame, expected) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], Some(Serving::Yes)),
            (b"\0\0\0\0\x02\x08\x00", Some(Serving::No)),
            (b"\0\0\0\0\x02\x08\x02", Some(Serving::No)),
            (b"\0\0\0\0\x02\x08\x03", Some(Serving::Unknown)),
            (b"\0\0\0\0\0", Some(Serving::No)),
            // The last one counts, and fields that are not known are skipped.
            (b"\0\0\0\0\x04\x08\x02\x08\x01", Some(Serving::Yes)),
            (b"\0\0\0\0\x06\x12\x02\xff\xff\x08\x01", Some(Serving::Yes)),
            (b"\0\0\0\0\x05\x10\x96\x01\x08\x01", Some(Serving::Yes)),
            (b"\0\0\0\0\x07\x1d1234\x08\x01", Some(Serving::Yes)),
            (b"", None),
            (b"\0\0\0\0", None),
            (b"\x01\0\0\0\x02\x08\x01", None),
            (b"\0\0\0\0\x03\x08\x01", None),
            (b"\0\0\0\0\x01\x08", None),
            (b"\0\0\0\0\x02\x12\x09", None),
            (b"\0\0\0\0\x02\x0b\x01", None),
            (
                b"\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                None,
            ),
        ] {
            assert_eq!(serving(frame), expected, "{frame:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_stumble() {
        let mut draw = 1_u64;
        for _ in 0..20_000 {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let drawn = draw.to_be_bytes();
            let length = drawn[3] % 24;
            let mut frame = vec![0, 0, 0, 0, length];
            frame.extend(drawn.iter().cycle().take(length.into()));
            std::hint::black_box(serving(&frame));
        }
    }
}
