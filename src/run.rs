//! The verbs `run` and `proxy`: serve until a signal says otherwise.

use config::{Admin, Problem, ProcessEnvironment};
use proxy::settings::{ListenerSettings, Settings};
use std::path::PathBuf;
use tokio::sync::oneshot;

use crate::args::{Common, Proxy, Run};
use crate::error::{Error, Exit};
use crate::logs::{self, LogSettings};
use crate::reload::{Fingerprint, Fixed, Reloader, Watch};
use crate::serve::{Plan, Serving};
use crate::signals::{Signal, Signals};
use crate::{descriptors, session_key};

/// Serves what a file says.
///
/// # Errors
/// What is wrong with the file, or what it asks for cannot be had.
pub(crate) fn run(args: &Run) -> Result<Exit, Error> {
    // First the fingerprint: what changes after it is noticed.
    let before = Fingerprint::of(std::slice::from_ref(&args.config));
    let loaded = config::load(&args.config, &ProcessEnvironment).map_err(Error::Problems)?;
    let logs = logs::start(LogSettings::new(&args.common, loaded.log));
    let fixed = Fixed::new(&loaded);
    let plan = Plan {
        settings: prepare(loaded.settings, &loaded.warnings, args)?,
        admin: loaded.admin,
        access_log: loaded.access_log,
    };
    let files = files(args, &plan.settings);
    let same = before == Fingerprint::of(std::slice::from_ref(&args.config));
    let read = Fingerprint::of(&files).filter(|_| same);
    serve(plan, |serving| {
        serving.reloads.started(read.as_ref());
        let watching = loaded.watching;
        Some(Renewal {
            reloader: Reloader::new(args, logs, fixed, serving),
            watch: watching.map(|watching| Watch::new(files.clone(), read, watching)),
            files,
        })
    })
}

/// Serves without a file.
///
/// # Errors
/// What is wrong with the URLs, or what they ask for cannot be had.
pub(crate) fn proxy(args: &Proxy) -> Result<Exit, Error> {
    let mut settings =
        config::from_urls(&args.urls, args.listen.clone()).map_err(Error::Problems)?;
    logs::start(LogSettings::new(&args.common, config::Log::default()));
    threads(&mut settings, &args.common);
    let directory = session_key::state_directory(|name| std::env::var(name).ok());
    session_key::provide(&mut settings, directory.as_deref())?;
    let admin = args.admin.map(|listen| Admin {
        listen: Some(listen),
        health_listen: None,
    });
    let plan = Plan {
        settings,
        admin,
        access_log: None,
    };
    serve(plan, |_| None)
}

/// What the file and the arguments come to together.
///
/// # Errors
/// An address or a key is missing.
pub(crate) fn prepare(
    mut settings: Settings,
    warnings: &[Problem],
    args: &Run,
) -> Result<Settings, Error> {
    for warning in warnings {
        let (path, line) = (&warning.path, warning.line);
        tracing::warn!(%path, line, problem = %warning.message, "config_warning");
    }
    if !args.listen.is_empty() {
        let listeners = args.listen.iter().cloned();
        settings.listeners = listeners.map(ListenerSettings::new).collect();
    }
    if settings.listeners.is_empty() {
        return Err(Error::Missing(
            "there is no address to listen on: the file needs `listeners`, or give --listen",
        ));
    }
    threads(&mut settings, &args.common);
    let directory = session_key::state_directory(|name| std::env::var(name).ok());
    session_key::provide(&mut settings, directory.as_deref())?;
    Ok(settings)
}

/// The file, and the files it names.
pub(crate) fn files(args: &Run, settings: &Settings) -> Vec<PathBuf> {
    let mut files = vec![args.config.clone()];
    files.extend(settings.files());
    files
}

/// The arguments win over the file.
pub(crate) fn threads(settings: &mut Settings, args: &Common) {
    if let Some(threads) = args.threads {
        settings.threads = usize::from(threads);
    }
}

/// How a file comes to be read again.
struct Renewal {
    reloader: Reloader,
    watch: Option<Watch>,
    files: Vec<PathBuf>,
}

fn serve(plan: Plan, renewal: impl FnOnce(&Serving) -> Option<Renewal>) -> Result<Exit, Error> {
    descriptors::raise();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::System)?;
    runtime.block_on(async {
        // Before anybody is told that it serves: a signal from then on must not just kill it.
        let signals = Signals::new().map_err(Error::System)?;
        let serving = Serving::start(plan)?;
        serving.announce();
        let renewal = renewal(&serving);
        oversee(serving, signals, renewal).await
    })
}

/// Does what signals and files say until the proxy has stopped.
async fn oversee(
    serving: Serving,
    mut signals: Signals,
    mut renewal: Option<Renewal>,
) -> Result<Exit, Error> {
    let control = serving.control();
    let (sender, mut stopped) = oneshot::channel();
    std::thread::Builder::new()
        .name("backstay-wait".to_owned())
        // Nobody listens any more only when this process is about to end anyway.
        .spawn(move || drop(sender.send(serving.wait())))
        .map_err(Error::System)?;
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut stopped => {
                let ended = ended.unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked")));
                ended.map_err(Error::System)?;
                tracing::info!("stopped");
                return Ok(Exit::Ok);
            }
            signal = signals.next() => match signal {
                Signal::Hangup => match &mut renewal {
                    Some(renewal) if !draining => renewal.ask().await,
                    _ => tracing::warn!("reload_ignored"),
                }
                Signal::Terminate if !draining => {
                    draining = true;
                    // First the deed: whoever reads the line may rely on it.
                    control.shutdown();
                    tracing::info!("draining");
                }
                Signal::Interrupt | Signal::Terminate => {
                    control.close();
                    tracing::info!("closing");
                }
            },
            read = changed(&mut renewal), if !draining => {
                if let Some(renewal) = &mut renewal {
                    renewal.renew(Some(&read)).await;
                }
            }
        }
    }
}

/// Waits until the file has changed; for ever when nobody watches it.
async fn changed(renewal: &mut Option<Renewal>) -> Fingerprint {
    match renewal.as_mut().and_then(|renewal| renewal.watch.as_mut()) {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

impl Renewal {
    /// Reads the file whether it has changed or not.
    async fn ask(&mut self) {
        let read = match &mut self.watch {
            Some(watch) => watch.read(),
            None => Fingerprint::of(&self.files),
        };
        self.renew(read.as_ref()).await;
    }

    async fn renew(&mut self, read: Option<&Fingerprint>) {
        let Some(files) = self.reloader.reload(read).await else {
            return;
        };
        if let Some(watch) = &mut self.watch {
            watch.turn_to(files.clone());
        }
        self.files = files;
    }
}
