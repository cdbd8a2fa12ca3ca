//! Other settings while it serves: the file is read again, and either all of it counts or nothing.

mod fingerprint;
mod status;
mod watch;

pub(crate) use fingerprint::Fingerprint;
pub(crate) use status::ReloadStatus;
pub(crate) use watch::Watch;

use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Arc;

use config::{AccessLog, Admin, Loaded, ProcessEnvironment};
use proxy::gateway::Gateway;
use proxy::server::{Control, Reloaded};

use crate::args::Run;
use crate::error::Error;
use crate::logs::{LogSettings, Logs, READY};
use crate::run::{files, prepare};
use crate::serve::Serving;

/// What reads the file again.
#[derive(Debug)]
pub(crate) struct Reloader {
    args: Run,
    logs: Logs,
    fixed: Fixed,
    gateway: Arc<Gateway>,
    control: Control,
    status: ReloadStatus,
}

/// What only a restart changes, as it was at the start.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    threads: usize,
    admin: Option<Admin>,
    access_log: Option<AccessLog>,
}

impl Fixed {
    /// What of a file only a restart changes.
    pub(crate) fn new(loaded: &Loaded) -> Self {
        Self {
            threads: loaded.settings.threads,
            admin: loaded.admin,
            access_log: loaded.access_log.clone(),
        }
    }

    /// The keys that would be different.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let keys = [
            ("threads", self.threads != other.threads),
            ("admin", self.admin != other.admin),
            ("access_log", self.access_log != other.access_log),
        ];
        let keys = keys.into_iter().filter(|(_, differs)| *differs);
        keys.map(|(key, _)| key).collect()
    }
}

impl Reloader {
    /// For what serves by the file of these arguments.
    pub(crate) fn new(args: &Run, logs: Logs, fixed: Fixed, serving: &Serving) -> Self {
        Self {
            args: args.clone(),
            logs,
            fixed,
            gateway: Arc::clone(&serving.gateway),
            control: serving.control(),
            status: serving.reloads.clone(),
        }
    }

    /// Reads the file again, and says which files that were. When anything is wrong with them,
    /// nothing changes, and the log says what it is.
    pub(crate) async fn reload(&mut self, read: Option<&Fingerprint>) -> Option<Vec<PathBuf>> {
        match self.attempt().await {
            Ok((reloaded, files)) => {
                self.status.succeeded(read);
                tell(&reloaded, read);
                Some(files)
            }
            Err(error) => {
                self.status.failed();
                complain(&error);
                None
            }
        }
    }

    async fn attempt(&mut self) -> Result<(Reloaded, Vec<PathBuf>), Error> {
        let path = &self.args.config;
        let loaded = config::load(path, &ProcessEnvironment).map_err(Error::Problems)?;
        let log = LogSettings::new(&self.args.common, loaded.log);
        let fixed = Fixed::new(&loaded);
        let settings = prepare(loaded.settings, &loaded.warnings, &self.args)?;
        let reloaded = self.gateway.reload(&self.control, &settings).await;
        let reloaded = reloaded.map_err(Error::Reload)?;
        self.logs.change(log);
        for key in self.fixed.differences(&fixed) {
            tracing::warn!(key, "restart_needed");
        }
        Ok((reloaded, files(&self.args, &settings)))
    }
}

/// Says what has changed.
fn tell(reloaded: &Reloaded, read: Option<&Fingerprint>) {
    let hash = read.map(Fingerprint::to_string);
    tracing::info!(hash, "config_reloaded");
    for address in &reloaded.closed {
        tracing::info!(%address, "listener_closed");
    }
    for address in &reloaded.opened {
        tracing::info!(target: READY, %address, "listening");
    }
}

/// Says all that is wrong.
fn complain(error: &Error) {
    if let Error::Problems(problems) = error {
        for problem in problems {
            let (path, line) = (&problem.path, problem.line);
            tracing::error!(%path, line, problem = %problem.message, "config_problem");
        }
        tracing::error!(problems = problems.iter().count(), "config_reload_failed");
        return;
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::error!(error = text, "config_reload_failed");
}
