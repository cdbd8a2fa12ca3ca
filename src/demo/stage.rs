//! The servers, the proxy and the caller, and what happens to them.

use std::net::SocketAddr;
use std::time::Duration;

use config::{Admin, ProcessEnvironment};
use proxy::network::Address;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::caller;
use super::script::{self, Deed};
use super::server::Server;
use super::tally::Tally;
use super::whoami::TOOL;
use crate::admin::GroupStatus;
use crate::args::Common;
use crate::error::Error;
use crate::run::threads;
use crate::serve::{Plan, Serving};
use crate::signals::{Signal, Signals};

/// Who watches.
pub(super) trait Show {
    /// Something happened to a server.
    ///
    /// # Errors
    /// It cannot be shown.
    fn deed(&mut self, after: Duration, what: &str) -> Result<(), Error>;

    /// How things are, some times a second.
    ///
    /// # Errors
    /// It cannot be shown.
    fn draw(&mut self, picture: &Picture<'_>) -> Result<(), Error>;
}

/// How things are.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    /// Since the beginning.
    pub(super) after: Duration,
    /// What the caller has seen.
    pub(super) tally: &'a Tally,
    /// What the proxy knows.
    pub(super) group: GroupStatus,
    /// Which servers live, in the order of the peers.
    pub(super) up: Vec<bool>,
    /// Where the proxy listens.
    pub(super) proxy: SocketAddr,
    /// Where the admin listener is.
    pub(super) admin: Option<SocketAddr>,
}

/// The servers and the proxy.
#[derive(Debug)]
pub(super) struct Stage {
    servers: Vec<Server>,
    serving: Serving,
}

impl Stage {
    /// Starts the servers, then the proxy before them.
    ///
    /// # Errors
    /// No ports or no threads.
    pub(super) fn open(args: &Common) -> Result<Self, Error> {
        let start = |name: &&str| Server::start(name).map_err(Error::System);
        let servers = NAMES.iter().map(start).collect::<Result<Vec<_>, _>>()?;
        let text = configuration(&servers);
        let loaded = config::parse("demo", &text, &ProcessEnvironment).map_err(Error::Problems)?;
        let mut settings = loaded.settings;
        threads(&mut settings, args);
        let admin = Admin {
            listen: Some(ANY_PORT),
            health_listen: None,
        };
        let serving = Serving::start(Plan {
            settings,
            admin: Some(admin),
            access_log: None,
        })?;
        Ok(Self { servers, serving })
    }

    /// Lets the caller call and kills servers, until it is over or interrupted.
    ///
    /// # Errors
    /// A server cannot be started again, or the show cannot go on.
    pub(super) async fn perform(
        mut self,
        mut length: Option<Duration>,
        mut show: impl Show,
    ) -> Result<Tally, Error> {
        let mut signals = Signals::new().map_err(Error::System)?;
        let first = self.serving.addresses.first();
        let Some(proxy) = first.and_then(Address::tcp) else {
            return Err(Error::Missing("the proxy has no address"));
        };
        self.serving.announce();
        let (sender, mut calls) = unbounded_channel();
        caller::start(proxy, sender).map_err(Error::System)?;
        let mut tally = Tally::new(NAMES);
        // The clock of the script starts when somebody serves.
        let opening = async {
            while tally.serving().is_none() {
                let Some(call) = calls.recv().await else {
                    break;
                };
                tally.add(call);
            }
        };
        tokio::select! {
            biased;
            _ = signals.next() => length = Some(Duration::ZERO),
            opened = tokio::time::timeout(OPENING, opening) => drop(opened),
        }
        let begin = Instant::now();
        let mut frames = tokio::time::interval(FRAME);
        let mut done = 0;
        loop {
            let deed = script::next(done, length);
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Hangup => {}
                    Signal::Interrupt | Signal::Terminate => break,
                },
                () = until(length.map(|length| begin + length)) => break,
                () = until(deed.map(|(at, _)| begin + at)) => {
                    if let Some((_, deed)) = deed {
                        let what = self.act(deed, &mut tally)?;
                        show.deed(begin.elapsed(), &what)?;
                    }
                    done += 1;
                }
                _ = frames.tick() => show.draw(&self.picture(begin.elapsed(), proxy, &tally))?,
                call = calls.recv() => match call {
                    Some(call) => tally.add(call),
                    None => break,
                },
            }
        }
        show.draw(&self.picture(begin.elapsed(), proxy, &tally))?;
        // First the caller, then the proxy, then the servers: nobody is left without an answer.
        drop(calls);
        self.serving.control().close();
        self.serving.wait().map_err(Error::System)?;
        Ok(tally)
    }

    fn act(&mut self, deed: Deed, tally: &mut Tally) -> Result<String, Error> {
        match deed {
            Deed::Kill => {
                let serving = tally.serving().unwrap_or_default().to_owned();
                let server = self
                    .servers
                    .iter_mut()
                    .find(|server| server.name() == serving);
                let Some(server) = server.filter(|server| server.is_up()) else {
                    return Ok("nobody serves, so nobody is killed".to_owned());
                };
                tally.kill(server.name());
                server.kill();
                Ok(format!("{serving} is killed"))
            }
            Deed::Revive => {
                let mut names = Vec::new();
                for server in self.servers.iter_mut().filter(|server| !server.is_up()) {
                    server.revive().map_err(Error::System)?;
                    names.push(server.name());
                }
                Ok(format!("started again: {}", names.join(", ")))
            }
        }
    }

    fn picture<'a>(&self, after: Duration, proxy: SocketAddr, tally: &'a Tally) -> Picture<'a> {
        let groups = self.serving.gateway.groups();
        let now = self.serving.clock.now();
        let group = groups
            .first()
            .map(|group| GroupStatus::new(group, &[], now));
        Picture {
            after,
            tally,
            group: group.unwrap_or_default(),
            up: self.servers.iter().map(Server::is_up).collect(),
            proxy,
            admin: self.serving.admin.first().copied(),
        }
    }
}

/// Ready at that moment; without one, never.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The file one would write for these servers, but quick to return, for people who watch.
fn configuration(servers: &[Server]) -> String {
    let peer = |(index, server): (usize, &Server)| {
        let (name, address, priority) = (server.name(), server.address(), index + 1);
        format!("      - {{name: {name}, url: 'http://{address}/mcp', priority: {priority}}}\n")
    };
    let peers: String = servers.iter().enumerate().map(peer).collect();
    format!(
        "threads: 1
listeners:
  - listen: {ANY_PORT}
groups:
  - name: demo
    protocol: mcp
    strategy: priority
    failback: {{mode: auto, hold: 2s, ramp: 0s}}
    peers:
{peers}
    health_check: {{probe: mcp, interval: 1s, timeout: 500ms}}
    circuit_breaker: {{failure_threshold: 3, open_for: 1s, max_open: 2s}}
    retry: {{tools: [{TOOL}]}}
"
    )
}

/// In the order of their priority.
const NAMES: [&str; 3] = ["eu", "us", "asia"];
const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// A server that is up answers in milliseconds, on a busy machine too.
const OPENING: Duration = Duration::from_secs(20);
/// Quick enough for the eye, slow enough for a terminal at the other end of the world.
const FRAME: Duration = Duration::from_millis(100);
