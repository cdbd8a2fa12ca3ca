//! Stopping a server, and changing it while it serves.

use super::ServerSettings;
use crate::metrics::ProxyMetrics;
use crate::network::Address;
use lb::Time;
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// How far a server is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// It serves.
    Serving,
    /// It takes no new clients and finishes what it has.
    Draining,
    /// It closes everything.
    Closing,
}

/// Stops a server, or changes it while it serves.
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) stage: watch::Sender<Stage>,
    pub(super) orders: mpsc::Sender<Order>,
}

impl Control {
    /// Takes no new clients, and finishes what there is within the drain limits.
    pub fn shutdown(&self) {
        self.stage.send_if_modified(|stage| {
            let serving = *stage == Stage::Serving;
            if serving {
                *stage = Stage::Draining;
            }
            serving
        });
    }

    /// Closes everything at once.
    pub fn close(&self) {
        self.stage.send_replace(Stage::Closing);
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Serves by other settings from now on: listeners open and close, limits and trusted proxies
    /// count for new requests and clients, peers that are new are probed, and peers that are gone
    /// are drained. Nothing in flight is cut. The number of threads stays what it was.
    ///
    /// `commit` is called on the accepting thread when nothing can fail any more, with the time:
    /// whoever chooses groups changes over in there. Reloads happen one after another.
    ///
    /// # Errors
    /// An address that cannot be listened on, or a server that no longer serves; then nothing has
    /// changed, and `commit` was not called.
    pub async fn reload(
        &self,
        settings: ServerSettings,
        commit: impl FnOnce(Time) + Send + 'static,
    ) -> Result<Reloaded, ReloadError> {
        let (sender, done) = oneshot::channel();
        let order = Order {
            settings,
            commit: Box::new(commit),
            done: sender,
        };
        self.orders
            .send(order)
            .await
            .map_err(|_| ReloadError::Stopped)?;
        done.await.map_err(|_| ReloadError::Stopped)?
    }
}

/// A reload on its way to the accepting thread.
pub(super) struct Order {
    pub(super) settings: ServerSettings,
    pub(super) commit: Box<dyn FnOnce(Time) + Send>,
    pub(super) done: oneshot::Sender<Result<Reloaded, ReloadError>>,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order").finish_non_exhaustive()
    }
}

/// What a reload has changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reloaded {
    /// Addresses that are listened on now and were not before.
    pub opened: Vec<Address>,
    /// Addresses that are no longer listened on.
    pub closed: Vec<Address>,
    /// Peers that are being drained because they are gone: group and name.
    pub removed: Vec<(String, String)>,
}

/// Why a reload has changed nothing.
#[derive(Debug)]
pub enum ReloadError {
    /// An address cannot be listened on; the message names it.
    Listen(io::Error),
    /// The server no longer serves.
    Stopped,
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => error.fmt(f),
            Self::Stopped => f.write_str("the server no longer serves"),
        }
    }
}

impl std::error::Error for ReloadError {}

/// A server that serves. Dropping it does not stop it.
#[derive(Debug)]
pub struct Running {
    pub(super) control: Control,
    pub(super) metrics: Arc<ProxyMetrics>,
    pub(super) threads: Vec<std::thread::JoinHandle<io::Result<()>>>,
}

impl Running {
    /// The handle that stops it.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// What it counts.
    pub fn metrics(&self) -> &Arc<ProxyMetrics> {
        &self.metrics
    }

    /// Waits until it has stopped.
    ///
    /// # Errors
    /// A listener could not be used, or a thread panicked.
    pub fn wait(self) -> io::Result<()> {
        let mut result = Ok(());
        for thread in self.threads {
            let ended = thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a thread panicked")));
            result = result.and(ended);
        }
        result
    }
}
