//! Fields that end at the next hop (RFC 9110 §7.6.1).

use http::header::{self, HeaderMap, HeaderName};

/// Which fields of a head end here, as found by the one pass over it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct HopByHop {
    found: u16,
    /// `Connection` names further fields.
    nominates: bool,
}

impl HopByHop {
    /// Notes a field, if it is one that ends here.
    pub(crate) fn note(&mut self, name: &str) -> bool {
        // Most fields are told apart by their length alone.
        if LENGTHS
            & 1u32
                .checked_shl(u32::try_from(name.len()).unwrap_or(32))
                .unwrap_or(0)
            == 0
        {
            return false;
        }
        let place = NAMES.iter().position(|known| *known == name);
        if let Some(place) = place {
            self.found |= 1 << place;
        }
        place.is_some()
    }

    /// `Connection` names fields.
    pub(crate) fn nominate(&mut self) {
        self.nominates = true;
    }

    /// Removes what was found.
    pub(crate) fn strip(self, headers: &mut HeaderMap) {
        if self.found == 0 {
            return;
        }
        if self.nominates {
            let lines = headers.get_all(header::CONNECTION).iter();
            let tokens = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
            let names = tokens.filter_map(|token| nominated(token.trim_ascii()));
            // They borrow from what is changed next.
            let names: Vec<HeaderName> = names.collect();
            for name in names {
                headers.remove(name);
            }
        }
        for (place, name) in FIELDS.iter().enumerate() {
            if self.found & 1 << place != 0 {
                headers.remove(name);
            }
        }
    }
}

/// The field that a token of `Connection` names; none for options, and for what goes anyway.
fn nominated(token: &[u8]) -> Option<HeaderName> {
    let option = is_option(token);
    if option {
        None
    } else {
        HeaderName::from_bytes(token).ok()
    }
}

/// Whether a token of `Connection` is an option of its own, or names what goes anyway.
pub(crate) fn is_option(token: &[u8]) -> bool {
    let known = [b"close".as_slice(), b"keep-alive"];
    let mut known = known
        .into_iter()
        .chain(NAMES.iter().map(|name| name.as_bytes()));
    token.is_empty() || known.any(|known| known.eq_ignore_ascii_case(token))
}

/// What clients and peers still send, too.
///
/// Not `Trailer`, which RFC 9110 §7.6.1 does not name either: what follows a body is passed on,
/// and so is what announces it.
const NAMES: [&str; 9] = [
    "connection",
    "transfer-encoding",
    "keep-alive",
    "te",
    "upgrade",
    "proxy-connection",
    "http2-settings",
    "proxy-authenticate",
    "proxy-authorization",
];

/// A bit for each length among the names.
const LENGTHS: u32 = {
    let mut lengths = 0;
    let mut place = 0;
    while place < NAMES.len() {
        lengths |= 1 << NAMES[place].len();
        place += 1;
    }
    lengths
};

static FIELDS: [HeaderName; 9] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::UPGRADE,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
];

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn strip(lines: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        let mut hop = HopByHop::default();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
            hop.note(name);
            if *name == "connection" {
                hop.nominate();
            }
        }
        hop.strip(&mut headers);
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn what_ends_here_goes_and_the_rest_stays() {
        for (lines, left) in [
            (&[("accept", "*/*")][..], &["accept"][..]),
            (&[("connection", "close"), ("accept", "*/*")], &["accept"]),
            (
                &[
                    ("connection", "x-a, Keep-Alive"),
                    ("x-a", "1"),
                    ("keep-alive", "5"),
                ],
                &[],
            ),
            (
                &[
                    ("connection", "x-a"),
                    ("connection", "x-b"),
                    ("x-a", "1"),
                    ("x-b", "2"),
                ],
                &[],
            ),
            (
                &[
                    ("te", "trailers"),
                    ("upgrade", "h2c"),
                    ("http2-settings", "AA"),
                ],
                &[],
            ),
            (&[("transfer-encoding", "chunked"), ("x-b", "2")], &["x-b"]),
            (
                &[
                    ("proxy-authorization", "x"),
                    ("proxy-connection", "y"),
                    ("trailer", "z"),
                ],
                &["trailer"],
            ),
        ] {
            assert_eq!(strip(lines), left, "{lines:?}");
        }
    }

    #[test]
    fn both_tables_name_the_same_fields() {
        for (name, field) in NAMES.iter().zip(&FIELDS) {
            assert_eq!(name, &field.as_str());
        }
    }
}
