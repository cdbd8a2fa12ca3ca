//! Certificates made up in memory, and clients that speak TLS.

use super::client::{CLIENT, Client};
use super::wire::Wire;
use super::world::World;
use proxy::memory::MemoryStream;
use proxy::network::Network as _;
use proxy::tls::{self, Pem};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::io;
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// An authority that certifies whatever a test asks for.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of a test");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> Pem {
        Pem::Text(self.pem.as_str().into())
    }

    /// A certificate for these names, whose first is its subject too.
    pub(crate) fn issue(&self, names: &[&str]) -> tls::KeyPair {
        self.issue_until(names, 2096)
    }

    /// One that expires at the beginning of a year.
    pub(crate) fn issue_until(&self, names: &[&str], year: i32) -> tls::KeyPair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let subject = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, subject);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        tls::KeyPair {
            cert: Pem::Text(certificate.pem().into()),
            key: Pem::Text(key.serialize_pem().into()),
        }
    }

    /// Peers with this certificate; those who connect need one of `clients`, if it is given.
    pub(crate) fn acceptor(&self, pair: &tls::KeyPair, clients: bool) -> TlsAcceptor {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if clients {
            let roots = Arc::new(self.roots());
            let provider = Arc::new(default_provider());
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let (chain, key) = parts(pair);
        Arc::new(builder.with_single_cert(chain, key).unwrap()).into()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }
}

fn parts(pair: &tls::KeyPair) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let text = |pem: &Pem| match pem {
        Pem::Text(text) => text.as_bytes().to_vec(),
        Pem::File(path) => std::fs::read(path).unwrap(),
    };
    let chain = CertificateDer::pem_slice_iter(&text(&pair.cert))
        .collect::<Result<_, _>>()
        .unwrap();
    (
        chain,
        PrivateKeyDer::from_pem_slice(&text(&pair.key)).unwrap(),
    )
}

/// How a client speaks TLS. Connections of one dial resume each other's sessions.
#[derive(Clone)]
pub(crate) struct Dial {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Dial {
    /// A client that asks for a name and believes an authority.
    pub(crate) fn new(authority: &Authority, name: &str) -> Self {
        Self::with(authority, name, rustls::ALL_VERSIONS, None)
    }

    /// One with versions and a certificate of its own.
    pub(crate) fn with(
        authority: &Authority,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&tls::KeyPair>,
    ) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(authority.roots());
        let config = match identity.map(parts) {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        };
        Self {
            config: Arc::new(config),
            name: ServerName::try_from(name.to_owned()).unwrap(),
        }
    }

    /// The same that offers protocols.
    pub(crate) fn offering(mut self, protocols: &[&str]) -> Self {
        let config = Arc::make_mut(&mut self.config);
        let protocols = protocols.iter();
        config.alpn_protocols = protocols.map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// Connects to the proxy and shakes hands.
    pub(crate) async fn connect(&self, world: &World) -> io::Result<Client> {
        let network = world.network.seen_from(CLIENT);
        let stream = network.connect(world.address).await.unwrap();
        self.over(stream).await
    }

    /// Shakes hands on a connection.
    pub(crate) async fn over(&self, stream: MemoryStream) -> io::Result<Client> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.name.clone(), stream).await?;
        let stream = tls::Wire::Tls(Box::new(stream.into()));
        Ok(Client {
            wire: Wire::new(stream),
        })
    }
}

impl Client {
    /// The name that the certificate of the server begins with, and how hands were shaken.
    pub(crate) fn handshake(&self) -> (String, HandshakeKind, rustls::ProtocolVersion) {
        let tls::Wire::Tls(stream) = &self.wire.stream else {
            panic!("no TLS");
        };
        let TlsStream::Client(stream) = &**stream else {
            panic!("no client");
        };
        let session = stream.get_ref().1;
        let certificate = &session.peer_certificates().unwrap()[0];
        // The subject is the first name that the authority was given.
        let text = String::from_utf8_lossy(certificate).into_owned();
        let name = NAMES.iter().rev().find(|name| text.contains(**name));
        (
            name.map_or(String::new(), |name| (*name).to_owned()),
            session.handshake_kind().unwrap(),
            session.protocol_version().unwrap(),
        )
    }
}

/// What tests call their servers; a name that contains another comes after it.
const NAMES: [&str; 4] = ["example", "a.example", "*.b.example", "first.example"];
