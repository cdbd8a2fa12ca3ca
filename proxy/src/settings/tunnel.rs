//! Tunnels: connections that were switched to another protocol.

use std::fmt;

/// A protocol that a connection may be switched to, as `Upgrade` names it: `websocket`, or a name
/// with a version, as in `irc/6.9` (RFC 9110 §7.8).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpgradeProtocol(String);

impl UpgradeProtocol {
    /// What `Upgrade` calls it.
    ///
    /// # Errors
    /// It is no such name, or one of HTTP or TLS: to switch to those behind a proxy's back is how
    /// requests are smuggled past it.
    pub fn new(name: &str) -> Result<Self, NoUpgrade> {
        let (protocol, version) = match name.split_once('/') {
            Some((protocol, version)) => (protocol, Some(version)),
            None => (name, None),
        };
        if !is_token(protocol) || version.is_some_and(|version| !is_token(version)) {
            return Err(NoUpgrade::Malformed);
        }
        let lower = protocol.to_ascii_lowercase();
        if matches!(lower.as_str(), "h2" | "h2c" | "http" | "tls") {
            return Err(NoUpgrade::Http);
        }
        Ok(Self(name.to_owned()))
    }

    /// WebSocket (RFC 6455).
    pub fn websocket() -> Self {
        Self("websocket".to_owned())
    }

    /// Whether `Upgrade` names it; RFC 9110 §7.8 has case say nothing.
    pub(crate) fn is(&self, offered: &[u8]) -> bool {
        self.0.as_bytes().eq_ignore_ascii_case(offered)
    }
}

/// Why a text names no protocol that may pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoUpgrade {
    /// It is HTTP itself, or TLS.
    Http,
    /// It is no name.
    Malformed,
}

impl fmt::Display for NoUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP and TLS are no protocols to switch to behind a proxy",
            Self::Malformed => "this is no name of a protocol",
        })
    }
}

impl std::error::Error for NoUpgrade {}

/// What becomes of a tunnel whose peer is declared lost, or taken out by a reload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TunnelLoss {
    /// It is closed at once, so that its client comes back and gets another peer.
    Close,
    /// It goes on: a peer that fails its probes may still serve what it has, and one that is taken
    /// out has the time of streams.
    #[default]
    Keep,
}

/// A token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_no_protocol_to_switch_to() {
        for (name, expected) in [
            ("websocket", Ok(())),
            ("irc/6.9", Ok(())),
            ("h2c", Err(NoUpgrade::Http)),
            ("H2", Err(NoUpgrade::Http)),
            ("HTTP/2.0", Err(NoUpgrade::Http)),
            ("TLS/1.3", Err(NoUpgrade::Http)),
            ("", Err(NoUpgrade::Malformed)),
            ("a b", Err(NoUpgrade::Malformed)),
            ("a,b", Err(NoUpgrade::Malformed)),
            ("a/", Err(NoUpgrade::Malformed)),
            ("a/1/2", Err(NoUpgrade::Malformed)),
        ] {
            assert_eq!(UpgradeProtocol::new(name).map(drop), expected, "{name:?}");
        }
    }
}
