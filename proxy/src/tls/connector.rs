//! TLS towards the peers of a group.

use super::failure::HandshakeError;
use super::flaw::{Flaw, Flaws, Place};
use super::pem::Pem;
use super::provider::{provider, versions};
use super::unverified::Unverified;
use super::wire::{Alpn, Wire};
use crate::settings::GroupTls;
use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::Verifier;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// TLS towards the peers of a group; its sessions are resumed on every thread.
pub struct Connector {
    config: Arc<ClientConfig>,
    settings: GroupTls,
}

impl Connector {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// Every file that cannot be used; no authorities on this system.
    pub fn new(settings: GroupTls) -> Result<Arc<Self>, Flaws> {
        let mut flaws = Vec::new();
        let verifier = verifier(&settings).map_err(|flaw| flaws.push(flaw)).ok();
        let identity = settings.identity.as_ref().map(|pair| {
            let chain = pair.cert.chain(Place::Cert(0));
            let key = pair.key.key(Place::Key(0));
            (chain, key)
        });
        let identity = match identity {
            None => None,
            Some((Ok(chain), Ok(key))) => Some((chain, key)),
            Some((chain, key)) => {
                flaws.extend(chain.err());
                flaws.extend(key.err());
                None
            }
        };
        if let Some(name) = &settings.server_name
            && let Err(flaw) = server_name(name)
        {
            flaws.push(flaw);
        }
        let Some(verifier) = verifier.filter(|_| flaws.is_empty()) else {
            return Err(Flaws(flaws));
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(settings.min_version))
            .map_err(|_| Flaw::new(Place::Whole, "the version of TLS is not supported"))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|_| {
                let why = "the key does not belong to the first certificate";
                Flaw::new(Place::Key(0), why)
            })?,
        };
        Ok(Arc::new(Self {
            config: Arc::new(config),
            settings,
        }))
    }

    /// Every file that its settings name, for those who watch them.
    pub fn files(&self) -> Vec<std::path::PathBuf> {
        self.settings.files()
    }

    /// What it was made from.
    pub(crate) fn settings(&self) -> &GroupTls {
        &self.settings
    }

    /// What a peer at `host`, a name or an address, is connected to with. Its certificate must be
    /// for the name that the settings give, else for `host`.
    ///
    /// # Errors
    /// No certificate can be for such a name.
    pub fn dialer(&self, host: &str) -> Result<Dialer, Flaw> {
        let name = self.settings.server_name.as_deref().unwrap_or(host);
        Ok(Dialer {
            connector: TlsConnector::from(Arc::clone(&self.config)),
            name: server_name(name)?,
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.settings).finish()
    }
}

/// TLS towards one peer.
#[derive(Clone)]
pub struct Dialer {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Dialer {
    /// Speaks TLS on a new connection to the peer, and offers these protocols, the best first.
    /// Unbounded: the caller has a deadline.
    ///
    /// # Errors
    /// No handshake; nothing of a request was sent.
    pub async fn handshake<S>(&self, stream: S, offered: &[Alpn]) -> Result<Wire<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let offered = offered.iter().map(|alpn| alpn.name().to_vec()).collect();
        let connector = self.connector.with_alpn(offered);
        match connector.connect(self.name.clone(), stream).await {
            Ok(stream) => Ok(Wire::Tls(Box::new(stream.into()))),
            Err(error) => Err(HandshakeError::new(error)),
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialer").field(&self.name).finish()
    }
}

fn verifier(settings: &GroupTls) -> Result<Arc<dyn ServerCertVerifier>, Flaw> {
    if !settings.verify {
        return Ok(Arc::new(Unverified(provider())));
    }
    let Some(ca) = &settings.ca else {
        return Ok(system()?);
    };
    let roots = ca.roots(Place::Ca)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|_| unusable(ca))?;
    Ok(verifier)
}

/// The authorities of the system: read once for all groups that are there at a time, since they
/// take some 200 KiB.
fn system() -> Result<Arc<Verifier>, Flaw> {
    static SHARED: Mutex<Weak<Verifier>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(verifier) = shared.upgrade() {
        return Ok(verifier);
    }
    let verifier = Verifier::new(provider()).map_err(|_| {
        let why = "this system has no certificate authorities to verify peers by";
        Flaw::new(Place::Ca, why)
    })?;
    let verifier = Arc::new(verifier);
    *shared = Arc::downgrade(&verifier);
    Ok(verifier)
}

fn unusable(ca: &Pem) -> Flaw {
    let why = format!("`{}` holds no usable authority", ca.name());
    Flaw::new(Place::Ca, why)
}

fn server_name(name: &str) -> Result<ServerName<'static>, Flaw> {
    // The final dot of an absolute name is in no certificate (RFC 6066 §3).
    let plain = name.strip_suffix('.').unwrap_or(name).to_owned();
    ServerName::try_from(plain).map_err(|_| {
        let why = format!("no certificate can be for `{name}`");
        Flaw::new(Place::ServerName, why)
    })
}
