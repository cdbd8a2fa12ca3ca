//! The verb `status`.

mod fetch;
mod table;

use std::io::{IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use config::ProcessEnvironment;
use tokio::signal::ctrl_c;

use crate::admin::{GroupList, GroupStatus};
use crate::args::Status;
use crate::error::{Error, Exit};
use crate::output;
pub(crate) use fetch::Address;
use fetch::fetch;

/// Shows the groups and peers of a running proxy.
///
/// # Errors
/// The proxy cannot be reached, or the file that says where it is cannot be read.
pub(crate) fn status(args: &Status) -> Result<Exit, Error> {
    let address = address(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::System)?;
    if args.watch {
        return runtime.block_on(watch(&address));
    }
    let groups = runtime.block_on(groups(&address))?;
    if args.json {
        let text =
            serde_json::to_string_pretty(&groups).map_err(|error| unreadable(&address, error))?;
        output::line(&text)?;
    } else {
        output::line(&table::table(&groups.groups))?;
    }
    Ok(verdict(&groups.groups))
}

/// What a monitor makes of it: the worst group counts.
fn verdict(groups: &[GroupStatus]) -> Exit {
    let any = |test: fn(&GroupStatus) -> bool| groups.iter().any(test);
    if any(|group| group.healthy_backends == 0) {
        Exit::NoPeer
    } else if any(|group| group.healthy_backends < group.total_backends) {
        Exit::Degraded
    } else {
        Exit::Ok
    }
}

/// Where the running proxy is asked.
fn address(args: &Status) -> Result<Address, Error> {
    match (&args.admin, &args.config) {
        (Some(address), _) => Ok(address.clone()),
        (None, Some(file)) => {
            let loaded = config::load(file, &ProcessEnvironment).map_err(Error::Problems)?;
            let listen = loaded.admin.and_then(|admin| admin.listen);
            let listen = listen.ok_or(Error::Missing("the file has no `admin.listen`"))?;
            Ok(listen.into())
        }
        (None, None) => Ok(DEFAULT.into()),
    }
}

async fn groups(address: &Address) -> Result<GroupList, Error> {
    let unreachable = |source| Error::Admin {
        address: address.to_string(),
        source,
    };
    let body = tokio::time::timeout(PATIENCE, fetch(address, "/api/v1/groups"))
        .await
        .unwrap_or_else(|_| Err("it does not answer".into()))
        .map_err(unreachable)?;
    serde_json::from_slice(&body).map_err(|error| unreadable(address, error))
}

fn unreadable(address: &Address, error: serde_json::Error) -> Error {
    Error::Admin {
        address: address.to_string(),
        source: error.into(),
    }
}

/// Shows it over and over, until interrupted. A proxy that is away may come back.
async fn watch(address: &Address) -> Result<Exit, Error> {
    let mut last;
    loop {
        let text = match groups(address).await {
            Ok(groups) => {
                last = verdict(&groups.groups);
                table::table(&groups.groups)
            }
            Err(error) => {
                last = error.exit();
                error.to_string()
            }
        };
        let mut out = std::io::stdout().lock();
        // Home, the picture, and whatever the one before had more.
        let (before, after) = if out.is_terminal() {
            ("\x1b[H\x1b[2J", "")
        } else {
            ("", "\n")
        };
        write!(out, "{before}{text}\n{after}")
            .and_then(|()| out.flush())
            .map_err(Error::Output)?;
        drop(out);
        tokio::select! {
            biased;
            _ = ctrl_c() => return Ok(last),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Where the examples put the admin listener.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9900);
/// A local question is answered in milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Often enough to see a failover happen.
const EVERY: Duration = Duration::from_secs(1);
