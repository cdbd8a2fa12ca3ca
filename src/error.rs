//! Why the program ends with another code than 0.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use proxy::gateway::{NotReloaded, SnapshotError};

/// How the program ends. 2, wrong usage, is clap's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// All is well.
    Ok,
    /// The configuration is not valid, or cannot be put to use.
    Invalid,
    /// The admin listener cannot be reached.
    Unreachable,
    /// A group has lost peers, but serves.
    Degraded,
    /// A group has no usable peer.
    NoPeer,
    /// The demonstration did not show what it should.
    #[cfg(feature = "demo")]
    NotShown,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Invalid => 1,
            #[cfg(feature = "demo")]
            Exit::NotShown => 1,
            Exit::Unreachable => 3,
            Exit::Degraded => 4,
            Exit::NoPeer => 5,
        })
    }
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Error {
    /// The admin listener cannot be reached, or does not answer as ours does.
    Admin {
        /// Its address.
        address: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A thing of the configuration cannot be opened: an address, a file.
    Open {
        /// What it is for.
        what: &'static str,
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Standard output cannot be written.
    Output(io::Error),
    /// The configuration is wrong.
    Problems(config::Problems),
    /// A thread, a runtime or a signal handler cannot be had, or the proxy broke.
    System(io::Error),
    /// The server goes on with what it has.
    Reload(NotReloaded),
    /// The key that seals MCP session ids is there, but is none.
    SessionKey(PathBuf),
    /// The groups, routes or keys cannot be used.
    Settings(SnapshotError),
    /// Something is missing that neither the file nor the arguments give.
    Missing(&'static str),
}

impl Error {
    /// The code it ends the program with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Admin { .. } => Exit::Unreachable,
            Self::Missing(_)
            | Self::Open { .. }
            | Self::Output(_)
            | Self::Problems(_)
            | Self::Reload(_)
            | Self::SessionKey(_)
            | Self::Settings(_)
            | Self::System(_) => Exit::Invalid,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin { address, .. } => {
                write!(f, "the admin listener at {address} cannot be reached")
            }
            Self::Missing(what) => f.write_str(what),
            Self::Open { what, name, .. } => write!(f, "the {what} {name} cannot be opened"),
            Self::Output(_) => f.write_str("standard output cannot be written"),
            // Its own rendering says where and why, over many lines.
            Self::Problems(problems) => write!(f, "{problems}"),
            Self::Reload(_) => f.write_str("the new configuration cannot be put to use"),
            Self::SessionKey(path) => write!(
                f,
                "{} does not hold a key of 64 hexadecimal digits",
                path.display()
            ),
            Self::Settings(_) => f.write_str("the configuration cannot be put to use"),
            Self::System(_) => f.write_str("the system did not give what is needed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Admin { source, .. } => Some(&**source),
            Self::Open { source, .. } | Self::Output(source) | Self::System(source) => Some(source),
            Self::Reload(source) => Some(source),
            Self::Settings(source) => Some(source),
            Self::Missing(_) | Self::Problems(_) | Self::SessionKey(_) => None,
        }
    }
}
