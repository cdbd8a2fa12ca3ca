//! What the admin listener looks at.

use std::sync::Arc;

use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::metrics::ProxyMetrics;
use proxy::server::Control;

use crate::access_log::Dropped;
use crate::reload::ReloadStatus;

/// What the admin listener looks at: handles to what serves.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    /// Its groups, as they are in force.
    pub(crate) gateway: Arc<Gateway>,
    /// What is counted for the process.
    pub(crate) metrics: Arc<ProxyMetrics>,
    /// How far the server is.
    pub(crate) control: Control,
    /// The clock of the groups.
    pub(crate) clock: ClockSource,
    /// Lines of the access log that were not written; none when it is off.
    pub(crate) access_log: Option<Dropped>,
    /// What came of reloads.
    pub(crate) reloads: ReloadStatus,
}
