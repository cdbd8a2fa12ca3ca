//! Certificates and keys as text (RFC 7468), from files or from memory.

use super::flaw::{Flaw, Place};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

/// Where a certificate, a key or a list of authorities is.
#[derive(Clone, Eq, PartialEq)]
pub enum Pem {
    /// In a file, which is read anew on a reload.
    File(PathBuf),
    /// In memory.
    Text(Arc<str>),
}

/// A certificate chain and the key of its first certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPair {
    /// The chain: the server's or client's own certificate first.
    pub cert: Pem,
    /// The private key, unencrypted.
    pub key: Pem,
}

impl Pem {
    /// What messages and metrics call it: the path, or `memory`.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "memory".to_owned(),
        }
    }

    /// The certificates in it.
    pub(super) fn chain(&self, place: Place) -> Result<Vec<CertificateDer<'static>>, Flaw> {
        let text = self.read(place)?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let why = match certificates {
            Ok(certificates) if !certificates.is_empty() => return Ok(certificates),
            Ok(_) => "holds no certificate in PEM",
            Err(_) => "is no sound PEM",
        };
        Err(Flaw::new(place, format!("`{}` {why}", self.name())))
    }

    /// The key in it. Messages are ours: those of the parser quote lines.
    pub(super) fn key(&self, place: Place) -> Result<PrivateKeyDer<'static>, Flaw> {
        let text = self.read(place)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
            let encrypted = text
                .windows(ENCRYPTED.len())
                .any(|window| window == ENCRYPTED);
            let why = if encrypted {
                "is encrypted: a key without a passphrase is needed"
            } else {
                "holds no private key in PEM"
            };
            Flaw::new(place, format!("`{}` {why}", self.name()))
        })
    }

    /// The authorities in it.
    pub(super) fn roots(&self, place: Place) -> Result<Arc<RootCertStore>, Flaw> {
        let mut roots = RootCertStore::empty();
        for certificate in self.chain(place)? {
            roots.add(certificate).map_err(|_| {
                let name = self.name();
                Flaw::new(
                    place,
                    format!("`{name}` holds a certificate that is not sound"),
                )
            })?;
        }
        Ok(Arc::new(roots))
    }

    fn read(&self, place: Place) -> Result<Vec<u8>, Flaw> {
        let path = match self {
            Self::File(path) => path,
            Self::Text(text) => return Ok(text.as_bytes().to_vec()),
        };
        let read = || {
            // Opening a pipe would wait for its other end.
            if !std::fs::metadata(path)?.is_file() {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            let mut bytes = Vec::new();
            let file = std::fs::File::open(path)?;
            file.take(LARGEST + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let name = self.name();
        match read() {
            Ok(bytes) if bytes.len() as u64 > LARGEST => {
                let why = format!("`{name}` is larger than 1 MiB");
                Err(Flaw::new(place, why))
            }
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                let error = match error.kind() {
                    io::ErrorKind::InvalidInput => "it is not a file".to_owned(),
                    io::ErrorKind::NotFound => "there is no such file".to_owned(),
                    other => other.to_string(),
                };
                let why = format!("`{name}` cannot be read: {error}");
                Err(Flaw::new(place, why))
            }
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// All authorities of the world are a quarter of it.
const LARGEST: u64 = 1024 * 1024;
/// RFC 7468 §11, and the older form of OpenSSL.
const ENCRYPTED: &[u8] = b"ENCRYPTED";
