//! What a certificate says: names, subject, dates (RFC 5280 §4.1), read from its DER form.
//!
//! Only what is shown and chosen by is read here; whether a certificate is believed is decided by
//! rustls.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a certificate says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Facts {
    /// As RFC 4514 writes it, `CN=a,O=b`; the last part first.
    pub(super) subject: String,
    /// Names and addresses of servers, lower case.
    pub(super) hosts: Vec<String>,
    /// All subject alternative names with their kind, as in `DNS:a.example`.
    pub(super) names: Vec<String>,
    /// Seconds since 1970.
    pub(super) not_before: i64,
    /// Seconds since 1970.
    pub(super) not_after: i64,
}

impl Facts {
    /// Reads a certificate; none if it is not sound.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut facts = Self::default();
        let mut certificate = Der(der).inside(SEQUENCE)?;
        let mut tbs = certificate.inside(SEQUENCE)?;
        tbs.skip_if(context(0))?;
        // Serial number, algorithm, issuer.
        for _ in 0..3 {
            tbs.next()?;
        }
        let mut validity = tbs.inside(SEQUENCE)?;
        facts.not_before = validity.time()?;
        facts.not_after = validity.time()?;
        facts.subject = subject(tbs.inside(SEQUENCE)?)?;
        // Public key.
        tbs.next()?;
        while let Some((tag, content)) = tbs.next() {
            if tag == context(3) {
                facts.extensions(Der(content).inside(SEQUENCE)?)?;
            }
        }
        Some(facts)
    }

    fn extensions(&mut self, mut extensions: Der<'_>) -> Option<()> {
        while !extensions.0.is_empty() {
            let mut extension = extensions.inside(SEQUENCE)?;
            let (_, id) = extension.next()?;
            extension.skip_if(BOOLEAN)?;
            let (_, value) = extension.next()?;
            if id == SUBJECT_ALT_NAME {
                let mut names = Der(value).inside(SEQUENCE)?;
                while let Some((tag, name)) = names.next() {
                    self.name(tag, name);
                }
            }
        }
        Some(())
    }

    /// One of RFC 5280 §4.2.1.6.
    fn name(&mut self, tag: u8, name: &[u8]) {
        let text = || {
            let text = String::from_utf8_lossy(name);
            text.replace(char::is_control, "\u{fffd}")
        };
        match tag & 0x1f {
            1 => self.names.push(format!("email:{}", text())),
            2 => {
                let name = text().to_ascii_lowercase();
                self.names.push(format!("DNS:{name}"));
                self.hosts.push(name);
            }
            6 => self.names.push(format!("URI:{}", text())),
            7 => {
                if let Some(address) = address(name) {
                    self.names.push(format!("IP:{address}"));
                    self.hosts.push(address.to_string());
                }
            }
            _ => {}
        }
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).into());
    }
    let bytes = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(bytes).into())
}

fn subject(mut names: Der<'_>) -> Option<String> {
    let mut parts = Vec::new();
    while !names.0.is_empty() {
        let mut set = names.inside(SET)?;
        let mut pair = set.inside(SEQUENCE)?;
        let (_, id) = pair.next()?;
        let (_, value) = pair.next()?;
        let kind = KINDS.iter().find(|(known, _)| *known == id);
        let mut part = kind.map_or_else(|| "?".to_owned(), |(_, kind)| (*kind).to_owned());
        part.push('=');
        for c in String::from_utf8_lossy(value).chars() {
            if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
                part.push('\\');
            }
            part.push(if c.is_control() { '\u{fffd}' } else { c });
        }
        parts.push(part);
    }
    parts.reverse();
    Some(parts.join(","))
}

/// What is left of a DER encoding (ITU-T X.690).
#[derive(Clone, Copy, Debug)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            // At most 4 GiB, which no certificate reaches.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                let length = bytes
                    .iter()
                    .fold(0, |length, byte| length << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// What is inside the next value, which must have this tag.
    fn inside(&mut self, tag: u8) -> Option<Self> {
        let (found, content) = self.next()?;
        (found == tag).then_some(Self(content))
    }

    fn skip_if(&mut self, tag: u8) -> Option<()> {
        if self.0.first() == Some(&tag) {
            self.next()?;
        }
        Some(())
    }

    /// The next value as seconds since 1970 (RFC 5280 §4.1.2.5: always UTC, with seconds).
    fn time(&mut self) -> Option<i64> {
        let (tag, text) = self.next()?;
        let digits = text.strip_suffix(b"Z")?;
        let mut fields = [0; 7];
        let mut at = 0;
        for pair in digits.chunks(2) {
            let text = std::str::from_utf8(pair).ok()?;
            *fields.get_mut(at)? = text.parse::<u8>().ok()?.into();
            at += 1;
        }
        let (year, rest) = match (tag, at) {
            (UTC_TIME, 6) => {
                let century = if fields[0] < 50 { 2000 } else { 1900 };
                (century + fields[0], &fields[1..6])
            }
            (GENERALIZED_TIME, 7) => (fields[0] * 100 + fields[1], &fields[2..7]),
            _ => return None,
        };
        let &[month, day, hour, minute, second] = rest else {
            return None;
        };
        if !(1..=12).contains(&month) {
            return None;
        }
        Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
    }
}

/// Days since 1970 in the Gregorian calendar, whose cycle is taken to begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

/// The day of a second since 1970: the way back from [`days`].
pub(super) fn date(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (year + era * 400, month + 3);
    let (year, month) = if month > 12 {
        (year + 1, month - 12)
    } else {
        (year, month)
    };
    format!("{year:04}-{month:02}-{day:02}")
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

const fn context(number: u8) -> u8 {
    0xa0 | number
}

const BOOLEAN: u8 = 0x01;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// The kinds of RFC 4514 §3, and the address that many private authorities put in.
const KINDS: [(&[u8], &str); 8] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25],
        "DC",
    ),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1],
        "emailAddress",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    fn certificate() -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["A.example".to_owned()]).unwrap();
        let uri = SanType::URI("spiffe://a/b".try_into().unwrap());
        let address = SanType::IpAddress([10, 0, 0, 1].into());
        params.subject_alt_names.extend([uri, address]);
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = &mut params.distinguished_name;
        name.push(DnType::OrganizationName, "Acme, Inc.");
        name.push(DnType::CommonName, "agent");
        params.not_before = date_time_ymd(1999, 12, 31);
        params.not_after = date_time_ymd(2096, 2, 29);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_who_and_how_long() {
        let facts = Facts::read(&certificate()).unwrap();
        assert_eq!(facts.subject, "CN=agent,O=Acme\\, Inc.");
        assert_eq!(facts.hosts, ["a.example", "10.0.0.1"]);
        let names = ["DNS:a.example", "URI:spiffe://a/b", "IP:10.0.0.1"];
        assert_eq!(facts.names, names);
        assert_eq!(facts.not_before, 946_598_400);
        assert_eq!(facts.not_after, 3_981_312_000);
    }

    #[test]
    fn a_date_and_its_second_are_the_same_day() {
        for (year, month, day, expected) in [
            (1970, 1, 1, "1970-01-01"),
            (1999, 12, 31, "1999-12-31"),
            (2000, 2, 29, "2000-02-29"),
            (2000, 3, 1, "2000-03-01"),
            (2100, 3, 1, "2100-03-01"),
            (9999, 12, 31, "9999-12-31"),
        ] {
            let second = days(year, month, day) * 86_400;
            assert_eq!(date(second), expected);
            assert_eq!(date(second + 86_399), expected);
        }
    }

    #[test]
    fn what_is_cut_or_altered_is_refused_or_read_but_nothing_panics() {
        let whole = certificate();
        for end in 0..whole.len() {
            assert_eq!(Facts::read(&whole[..end]), None, "{end}");
        }
        for at in 0..whole.len() {
            for byte in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut altered = whole.clone();
                altered[at] = byte;
                drop(Facts::read(&altered));
            }
        }
    }
}
