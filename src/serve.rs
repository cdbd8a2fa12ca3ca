//! The proxy and what belongs to it, put together and started.

use std::io;
use std::net::SocketAddr;

use std::sync::Arc;

use config::{AccessLog, Admin};
use proxy::clock::ClockSource;
use proxy::gateway::Gateway;
use proxy::group::Group;
use proxy::network::{Address, SystemNetwork};
use proxy::server::{Control, Running, Server};
use proxy::settings::{Probe, Settings};

use crate::access_log::{Writer, open};
use crate::admin::{self, GroupStatus, Observed};
use crate::error::Error;
use crate::logs::READY;
use crate::reload::ReloadStatus;

/// What to serve.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The data plane.
    pub(crate) settings: Settings,
    /// The admin listener.
    pub(crate) admin: Option<Admin>,
    /// One line for each request.
    pub(crate) access_log: Option<AccessLog>,
}

/// A proxy that serves.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Where clients connect.
    pub(crate) addresses: Vec<Address>,
    /// What it serves by.
    pub(crate) gateway: Arc<Gateway>,
    /// The clock of its groups.
    pub(crate) clock: ClockSource,
    running: Running,
    /// Where operators connect.
    pub(crate) admin: Vec<SocketAddr>,
    access_log: Option<Writer>,
    /// What came of reloads.
    pub(crate) reloads: ReloadStatus,
}

impl Serving {
    /// Opens all addresses, then starts to serve. When it fails, nothing was served.
    ///
    /// # Errors
    /// Settings that cannot be used, an address or a file that cannot be opened, no threads.
    pub(crate) fn start(plan: Plan) -> Result<Self, Error> {
        let gateway = Gateway::new(&plan.settings).map_err(Error::Settings)?;
        let access_log = plan.access_log.as_ref().map(open).transpose()?;
        if let Some(writer) = &access_log {
            gateway.log_access(writer.sink());
        }
        let clock = ClockSource::system();
        let settings = gateway.server_settings(&plan.settings);
        let server = Server::bind(
            SystemNetwork::default(),
            Arc::clone(&gateway),
            clock,
            &settings,
        )
        .map_err(Error::System)?;
        let admin = plan.admin.map(|admin| admin::bind(&admin)).transpose()?;
        let addresses = server.addresses();
        let reloads = ReloadStatus::default();
        let observed = Observed {
            reloads: reloads.clone(),
            gateway: Arc::clone(&gateway),
            metrics: server.metrics(),
            control: server.control(),
            clock,
            access_log: access_log.as_ref().map(Writer::dropped),
        };
        let running = server.start().map_err(Error::System)?;
        let mut doors = Vec::new();
        if let Some(bound) = admin {
            doors = bound.addresses();
            bound.start(observed).map_err(Error::System)?;
        }
        Ok(Self {
            addresses,
            gateway,
            clock,
            running,
            admin: doors,
            access_log,
            reloads,
        })
    }

    /// Tells what it serves by, and whoever waits for it where it listens.
    pub(crate) fn announce(&self) {
        for group in self.gateway.groups() {
            introduce(&group, self.clock);
        }
        for address in &self.addresses {
            tracing::info!(target: READY, %address, "listening");
        }
        for address in &self.admin {
            tracing::info!(target: READY, %address, "admin_listening");
        }
    }

    /// Stops it.
    pub(crate) fn control(&self) -> Control {
        self.running.control().clone()
    }

    /// Waits until it has stopped, and all it had to say is written.
    ///
    /// # Errors
    /// A listener could not be used, or a thread panicked.
    pub(crate) fn wait(self) -> io::Result<()> {
        let ended = self.running.wait();
        if let Some(writer) = self.access_log {
            writer.finish();
        }
        ended
    }
}

/// Logs what a group is made of.
fn introduce(group: &Group, clock: ClockSource) {
    let status = GroupStatus::new(group, &[], clock.now());
    let (name, strategy) = (&status.name, &status.strategy);
    tracing::info!(group = name, strategy, "group_created");
    for peer in &status.peers {
        let (priority, weight) = (peer.priority, peer.weight);
        tracing::info!(
            group = name,
            peer = peer.name,
            priority,
            weight,
            "member_added"
        );
    }
    let check = &group.settings.health_check;
    if check.probe != Some(Probe::None) {
        let interval_s = check.interval.as_secs_f64();
        let task = "health_check";
        tracing::info!(task, group = name, interval_s, "background_worker_started");
    }
}
