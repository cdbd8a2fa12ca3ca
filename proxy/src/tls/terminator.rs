//! TLS of a listener. Its files are read again when it is told to.

use super::by_name::ByName;
use super::certificate::Certificate;
use super::flaw::{Flaw, Flaws, Place};
use super::provider::{provider, versions};
use crate::settings::{ClientAuth, ListenerTls};
use arc_swap::ArcSwap;
use rustls::server::{ProducesTickets, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// TLS of a listener. A change is for handshakes to come; open connections keep what they have.
pub struct Terminator {
    settings: Mutex<ListenerTls>,
    current: ArcSwap<Loaded>,
}

/// What the files held when they were last read.
struct Loaded {
    config: Arc<ServerConfig>,
    certificates: Vec<Certificate>,
    /// The authorities of client certificates.
    authorities: Option<Arc<RootCertStore>>,
    forward: bool,
}

impl Terminator {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// Every file that cannot be used, and every key that does not belong to its certificate.
    pub fn new(settings: ListenerTls) -> Result<Arc<Self>, Flaws> {
        let loaded = Loaded::read(&settings)?;
        Ok(Arc::new(Self {
            settings: Mutex::new(settings),
            current: ArcSwap::from_pointee(loaded),
        }))
    }

    /// Reads the files again. Clients that were served before can resume their sessions, unless
    /// the authorities of client certificates have changed.
    ///
    /// # Errors
    /// As with [`Self::new`]; then nothing has changed.
    pub fn reload(&self) -> Result<(), Flaws> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = Loaded::read(&settings)?;
        self.replace(loaded);
        Ok(())
    }

    /// Takes over what a newer configuration says of the same listener, as [`Self::reload`] does.
    pub fn adopt(&self, newer: &Self) {
        let newer_settings = newer
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        *settings = newer_settings;
        let current = newer.current.load();
        self.replace(Loaded {
            config: Arc::clone(&current.config),
            certificates: current.certificates.clone(),
            authorities: current.authorities.clone(),
            forward: current.forward,
        });
    }

    /// The certificates it serves, in the order of the settings.
    pub fn certificates(&self) -> Vec<Certificate> {
        self.current.load().certificates.clone()
    }

    /// Every file that its settings name, for those who watch them.
    pub fn files(&self) -> Vec<std::path::PathBuf> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings.files()
    }

    /// What the next handshake goes by.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// Whether peers are told of client certificates.
    pub(crate) fn forwards(&self) -> bool {
        self.current.load().forward
    }

    fn replace(&self, mut loaded: Loaded) {
        let old = self.current.load();
        // A session that is resumed is not verified again.
        let same = match (&old.authorities, &loaded.authorities) {
            (None, None) => true,
            (Some(old), Some(new)) => old.roots == new.roots,
            _ => false,
        };
        if same {
            let mut config = ServerConfig::clone(&loaded.config);
            config.ticketer = Arc::clone(&old.config.ticketer);
            config.session_storage = Arc::clone(&old.config.session_storage);
            loaded.config = Arc::new(config);
        }
        self.current.store(Arc::new(loaded));
    }
}

impl fmt::Debug for Terminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminator")
            .field("certificates", &self.current.load().certificates)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    fn read(settings: &ListenerTls) -> Result<Self, Flaws> {
        let mut flaws = Vec::new();
        let mut pairs = Vec::new();
        for (number, pair) in settings.certs.iter().enumerate() {
            match Certificate::load(pair, number) {
                Ok(loaded) => pairs.push(loaded),
                Err(flaw) => flaws.push(flaw),
            }
        }
        if settings.certs.is_empty() {
            flaws.push(Flaw::new(Place::Whole, "there is no certificate"));
        }
        let ca = match &settings.client_auth {
            ClientAuth::None => None,
            ClientAuth::Optional(ca) | ClientAuth::Required(ca) => Some(ca),
        };
        let authorities = match ca.map(|ca| ca.roots(Place::ClientCa)).transpose() {
            Ok(authorities) => authorities,
            Err(flaw) => {
                flaws.push(flaw);
                None
            }
        };
        if !flaws.is_empty() {
            return Err(Flaws(flaws));
        }
        let config = config(settings, ByName::new(&pairs), authorities.clone())?;
        Ok(Self {
            config: Arc::new(config),
            certificates: pairs.into_iter().map(|(facts, _)| facts).collect(),
            authorities,
            forward: settings.forward_client_cert,
        })
    }
}

fn config(
    settings: &ListenerTls,
    by_name: ByName,
    authorities: Option<Arc<RootCertStore>>,
) -> Result<ServerConfig, Flaw> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(settings.min_version))
        .map_err(|_| Flaw::new(Place::Whole, "the version of TLS is not supported"))?;
    let builder = match authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider());
            if matches!(settings.client_auth, ClientAuth::Optional(_)) {
                verifier = verifier.allow_unauthenticated();
            }
            let verifier = verifier.build().map_err(|_| {
                let why = "the authorities of client certificates cannot be used";
                Flaw::new(Place::ClientCa, why)
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(by_name));
    let served = settings.alpn.iter();
    config.alpn_protocols = served.map(|alpn| alpn.name().to_vec()).collect();
    // Its keys change every six hours; early data stays off, since it can be played twice
    // (RFC 8446 §8).
    config.ticketer = ticketer()?;
    Ok(config)
}

fn ticketer() -> Result<Arc<dyn ProducesTickets>, Flaw> {
    rustls::crypto::aws_lc_rs::Ticketer::new()
        .map_err(|_| Flaw::new(Place::Whole, "the system gives no random numbers"))
}
