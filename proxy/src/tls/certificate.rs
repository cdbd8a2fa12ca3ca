//! A certificate chain with its key, and what is known of it.

use super::flaw::{Flaw, Place};
use super::pem::KeyPair;
use super::provider::provider;
use super::x509::{Facts, date};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use std::sync::Arc;

/// A certificate that is served, as an operator asks for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// Where it came from: the path of its file, or `memory`.
    pub source: String,
    /// The names and addresses it is for, lower case (`*.example.com` for any label).
    pub names: Vec<String>,
    /// From when on it is valid, in seconds since 1970.
    pub not_before: i64,
    /// The last second in which it is valid, since 1970.
    pub not_after: i64,
}

impl Certificate {
    /// The day from which on it is valid, as in `2026-11-21` (UTC).
    pub fn begins_on(&self) -> String {
        date(self.not_before)
    }

    /// The day on which it expires, as in `2026-11-21` (UTC).
    pub fn expires_on(&self) -> String {
        date(self.not_after)
    }

    /// Reads a pair, and sees that its parts belong together.
    pub(super) fn load(pair: &KeyPair, number: usize) -> Result<(Self, Arc<CertifiedKey>), Flaw> {
        let (cert, key) = (Place::Cert(number), Place::Key(number));
        let chain = pair.cert.chain(cert)?;
        let private = pair.key.key(key)?;
        let name = pair.cert.name();
        let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
        let facts = Facts::read(first).ok_or_else(|| {
            let why = format!("`{name}` begins with a certificate that is not sound");
            Flaw::new(cert, why)
        })?;
        let certified = CertifiedKey::from_der(chain, private, &provider()).map_err(|error| {
            let why = match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    format!("the key does not belong to the first certificate in `{name}`")
                }
                _ => format!(
                    "`{}` holds a key of a kind that cannot sign",
                    pair.key.name()
                ),
            };
            Flaw::new(key, why)
        })?;
        let certificate = Self {
            source: name,
            names: facts.hosts,
            not_before: facts.not_before,
            not_after: facts.not_after,
        };
        Ok((certificate, Arc::new(certified)))
    }
}
