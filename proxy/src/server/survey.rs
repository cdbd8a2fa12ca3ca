//! A server that looks at its peers and serves nobody.

use super::Server;
use crate::drain::Drain;
use crate::hooks::Hooks;
use crate::network::Network;
use crate::prober::survey;
pub use crate::prober::{Checked, Connected, Surveyed};

impl<N: Network, H: Hooks> Server<N, H> {
    /// Looks at every peer once, and serves nobody: connects as requests would, checks its health,
    /// and asks what it speaks and which tools it has. Within a `LocalSet` or a local runtime.
    pub async fn survey(self) -> Vec<Surveyed> {
        let thread = self.seat(0).thread(&Drain::default().into());
        survey(&thread, &self.groups, &self.dns).await
    }
}
