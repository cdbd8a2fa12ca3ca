//! TLS towards clients and towards peers.

use crate::tls::{Alpn, KeyPair, Pem};
use std::path::PathBuf;

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum TlsVersion {
    /// 1.2 (RFC 5246).
    #[default]
    V1_2,
    /// 1.3 (RFC 8446).
    V1_3,
}

/// TLS of a listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenerTls {
    /// At least one. A client gets the one for the name it asks for, else the first.
    pub certs: Vec<KeyPair>,
    /// Clients that speak no such version are refused.
    pub min_version: TlsVersion,
    /// Whether clients present certificates.
    pub client_auth: ClientAuth,
    /// What is offered, the best first.
    pub alpn: Vec<Alpn>,
    /// Peers are told of client certificates, in `Client-Cert` (RFC 9440).
    pub forward_client_cert: bool,
}

impl ListenerTls {
    /// TLS with the defaults.
    pub fn new(certs: Vec<KeyPair>) -> Self {
        Self {
            certs,
            min_version: TlsVersion::default(),
            client_auth: ClientAuth::default(),
            alpn: Alpn::SERVED.to_vec(),
            forward_client_cert: false,
        }
    }

    /// Every file it names.
    pub fn files(&self) -> Vec<PathBuf> {
        let pairs = self.certs.iter().flat_map(|pair| [&pair.cert, &pair.key]);
        let ca = match &self.client_auth {
            ClientAuth::None => None,
            ClientAuth::Optional(ca) | ClientAuth::Required(ca) => Some(ca),
        };
        files(pairs.chain(ca))
    }
}

/// Whether clients present certificates.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They are asked; a certificate must be of one of these authorities, but none will do.
    Optional(Pem),
    /// Only those with a certificate of one of these authorities are served.
    Required(Pem),
}

/// TLS towards the peers of a group whose URL is `https:`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupTls {
    /// Whether the certificates of the peers are verified.
    pub verify: bool,
    /// The authorities they are verified by; none: the system's.
    pub ca: Option<Pem>,
    /// The name that the peers are asked for and verified by; none: the host of each one's URL.
    pub server_name: Option<String>,
    /// The certificate that peers see.
    pub identity: Option<KeyPair>,
    /// Peers that speak no such version are refused.
    pub min_version: TlsVersion,
}

impl Default for GroupTls {
    fn default() -> Self {
        Self {
            verify: true,
            ca: None,
            server_name: None,
            identity: None,
            min_version: TlsVersion::default(),
        }
    }
}

impl GroupTls {
    /// Every file it names.
    pub fn files(&self) -> Vec<PathBuf> {
        let pair = self.identity.iter();
        let pair = pair.flat_map(|pair| [&pair.cert, &pair.key]);
        files(pair.chain(&self.ca))
    }
}

fn files<'a>(pems: impl Iterator<Item = &'a Pem>) -> Vec<PathBuf> {
    pems.filter_map(|pem| match pem {
        Pem::File(path) => Some(path.clone()),
        Pem::Text(_) => None,
    })
    .collect()
}
