//! The verbs `run` and `proxy`: serve until a signal says otherwise.

use config::{Admin, Loaded, ProcessEnvironment};
use proxy::settings::{ListenerSettings, Settings};
use tokio::sync::oneshot;

use crate::args::{Common, Proxy, Run};
use crate::error::{Error, Exit};
use crate::logs::{self, LogSettings};
use crate::serve::{Plan, Serving};
use crate::signals::{Signal, Signals};
use crate::{descriptors, session_key};

/// Serves what a file says.
///
/// # Errors
/// What is wrong with the file, or what it asks for cannot be had.
pub(crate) fn run(args: &Run) -> Result<Exit, Error> {
    let loaded = config::load(&args.config, &ProcessEnvironment).map_err(Error::Problems)?;
    logs::start(LogSettings::new(&args.common, loaded.log));
    for warning in &loaded.warnings {
        let (path, line) = (&warning.path, warning.line);
        tracing::warn!(%path, line, problem = %warning.message, "config_warning");
    }
    let Loaded {
        mut settings,
        admin,
        access_log,
        ..
    } = loaded;
    if !args.listen.is_empty() {
        let listeners = args.listen.iter().copied();
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
    serve(Plan {
        settings,
        admin,
        access_log,
    })
}

/// Serves without a file.
///
/// # Errors
/// What is wrong with the URLs, or what they ask for cannot be had.
pub(crate) fn proxy(args: &Proxy) -> Result<Exit, Error> {
    let mut settings = config::from_urls(&args.urls, args.listen).map_err(Error::Problems)?;
    logs::start(LogSettings::new(&args.common, config::Log::default()));
    threads(&mut settings, &args.common);
    let directory = session_key::state_directory(|name| std::env::var(name).ok());
    session_key::provide(&mut settings, directory.as_deref())?;
    let admin = args.admin.map(|listen| Admin {
        listen: Some(listen),
        health_listen: None,
    });
    serve(Plan {
        settings,
        admin,
        access_log: None,
    })
}

/// The arguments win over the file.
pub(crate) fn threads(settings: &mut Settings, args: &Common) {
    if let Some(threads) = args.threads {
        settings.threads = usize::from(threads);
    }
}

fn serve(plan: Plan) -> Result<Exit, Error> {
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
        oversee(serving, signals).await
    })
}

/// Does what signals say until the proxy has stopped.
async fn oversee(serving: Serving, mut signals: Signals) -> Result<Exit, Error> {
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
                Signal::Hangup => tracing::warn!("reload_not_supported"),
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
            }
        }
    }
}
