//! Where clients connect.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// Where clients connect.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a socket in the file system.
    Unix(Arc<Path>),
}

impl Address {
    /// The IP address and the port; none of a socket in the file system.
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The IP address; none of a socket in the file system.
    pub fn ip(&self) -> Option<IpAddr> {
        self.tcp().map(|address| address.ip())
    }

    /// Whether the system chooses the port.
    pub fn is_any_port(&self) -> bool {
        self.tcp().is_some_and(|address| address.port() == 0)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl FromStr for Address {
    type Err = &'static str;

    /// Reads `IP:PORT`, or `unix:/PATH/OF/THE.sock` as nginx and systemd's users write it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(path) = text.strip_prefix("unix:") else {
            let address = text.parse().map(Self::Tcp);
            return address.map_err(|_| "this is not an address and port");
        };
        if !path.starts_with('/') || path.ends_with('/') || path.chars().any(char::is_control) {
            return Err("this is not the absolute path of a socket");
        }
        if path.len() > LONGEST {
            return Err("the path of the socket is longer than systems allow: 103 bytes");
        }
        Ok(Self::Unix(Path::new(path).into()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// 108 bytes with the zero at the end on Linux, 104 elsewhere.
const LONGEST: usize = 103;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["127.0.0.1:80", "[::1]:8080", "unix:/run/backstay.sock"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "a:80",
            "127.0.0.1",
            "unix:",
            "unix:run/a.sock",
            "unix:/run/",
            "unix:/run/a\n",
            &format!("unix:/{}", "a".repeat(103)),
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
