//! A group as the mechanism sees it: its decisions, its peers' addresses, its counters.

use crate::known::{Discovered, Known, Serving, Tools};
use crate::metrics::{GroupMetrics, PeerMetrics};
use crate::settings::{Credential, GroupSettings, GroupTls, PeerUrl, Scheme};
use crate::tls::{Connector, Dialer, Flaws, HandshakeError};
use http::HeaderValue;
use lb::PeerIndex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A named set of interchangeable peers.
#[derive(Debug)]
pub struct Group {
    /// What it was built from.
    pub settings: GroupSettings,
    /// The decisions.
    pub lb: Arc<lb::Group>,
    /// In the order of the settings, as [`PeerIndex`] counts.
    pub peers: Box<[Peer]>,
    /// What is counted for the group as a whole.
    pub metrics: GroupMetrics,
    /// Which peers serve which era of MCP.
    pub(crate) serving: Serving,
    /// Which tools may run twice.
    pub(crate) tools: Tools,
    /// The last good answers to `server/discover`.
    pub(crate) discovered: Mutex<Discovered>,
}

/// One upstream endpoint.
#[derive(Debug)]
pub struct Peer {
    /// Where it is.
    pub url: PeerUrl,
    /// The `Host` its URL implies.
    pub authority: HeaderValue,
    /// What it knows us by.
    pub credential: Option<Credential>,
    /// What is counted for it.
    pub metrics: PeerMetrics,
    /// TLS, if its URL is `https:`.
    pub(crate) tls: Option<Dialer>,
    /// Its place in the connection pools of each thread; unique in the process.
    pub(crate) number: usize,
    /// What is known of it as an MCP server.
    pub known: Arc<Known>,
    /// Leave to make an MCP session anew here, so that not all of a lost peer's come at once.
    pub(crate) migrations: tokio::sync::Semaphore,
    /// A request failed on it; the prober looks at once.
    suspect: AtomicBool,
    /// Its last TLS handshake failed, which was said.
    tls_failed: AtomicBool,
}

impl Group {
    /// Builds a group.
    ///
    /// # Errors
    /// What `lb` refuses: no peers, two of one name, a threshold of zero; or a URL whose
    /// authority cannot be a `Host`.
    pub fn new(settings: GroupSettings) -> Result<Arc<Self>, GroupError> {
        let specs = settings
            .peers
            .iter()
            .map(|peer| peer.peer.clone())
            .collect();
        let lb = lb::Group::new(settings.name.clone(), specs, settings.policy.clone())
            .map_err(GroupError::Policy)?;
        let tls = connector(&settings).map_err(GroupError::Tls)?;
        let peers = settings.peers.iter().map(|peer| {
            let credential = peer.credential.as_ref().or(settings.credential.as_ref());
            Peer::new(peer.url.clone(), credential.cloned(), tls.as_deref())
        });
        let peers = peers.collect::<Result<Box<[Peer]>, _>>()?;
        let known: Box<[Arc<Known>]> = peers.iter().map(|peer| Arc::clone(&peer.known)).collect();
        let serving = Serving::new(known.clone());
        let tools = Tools::new(known);
        Ok(Arc::new(Self {
            serving,
            tools,
            discovered: Mutex::default(),
            settings,
            lb,
            peers,
            metrics: GroupMetrics::default(),
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The peer at `index`.
    ///
    /// # Panics
    /// Never for an index that this group's own `lb` gave out.
    pub fn peer(&self, index: PeerIndex) -> &Peer {
        &self.peers[usize::from(index.0)]
    }

    /// The name of the peer at `index`.
    pub fn peer_name(&self, index: PeerIndex) -> &str {
        &self.lb.peers()[usize::from(index.0)].name
    }

    /// A TLS handshake with a peer failed: said once, until one succeeds.
    pub(crate) fn report_tls(&self, index: PeerIndex, error: &HandshakeError) {
        if !self.peer(index).tls_failed.swap(true, Ordering::Relaxed) {
            let (group, peer) = (self.name(), self.peer_name(index));
            let error = error.reason();
            tracing::warn!(group, peer, error, "upstream_tls_failed");
        }
    }

    /// The peer called `name`.
    pub fn find(&self, name: &str) -> Option<PeerIndex> {
        let position = self.lb.peers().iter().position(|peer| peer.name == name)?;
        u16::try_from(position).ok().map(PeerIndex)
    }
}

impl Peer {
    fn new(
        url: PeerUrl,
        credential: Option<Credential>,
        tls: Option<&Connector>,
    ) -> Result<Self, GroupError> {
        let authority = HeaderValue::from_str(&url.authority)
            .map_err(|_| GroupError::Authority(url.authority.clone()))?;
        let tls = tls
            .filter(|_| url.scheme == Scheme::Https)
            .map(|tls| tls.dialer(&url.host))
            .transpose()
            .map_err(|flaw| GroupError::Tls(flaw.into()))?;
        Ok(Self {
            tls,
            url,
            authority,
            credential,
            metrics: PeerMetrics::default(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            known: Arc::default(),
            migrations: tokio::sync::Semaphore::new(MIGRATIONS),
            suspect: AtomicBool::new(false),
            tls_failed: AtomicBool::new(false),
        })
    }

    /// A TLS handshake with it succeeded.
    pub(crate) fn tls_succeeded(&self) {
        if self.tls_failed.load(Ordering::Relaxed) {
            self.tls_failed.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn suspect(&self) {
        self.suspect.store(true, Ordering::Relaxed);
    }

    pub(crate) fn take_suspicion(&self) -> bool {
        self.suspect.load(Ordering::Relaxed) && self.suspect.swap(false, Ordering::Relaxed)
    }
}

/// TLS for the peers that want it.
fn connector(settings: &GroupSettings) -> Result<Option<Arc<Connector>>, Flaws> {
    let wanted = |peer: &crate::settings::PeerSettings| peer.url.scheme == Scheme::Https;
    match &settings.tls {
        Some(tls) => Ok(Some(Arc::clone(tls))),
        None if settings.peers.iter().any(wanted) => Connector::new(GroupTls::default()).map(Some),
        None => Ok(None),
    }
}

/// MCP sessions made anew at one peer at the same time, at most (rule 8).
const MIGRATIONS: usize = 32;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Why a group cannot be built.
#[derive(Debug)]
pub enum GroupError {
    /// The authority of a URL cannot be a `Host`.
    Authority(String),
    /// `lb` refuses the policy or the peers.
    Policy(lb::GroupError),
    /// There can be no TLS with its peers.
    Tls(Flaws),
}

impl std::fmt::Display for GroupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Authority(authority) => write!(f, "`{authority}` cannot be a Host header"),
            Self::Policy(_) => f.write_str("the group's policy is not sound"),
            Self::Tls(_) => f.write_str("there can be no TLS with the group's peers"),
        }
    }
}

impl std::error::Error for GroupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Authority(_) => None,
            Self::Policy(error) => Some(error),
            Self::Tls(flaws) => Some(flaws),
        }
    }
}
