//! One configuration, ready to serve.

use super::cors::Cors;
use super::flows::Flows;
use crate::group::{Departed, Group, GroupError};
use crate::mcp::{KeyError, KeyRing};
use crate::route::Routes;
use crate::settings::{RouteAnswer, RouteSettings, SealKey, SessionBinding, Settings};
use lb::{PeerIndex, Time};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// One configuration, ready to serve.
#[derive(Debug)]
pub struct Snapshot {
    /// The pools of peers, in the order of the settings.
    pub groups: Vec<Arc<Group>>,
    pub(super) routes: Option<Routes>,
    pub(super) keys: KeyRing,
    pub(super) binding: SessionBinding,
    /// Hosts under which MCP may be asked for on loopback listeners: those the routes name, and
    /// those the listeners allow.
    pub(super) hosts: Vec<String>,
    pub(super) cors: Option<Cors>,
    /// Scheme and authority that clients know us by, if they are not as requests say.
    pub(super) public_url: Option<String>,
    /// Which peer the clients of authorization servers are at.
    pub(super) flows: Arc<Flows>,
    /// Peers that reloads took out and that still serve what is pinned to them.
    pub(super) departed: Vec<Departed>,
    /// The key of this process, if the settings give none: made once.
    own_key: Option<SealKey>,
}

/// Why settings cannot be used. `config` finds all of these beforehand.
#[derive(Debug)]
pub enum SnapshotError {
    /// A group cannot be built.
    Group(String, GroupError),
    /// A key that seals MCP session ids cannot be used.
    Key(KeyError),
    /// The system gives no random bytes.
    Random,
    /// A route leads to no group, or there are several groups and no routes.
    Route,
}

impl Snapshot {
    /// Builds what the settings say.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, SnapshotError> {
        Self::build(settings, None)
    }

    /// Builds what follows this one in a reload; see [`Group::succeeded`].
    pub(super) fn succeeded(&self, settings: &Settings) -> Result<Self, SnapshotError> {
        Self::build(settings, Some(self))
    }

    fn build(settings: &Settings, old: Option<&Self>) -> Result<Self, SnapshotError> {
        let group = |group: &crate::settings::GroupSettings| {
            let built = match old.and_then(|old| Some((old, old.group(&group.name)?))) {
                Some((old, before)) => before.succeeded(group.clone(), &old.departed),
                None => Group::new(group.clone()),
            };
            built.map_err(|error| SnapshotError::Group(group.name.clone(), error))
        };
        let groups = settings
            .groups
            .iter()
            .map(group)
            .collect::<Result<Vec<_>, _>>()?;
        let routes = match &settings.routes[..] {
            [] if groups.len() == 1 => None,
            [] => return Err(SnapshotError::Route),
            routes if routes.iter().any(|route| !leads(route, groups.len())) => {
                return Err(SnapshotError::Route);
            }
            routes => Some(Routes::new(routes.to_vec())),
        };
        let mut own_key = old.and_then(|old| old.own_key.clone());
        let keys = match &settings.session.keys[..] {
            [] => {
                let key = own_key.map_or_else(random_key, Ok)?;
                own_key = Some(key.clone());
                KeyRing::new(&[key])
            }
            keys => KeyRing::new(keys),
        };
        let keys = keys.map_err(SnapshotError::Key)?;
        let named = settings
            .routes
            .iter()
            .filter_map(|route| route.matches.host.clone());
        let allowed = settings
            .listeners
            .iter()
            .flat_map(|listener| listener.hosts.clone());
        let hosts = named.chain(allowed).collect();
        let departed = old.map_or_else(Vec::new, |old| old.departed_with(&groups));
        Ok(Self {
            departed,
            own_key,
            cors: settings.cors.as_ref().map(Cors::new),
            public_url: settings.public_url.clone(),
            flows: old.map_or_else(Arc::default, |old| Arc::clone(&old.flows)),
            hosts,
            groups,
            routes,
            keys,
            binding: settings.session.binding.clone(),
        })
    }
}

/// Whether a route leads to one of so many groups, or answers itself.
fn leads(route: &RouteSettings, groups: usize) -> bool {
    match route.answer {
        RouteAnswer::Group(group) => group < groups,
        RouteAnswer::Redirect(_) | RouteAnswer::Respond(_) => true,
    }
}

impl Snapshot {
    /// The group of that name.
    pub(super) fn group(&self, name: &str) -> Option<&Arc<Group>> {
        self.groups.iter().find(|group| group.name() == name)
    }

    /// Where what is pinned to a peer is served: by the peer of that name, or by one that is gone
    /// and has still time.
    pub(super) fn home(&self, group: &Arc<Group>, peer: &str) -> Option<(Arc<Group>, PeerIndex)> {
        if let Some(index) = group.find(peer) {
            return Some((Arc::clone(group), index));
        }
        let departed = self.departed.iter().rev();
        let mut departed = departed.filter(|gone| gone.is_draining());
        let home = departed.find(|gone| {
            gone.group.name() == group.name() && gone.group.peer_name(gone.peer) == peer
        });
        home.map(|home| (Arc::clone(&home.group), home.peer))
    }

    /// The groups take over what those of `old` know.
    pub(super) fn inherit(&self, old: &Self, now: Time) {
        for group in &self.groups {
            if let Some(before) = old.group(group.name()) {
                group.lb.inherit(&before.lb, now);
            }
        }
    }

    /// Who is on the way out once these groups are in force.
    fn departed_with(&self, groups: &[Arc<Group>]) -> Vec<Departed> {
        let peers = |group: &Arc<Group>| {
            let group = Arc::clone(group);
            (0..).take(group.peers.len()).map(move |index| Departed {
                group: Arc::clone(&group),
                peer: PeerIndex(index),
            })
        };
        let number = |gone: &Departed| gone.group.peer(gone.peer).number;
        let here: BTreeSet<usize> = groups
            .iter()
            .flat_map(|group| group.peers.iter().map(|peer| peer.number))
            .collect();
        let before = self.departed.iter().cloned();
        before
            .chain(self.groups.iter().flat_map(peers))
            .filter(|gone| gone.is_draining() && !here.contains(&number(gone)))
            .collect()
    }
}

/// A key for as long as the process lives, for programs that keep none.
fn random_key() -> Result<SealKey, SnapshotError> {
    let mut secret = [0; 32];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| SnapshotError::Random)?;
    Ok(SealKey {
        id: "process".to_owned(),
        secret,
    })
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name, _) => write!(f, "the group `{name}` cannot be built"),
            Self::Key(error) => write!(f, "the session keys cannot be used: {error:?}"),
            Self::Random => f.write_str("the system gives no random bytes"),
            Self::Route => f.write_str("a route leads to no group, or routes are missing"),
        }
    }
}

impl std::error::Error for SnapshotError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Group(_, error) => Some(error),
            Self::Key(_) | Self::Random | Self::Route => None,
        }
    }
}
