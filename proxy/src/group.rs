//! A group as the mechanism sees it: its decisions, its peers' addresses, its counters.

use crate::drain::{Drain, Step};
use crate::known::{Discovered, Known, Owners, Serving, Tools};
use crate::metrics::{GroupMetrics, PeerMetrics};
use crate::names::Places;
use crate::settings::{
    Credential, GroupSettings, GroupTls, HttpVersion, PeerSettings, PeerUrl, Scheme,
};
use crate::tls::{Connector, Dialer, Flaws, HandshakeError};
use http::HeaderValue;
use lb::{PeerIndex, Time};
use std::net::{IpAddr, SocketAddr};
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
    /// What is counted for the group as a whole; a reload counts on.
    pub metrics: Arc<GroupMetrics>,
    /// Which peers serve which era of MCP.
    pub(crate) serving: Serving,
    /// Which tools may run twice.
    pub(crate) tools: Tools,
    /// The last good answers to `server/discover`.
    pub(crate) discovered: Arc<Mutex<Discovered>>,
    /// Which peer has which task.
    pub(crate) owners: Arc<Mutex<Owners>>,
}

/// One upstream endpoint.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it is.
    pub url: PeerUrl,
    /// The `Host` its URL implies.
    pub authority: HeaderValue,
    /// What it knows us by.
    pub credential: Option<Credential>,
    /// What is counted for it; a reload counts on.
    pub metrics: Arc<PeerMetrics>,
    /// TLS, if its URL is `https:`.
    pub(crate) tls: Option<Dialer>,
    /// Which HTTP it is spoken to with.
    pub(crate) http_version: HttpVersion,
    /// Its place in the connection pools of each thread; unique in the process. A peer that a
    /// reload keeps keeps it.
    pub(crate) number: usize,
    /// What is known of it as an MCP server.
    pub known: Arc<Known>,
    /// Leave to make an MCP session anew here, so that not all of a lost peer's come at once.
    pub(crate) migrations: Arc<tokio::sync::Semaphore>,
    most_migrations: usize,
    /// How far it is with leaving.
    pub(crate) drain: Arc<Drain>,
    /// Its addresses.
    pub(crate) places: Arc<Places>,
    signs: Arc<Signs>,
}

/// What was seen of a peer.
#[derive(Debug, Default)]
struct Signs {
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
        let (name, policy) = (settings.name.clone(), settings.policy.clone());
        let lb = lb::Group::new(name, specs(&settings), policy).map_err(GroupError::Policy)?;
        let tls = connector(&settings).map_err(GroupError::Tls)?;
        let made = |peer| Peer::new(peer, &settings, tls.as_deref());
        let peers = settings.peers.iter().map(made);
        let peers = peers.collect::<Result<Box<[Peer]>, _>>()?;
        let known = known(&peers);
        let serving = Serving::new(known.clone());
        let tools = Tools::new(known, settings.mcp_limits);
        Ok(Arc::new(Self {
            serving,
            tools,
            discovered: Arc::default(),
            owners: Arc::default(),
            settings,
            lb,
            peers,
            metrics: Arc::default(),
        }))
    }

    /// Builds the group that a reload puts in the place of this one. A peer of the same name and
    /// URL is the same peer: its connections, counters and requests in flight go on;
    /// [`lb::Group::inherit`] takes over its health and its breaker when the time has come.
    /// `leaving` are peers that left this group before, and may be back.
    ///
    /// # Errors
    /// As [`Group::new`].
    pub(crate) fn succeeded(
        &self,
        settings: GroupSettings,
        leaving: &[Departed],
    ) -> Result<Arc<Self>, GroupError> {
        // A connection that was verified in another way is not another's to use.
        let verified = |settings: &GroupSettings| {
            let tls = settings.tls.as_deref();
            tls.map(|tls| tls.settings().clone())
        };
        let now = verified(&settings);
        let same = |peer: &PeerSettings, group: &Self, was: PeerIndex| {
            group.peer(was).url == peer.url && verified(&group.settings) == now
        };
        let find = |peer: &PeerSettings| {
            let was = self.find(&peer.peer.name);
            was.filter(|was| same(peer, self, *was))
        };
        let was: Vec<Option<PeerIndex>> = settings.peers.iter().map(find).collect();
        let tls = connector(&settings).map_err(GroupError::Tls)?;
        let back = settings.peers.iter().map(|peer| {
            leaving.iter().find(|left| {
                left.is(&settings.name, &peer.peer.name) && same(peer, &left.group, left.peer)
            })
        });
        let back: Vec<Option<&Departed>> = back.collect();
        let befores = was.iter().zip(&back);
        let peers = settings
            .peers
            .iter()
            .zip(befores)
            .map(|(peer, (was, left))| {
                let new = Peer::new(peer, &settings, tls.as_deref())?;
                let before = was.map(|was| self.peer(was));
                let before = before.or_else(|| left.map(|left| left.group.peer(left.peer)));
                Ok(match before {
                    Some(before) => new.following(before),
                    None => new,
                })
            });
        let peers = peers.collect::<Result<Box<[Peer]>, GroupError>>()?;
        let (name, policy) = (settings.name.clone(), settings.policy.clone());
        let back = back.into_iter();
        let back: Vec<_> = back
            .map(|left| left.map(|left| (Arc::clone(&left.group.lb), left.peer)))
            .collect();
        let lb = self
            .lb
            .succeeded(name, specs(&settings), policy, was, &back);
        let known = known(&peers);
        Ok(Arc::new(Self {
            lb: lb.map_err(GroupError::Policy)?,
            serving: Serving::new(known.clone()),
            tools: Tools::new(known, settings.mcp_limits),
            discovered: Arc::clone(&self.discovered),
            owners: Arc::clone(&self.owners),
            peers,
            metrics: Arc::clone(&self.metrics),
            settings,
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
        if !self
            .peer(index)
            .signs
            .tls_failed
            .swap(true, Ordering::Relaxed)
        {
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

fn known(peers: &[Peer]) -> Box<[Arc<Known>]> {
    peers.iter().map(|peer| Arc::clone(&peer.known)).collect()
}

fn specs(settings: &GroupSettings) -> Vec<lb::Peer> {
    let peers = settings.peers.iter();
    peers.map(|peer| peer.peer.clone()).collect()
}

/// A peer that is gone from the configuration, and still finishes what it has.
#[derive(Clone, Debug)]
pub struct Departed {
    /// The group as it was.
    pub group: Arc<Group>,
    /// Which of its peers.
    pub peer: PeerIndex,
}

impl Departed {
    /// Whether it still serves what is pinned to it.
    pub fn is_draining(&self) -> bool {
        self.group.peer(self.peer).drain.step() < Step::Over
    }

    /// The peer as it is now.
    pub fn view(&self, now: Time) -> Option<lb::PeerView> {
        let mut peers = self.group.lb.view(now).peers;
        let index = usize::from(self.peer.0);
        (index < peers.len()).then(|| peers.swap_remove(index))
    }

    fn is(&self, group: &str, name: &str) -> bool {
        self.is_draining() && self.group.name() == group && self.group.peer_name(self.peer) == name
    }
}

impl Peer {
    fn new(
        settings: &PeerSettings,
        group: &GroupSettings,
        tls: Option<&Connector>,
    ) -> Result<Self, GroupError> {
        let url = &settings.url;
        let credential = settings.credential.as_ref().or(group.credential.as_ref());
        let authority = HeaderValue::from_str(&url.authority)
            .map_err(|_| GroupError::Authority(url.authority.clone()))?;
        let tls = tls
            .filter(|_| url.scheme == Scheme::Https)
            .map(|tls| tls.dialer(url.server_name()))
            .transpose()
            .map_err(|flaw| GroupError::Tls(flaw.into()))?;
        Ok(Self {
            tls,
            url: url.clone(),
            http_version: group.http_version,
            authority,
            credential: credential.cloned(),
            metrics: Arc::default(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            known: Arc::default(),
            migrations: Arc::new(tokio::sync::Semaphore::new(group.mcp_limits.migrations)),
            most_migrations: group.mcp_limits.migrations,
            drain: Arc::default(),
            places: Arc::new(match (url.socket(), url.host.parse::<IpAddr>()) {
                (Some(path), _) => Places::path(path),
                (None, Ok(ip)) => Places::fixed(SocketAddr::new(ip, url.port)),
                (None, Err(_)) => Places::named(),
            }),
            signs: Arc::default(),
        })
    }

    /// The same peer as `before`, with what the new settings say of it.
    fn following(self, before: &Self) -> Self {
        // Connections that speak another HTTP are not for its requests.
        let number = if self.http_version == before.http_version {
            before.number
        } else {
            self.number
        };
        let migrations = if self.most_migrations == before.most_migrations {
            Arc::clone(&before.migrations)
        } else {
            self.migrations
        };
        Self {
            migrations,
            most_migrations: self.most_migrations,
            credential: self.credential,
            tls: self.tls,
            http_version: self.http_version,
            number,
            ..before.clone()
        }
    }

    /// A TLS handshake with it succeeded.
    pub(crate) fn tls_succeeded(&self) {
        if self.signs.tls_failed.load(Ordering::Relaxed) {
            self.signs.tls_failed.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn suspect(&self) {
        self.signs.suspect.store(true, Ordering::Relaxed);
    }

    pub(crate) fn take_suspicion(&self) -> bool {
        let suspect = &self.signs.suspect;
        suspect.load(Ordering::Relaxed) && suspect.swap(false, Ordering::Relaxed)
    }
}

/// TLS for the peers that want it.
fn connector(settings: &GroupSettings) -> Result<Option<Arc<Connector>>, Flaws> {
    let wanted = |peer: &PeerSettings| peer.url.scheme == Scheme::Https;
    match &settings.tls {
        Some(tls) => Ok(Some(Arc::clone(tls))),
        None if settings.peers.iter().any(wanted) => Connector::new(GroupTls::default()).map(Some),
        None => Ok(None),
    }
}

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
