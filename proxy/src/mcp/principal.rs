//! Who makes a request, as far as an MCP session is bound to somebody.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use serde::Deserialize;

use crate::settings::SessionBinding;

/// Who makes a request: a digest, so that it says nothing of the person.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Principal([u8; 32]);

impl Principal {
    /// The principal of a request; none if nothing in it binds (rule 3).
    pub fn of(binding: &SessionBinding, headers: &HeaderMap) -> Option<Self> {
        match binding {
            SessionBinding::Auto => {
                let mut credentials = headers.get_all(header::AUTHORIZATION).iter();
                let credential = credentials.next()?;
                // Two credentials are nobody's: the peer refuses them.
                if credentials.next().is_some() {
                    return None;
                }
                Self::of_token(bearer(credential.as_bytes())?)
            }
            SessionBinding::Header(name) => {
                let values: Vec<&[u8]> = headers
                    .get_all(name)
                    .iter()
                    .map(http::HeaderValue::as_bytes)
                    .collect();
                (!values.is_empty()).then(|| Self::digest(b"header", values.into_iter().map(Some)))
            }
            SessionBinding::None => None,
        }
    }

    /// The principal a JWT names: issuer, subject and client, never its bytes, which change when
    /// it is refreshed. Nothing is verified here; that is the peer's part, and a forged token
    /// that names the right principal still has to pass it. None for an opaque token.
    fn of_token(token: &[u8]) -> Option<Self> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        // RFC 7516 §3.1: five parts are encrypted, so opaque.
        if parts.next().is_some() || payload.len() > MAX_CLAIMS {
            return None;
        }
        let claims = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        let client = claims.client_id.or(claims.azp);
        // An issuer alone names everybody it knows.
        if claims.iss.is_none() || (claims.sub.is_none() && client.is_none()) {
            return None;
        }
        let parts = [&claims.iss, &claims.sub, &client];
        let parts = parts.map(|part| part.as_deref().map(str::as_bytes));
        Some(Self::digest(b"jwt", parts.into_iter()))
    }

    fn digest<'a>(kind: &[u8], parts: impl Iterator<Item = Option<&'a [u8]>>) -> Self {
        let mut context = Context::new(&SHA256);
        let mut put = |part: Option<&[u8]>| match part {
            // Lengths keep ("ab", "c") apart from ("a", "bc"); the marks keep "" apart from none.
            Some(part) => {
                context.update(&[1]);
                context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                context.update(part);
            }
            None => context.update(&[0]),
        };
        put(Some(kind));
        parts.for_each(put);
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The digest.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The digest would let a reader of logs follow one person.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal")
    }
}

/// The claims of a JWT that name who holds it (RFC 7519 §4.1, RFC 9068 §2.2, OIDC Core §2).
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    client_id: Option<String>,
    azp: Option<String>,
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme is case-insensitive.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then_some(token.trim_ascii())
}

/// The longest payload that is decoded, in Base64 characters. Access tokens stay far below: the
/// usual bound of a whole header section is 16 KiB.
const MAX_CLAIMS: usize = 8192;
