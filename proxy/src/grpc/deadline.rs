//! How long a client waits for a call.

use super::TIMEOUT;
use http::{HeaderMap, HeaderValue};
use std::time::Duration;

/// What `grpc-timeout` says; none if it is not there, or is none ("Requests": at most eight
/// digits and a unit).
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(&TIMEOUT)?.as_bytes();
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(value * 3600),
        b'M' => Duration::from_secs(value * 60),
        b'S' => Duration::from_secs(value),
        b'm' => Duration::from_millis(value),
        b'u' => Duration::from_micros(value),
        b'n' => Duration::from_nanos(value),
        _ => return None,
    })
}

/// What is left, as `grpc-timeout` has it: in the finest unit that has room for it, and never 0,
/// which servers take for an error.
pub(crate) fn remaining(left: Duration) -> HeaderValue {
    let most = 99_999_999;
    let units: [(u128, &str); 4] = [
        (left.as_micros(), "u"),
        (left.as_millis(), "m"),
        (u128::from(left.as_secs()), "S"),
        (u128::from(left.as_secs() / 3600), "H"),
    ];
    let found = units.iter().find(|(value, _)| *value <= most);
    let (value, unit) = found.map_or((most, "H"), |(value, unit)| (*value, *unit));
    let text = format!("{}{unit}", value.max(1));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("1u"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocol_has_them() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("999999999S", None),
            ("S", None),
            ("", None),
            ("1", None),
            ("+1S", None),
            ("1.5S", None),
            ("1s", None),
            ("\u{e9}S", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT, HeaderValue::from_str(text).unwrap());
            assert_eq!(timeout(&headers), expected, "{text}");
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_left_is_said_as_exactly_as_there_is_room_for() {
        for (left, expected) in [
            (Duration::ZERO, "1u"),
            (Duration::from_micros(1_500), "1500u"),
            (Duration::from_secs(99), "99000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(360_000_000), "100000H"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(remaining(left), expected, "{left:?}");
        }
    }
}
