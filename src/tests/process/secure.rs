//! The certificate of the example, and requests over TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::program::PATIENCE;

/// The folder of the certificate that the example has.
pub(crate) fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/tls")
}

/// A server with the certificate of the example.
pub(crate) fn server() -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let key = PrivateKeyDer::from_pem_file(certificates().join("localhost-key.pem")).unwrap();
    Arc::new(builder.with_single_cert(vec![certificate()], key).unwrap())
}

/// A client that believes the certificate of the example.
pub(crate) fn client() -> Arc<ClientConfig> {
    believing(certificate())
}

/// A client that believes one certificate.
pub(crate) fn believing(certificate: CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(builder.with_no_client_auth())
}

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_file(certificates().join("localhost.pem")).unwrap()
}

/// A connection to `localhost` at an address. Nothing is sent before something is written.
pub(crate) fn connect(
    to: SocketAddr,
    client: &Arc<ClientConfig>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::clone(client), name).unwrap();
    StreamOwned::new(session, stream)
}

/// Sends a request and reads the whole answer. `headers` are lines that end with CR LF.
pub(crate) fn send(
    to: SocketAddr,
    client: &Arc<ClientConfig>,
    (method, path): (&str, &str),
    headers: &str,
    body: &str,
) -> String {
    let mut stream = connect(to, client);
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}",
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
