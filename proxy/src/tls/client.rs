//! What is known of a client from its handshake.

use super::wire::{Alpn, Wire};
use super::x509::{Facts, hex};
use crate::settings::TlsVersion;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio_rustls::TlsStream;

/// What is known of a client from its handshake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientTls {
    /// The version in use.
    pub version: TlsVersion,
    /// The name the client asked for (SNI), lower case.
    pub server_name: Option<String>,
    /// The protocol that was settled on.
    pub alpn: Option<Alpn>,
    /// The client presented this certificate, and it was verified.
    pub certificate: Option<ClientCertificate>,
}

/// The verified certificate of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientCertificate {
    /// As RFC 4514 writes it, `CN=a,O=b`.
    pub subject: String,
    /// Its subject alternative names with their kind, as in `URI:spiffe://a/b` or `DNS:a.example`.
    pub names: Vec<String>,
    /// SHA-256 of the whole certificate, in hexadecimal.
    pub fingerprint: String,
    /// The last second in which it is valid, since 1970.
    pub not_after: i64,
    /// The certificate itself, DER.
    pub der: Vec<u8>,
}

impl ClientTls {
    /// What the handshake of a client came to; none without TLS.
    pub(crate) fn of<S>(wire: &Wire<S>) -> Option<Self> {
        let Wire::Tls(stream) = wire else {
            return None;
        };
        let TlsStream::Server(stream) = &**stream else {
            return None;
        };
        let session = stream.get_ref().1;
        let version = match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => TlsVersion::V1_2,
            _ => TlsVersion::V1_3,
        };
        let presented = session.peer_certificates().and_then(<[_]>::first);
        Some(Self {
            version,
            server_name: session.server_name().map(str::to_ascii_lowercase),
            alpn: wire.negotiated(),
            certificate: presented.map(|der| ClientCertificate::of(der)),
        })
    }
}

impl ClientCertificate {
    fn of(der: &[u8]) -> Self {
        // rustls has verified it, so it is sound.
        let facts = Facts::read(der).unwrap_or_default();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
        Self {
            subject: facts.subject,
            names: facts.names,
            fingerprint: hex(digest.as_ref()),
            not_after: facts.not_after,
            der: der.to_vec(),
        }
    }

    /// The value of `Client-Cert`: an RFC 8941 byte sequence (RFC 9440 §2.1).
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let value = format!(":{}:", STANDARD.encode(&self.der));
        HeaderValue::from_str(&value).ok()
    }
}
