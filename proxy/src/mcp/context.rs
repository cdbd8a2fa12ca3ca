//! For whom an answer was made.

use std::fmt;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use http::{HeaderMap, header};

use super::Principal;

/// For whom an answer was made: two requests of one context may be told the same.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Context([u8; 16]);

impl Context {
    /// Whoever shows no credential; the prober too.
    pub const ANONYMOUS: Self = Self([0; 16]);

    /// The context of a request: its principal if it has one, else the very bytes of its
    /// credentials, since what they stand for is not known.
    pub fn of(principal: Option<&Principal>, headers: &HeaderMap) -> Self {
        if let Some(principal) = principal {
            return Self::digest(b"principal", [principal.as_bytes().as_slice()].into_iter());
        }
        let credentials = [header::AUTHORIZATION, header::COOKIE];
        let mut values = credentials
            .iter()
            .flat_map(|name| headers.get_all(name))
            .map(http::HeaderValue::as_bytes)
            .peekable();
        if values.peek().is_none() {
            return Self::ANONYMOUS;
        }
        Self::digest(b"credentials", values)
    }

    fn digest<'a>(kind: &[u8], parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut digest = Digest::new(&SHA256);
        digest.update(kind);
        for part in parts {
            // Lengths keep ("ab", "c") apart from ("a", "bc").
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            digest.update(&length.to_be_bytes());
            digest.update(part);
        }
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(digest.finish().as_ref()) {
            *to = *from;
        }
        Self(short)
    }
}

/// The digest would let a reader of logs follow one person.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(fields: &[(header::HeaderName, &str)]) -> Context {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        Context::of(None, &headers)
    }

    #[test]
    fn other_credentials_are_another_context() {
        let one = of(&[(header::AUTHORIZATION, "Bearer one")]);
        let two = of(&[(header::AUTHORIZATION, "Bearer two")]);
        let cookie = of(&[(header::COOKIE, "Bearer one")]);
        let both = of(&[(header::AUTHORIZATION, "Bearer one"), (header::COOKIE, "x")]);
        let all = [Context::ANONYMOUS, one, two, both];
        for (at, context) in all.iter().enumerate() {
            assert!(
                all.iter().skip(at + 1).all(|other| other != context),
                "{at}"
            );
        }
        assert_eq!(one, of(&[(header::AUTHORIZATION, "Bearer one")]));
        assert_eq!(of(&[(header::HOST, "h")]), Context::ANONYMOUS);
        assert!(cookie != Context::ANONYMOUS);
    }
}
