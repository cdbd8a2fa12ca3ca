//! Which certificate a client gets: by the exact name it asks for, then a wildcard's, then the
//! first.

use super::certificate::Certificate;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The certificates of a listener by their names.
#[derive(Debug)]
pub(super) struct ByName {
    /// In the order of the file. A name may have one for each kind of key.
    all: Vec<Arc<CertifiedKey>>,
    exact: BTreeMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows `*.`.
    wildcard: BTreeMap<String, Vec<Arc<CertifiedKey>>>,
}

impl ByName {
    pub(super) fn new(certificates: &[(Certificate, Arc<CertifiedKey>)]) -> Self {
        let mut by_name = Self {
            all: Vec::new(),
            exact: BTreeMap::new(),
            wildcard: BTreeMap::new(),
        };
        for (certificate, key) in certificates {
            by_name.all.push(Arc::clone(key));
            for name in &certificate.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut by_name.wildcard, rest),
                    None => (&mut by_name.exact, name.as_str()),
                };
                map.entry(name.to_owned())
                    .or_default()
                    .push(Arc::clone(key));
            }
        }
        by_name
    }

    /// The candidates for a name, the best first.
    fn named(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        // A wildcard stands for one label (RFC 9525 §6.3).
        self.exact.get(name).or_else(|| {
            let (_, rest) = name.split_once('.')?;
            self.wildcard.get(rest)
        })
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello
            .server_name()
            .and_then(|name| self.named(&name.to_ascii_lowercase()));
        let candidates = named.unwrap_or(&self.all);
        // Of an RSA and an ECDSA certificate, the one the client can verify.
        let schemes = hello.signature_schemes();
        let fitting = candidates
            .iter()
            .find(|candidate| candidate.key.choose_scheme(schemes).is_some());
        fitting.or_else(|| candidates.first()).cloned()
    }
}
