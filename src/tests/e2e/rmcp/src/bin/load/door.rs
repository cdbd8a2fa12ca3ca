//! Where the load knocks: an address, and what is spoken there.

use std::io::{Error, Result};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

/// A connection below HTTP.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One address, what is spoken there, and the connection of HTTP/2 that its users share.
pub struct Door {
    address: String,
    tls: Option<TlsConnector>,
    /// None for HTTP/1.1.
    shared: Option<Mutex<Option<SendRequest<Bytes>>>>,
}

impl Door {
    /// TLS if there is an authority to believe.
    pub fn new(address: String, authority: Option<&Path>, http2: bool) -> Result<Self> {
        let tls = authority.map(|path| connector(path, http2)).transpose()?;
        let shared = http2.then(Mutex::default);
        Ok(Self {
            address,
            tls,
            shared,
        })
    }

    /// Whether HTTP/2 is spoken.
    pub fn is_http2(&self) -> bool {
        self.shared.is_some()
    }

    /// For the heads of HTTP/2.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// A new connection.
    pub async fn connect(&self) -> Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from("localhost").map_err(Error::other)?;
                Box::new(tls.connect(name, stream).await?)
            }
        })
    }

    /// A place on the shared connection of HTTP/2, which is made anew when it takes no more.
    pub async fn place(&self) -> Result<SendRequest<Bytes>> {
        let Some(shared) = &self.shared else {
            return Err(Error::other("HTTP/1.1 is spoken here"));
        };
        let mut shared = shared.lock().await;
        if let Some(sender) = shared.take()
            && let Ok(sender) = sender.ready().await
        {
            return Ok(shared.insert(sender).clone());
        }
        let handshake = h2::client::handshake(self.connect().await?);
        let (sender, connection) = handshake.await.map_err(Error::other)?;
        tokio::spawn(connection);
        let sender = sender.ready().await.map_err(Error::other)?;
        Ok(shared.insert(sender).clone())
    }
}

fn connector(authority: &Path, http2: bool) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(authority).map_err(Error::other)?;
    roots.add(authority).map_err(Error::other)?;
    let config = ClientConfig::builder().with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    let name: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![name.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
