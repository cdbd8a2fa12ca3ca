//! Why a handshake failed.

use std::error::Error;
use std::fmt;
use std::io;

/// A handshake that failed.
#[derive(Debug)]
pub struct HandshakeError {
    /// In one word.
    pub failure: HandshakeFailure,
    source: io::Error,
}

/// Why a handshake failed, as RFC 9209 §2.3 tells it apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HandshakeFailure {
    /// The other side said why it breaks off.
    Alert,
    /// The other side's certificate is not accepted.
    Certificate,
    /// The connection ended.
    Connection,
    /// Anything else: no common version, no TLS at all.
    Protocol,
}

impl HandshakeError {
    pub(crate) fn new(source: io::Error) -> Self {
        let inner = source.get_ref();
        let failure = match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            None => HandshakeFailure::Connection,
            Some(rustls::Error::AlertReceived(_)) => HandshakeFailure::Alert,
            Some(
                rustls::Error::InvalidCertificate(_)
                | rustls::Error::NoCertificatesPresented
                | rustls::Error::UnsupportedNameType,
            ) => HandshakeFailure::Certificate,
            Some(_) => HandshakeFailure::Protocol,
        };
        Self { failure, source }
    }
}

impl HandshakeError {
    /// What rustls or the system said.
    pub(crate) fn reason(&self) -> String {
        self.source.to_string()
    }
}

impl HandshakeFailure {
    /// The error type of `Proxy-Status` (RFC 9209 §2.3).
    pub const fn token(self) -> &'static str {
        match self {
            Self::Alert => "tls_alert_received",
            Self::Certificate => "tls_certificate_error",
            Self::Connection | Self::Protocol => "tls_protocol_error",
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the TLS handshake failed")
    }
}

impl Error for HandshakeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
