//! Asking the name servers of the system, without a thread that blocks.

use super::Resolved;
use hickory_resolver::TokioResolver;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

/// Asks the name servers of the system.
pub(crate) struct Resolver(TokioResolver);

impl Resolver {
    /// Reads how the system is set up; none if that is nowhere to be read: then the system itself
    /// has to be asked.
    pub(crate) fn new() -> Option<Self> {
        let built = TokioResolver::builder_tokio().and_then(|mut builder| {
            // What is looked up here is kept by whoever asks.
            builder.options_mut().cache_size = CACHE;
            builder.build()
        });
        built
            .inspect_err(|error| tracing::warn!(%error, "name_servers_unknown"))
            .ok()
            .map(Self)
    }

    /// The addresses of a name.
    ///
    /// # Errors
    /// There are none, or no name server answers.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> io::Result<Resolved> {
        let found = self.0.lookup_ip(host).await.map_err(io::Error::other)?;
        let ttl = found
            .valid_until()
            .saturating_duration_since(Instant::now());
        let addresses = found.iter().map(|ip| SocketAddr::new(ip, port)).collect();
        Ok(Resolved { addresses, ttl })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// Enough for the steps on the way to an answer; the default allocates 8,192 places.
const CACHE: u64 = 64;
