//! One configuration, ready to serve.

use crate::group::{Group, GroupError};
use crate::mcp::{KeyError, KeyRing};
use crate::route::Routes;
use crate::settings::{RouteAnswer, RouteSettings, SealKey, SessionBinding, Settings};
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
        let group = |group: &crate::settings::GroupSettings| {
            Group::new(group.clone())
                .map_err(|error| SnapshotError::Group(group.name.clone(), error))
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
        let keys = match &settings.session.keys[..] {
            [] => KeyRing::new(&[random_key()?]),
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
        Ok(Self {
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
