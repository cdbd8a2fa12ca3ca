//! How names of peers are looked up.

use std::time::Duration;

/// How names of peers are looked up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsSettings {
    /// Who is asked.
    pub resolver: DnsResolver,
    /// A shorter life of an answer counts as this.
    pub min_ttl: Duration,
    /// A longer life of an answer counts as this.
    pub max_ttl: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Who is asked for addresses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DnsResolver {
    /// The name servers of the system (`/etc/resolv.conf`) and its `hosts` file, directly.
    #[default]
    Direct,
    /// The system (`getaddrinfo`), with whatever it is set up to ask; it does not tell how long
    /// an answer is good, so that is 30 s.
    System,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            resolver: DnsResolver::default(),
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(300),
            timeout: Duration::from_secs(5),
        }
    }
}
