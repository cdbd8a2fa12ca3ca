//! The sockets of the admin listener, and the thread behind them.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as Socket};
use std::sync::Arc;
use std::time::Duration;

use config::Admin;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::endpoints::{Scope, answer};
use super::observed::Observed;
use super::visitor;
use crate::error::Error;

/// Opens the sockets.
///
/// # Errors
/// An address that cannot be listened on, or that others than this machine could reach, though
/// nobody has to say who they are.
pub(crate) fn bind(admin: &Admin) -> Result<Bound, Error> {
    let wanted = [
        (admin.listen, Scope::All),
        (admin.health_listen, Scope::Health),
    ];
    let mut doors = Vec::new();
    for (address, scope) in wanted {
        let Some(address) = address else { continue };
        if scope == Scope::All && !address.ip().to_canonical().is_loopback() {
            return Err(Error::Missing(
                "the admin listener has no authentication yet: it must listen on a loopback address",
            ));
        }
        doors.push(open(address, scope).map_err(|source| Error::Open {
            what: "admin address",
            name: address.to_string(),
            source,
        })?);
    }
    Ok(Bound { doors })
}

fn open(address: SocketAddr, scope: Scope) -> io::Result<Door> {
    let socket = Socket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(Door {
        local: socket.local_addr()?,
        socket,
        scope,
    })
}

/// Sockets that are open, but where nobody answers yet.
#[derive(Debug)]
pub(crate) struct Bound {
    doors: Vec<Door>,
}

#[derive(Debug)]
struct Door {
    socket: Socket,
    local: SocketAddr,
    scope: Scope,
}

impl Bound {
    /// Where they are.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.doors.iter().map(|door| door.local).collect()
    }

    /// Answers on a thread of its own, until the process ends: while it drains, operators look.
    ///
    /// # Errors
    /// There is no thread or no runtime.
    pub(crate) fn start(self, observed: Observed) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let observed = Arc::new(observed);
        let thread = std::thread::Builder::new().name("backstay-admin".to_owned());
        thread.spawn(move || runtime.block_on(serve(self.doors, observed)))?;
        Ok(())
    }
}

async fn serve(doors: Vec<Door>, observed: Arc<Observed>) {
    let mut listening = tokio::task::JoinSet::new();
    for door in doors {
        listening.spawn(accept(door, Arc::clone(&observed)));
    }
    while let Some(ended) = listening.join_next().await {
        if let Ok(Err(error)) = ended {
            tracing::error!(%error, "admin_listener_failed");
        }
    }
}

async fn accept(door: Door, observed: Arc<Observed>) -> io::Result<()> {
    let (local, scope) = (door.local, door.scope);
    let listener = TcpListener::from_std(door.socket)?;
    let seats = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The next visitor waits in the kernel's queue until a seat is free.
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
            return Ok(());
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let talking = talk(stream, local, scope, Arc::clone(&observed));
                tokio::spawn(async move {
                    // Whoever takes longer does not read; the connection goes without a word.
                    drop(tokio::time::timeout(CONNECTION, talking).await);
                    drop(seat);
                });
            }
            // Out of descriptors, most often: it would fail again at once.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn talk(stream: TcpStream, local: SocketAddr, scope: Scope, observed: Arc<Observed>) {
    let service = service_fn(|request: Request<Incoming>| {
        let observed = Arc::clone(&observed);
        async move { Ok::<_, Infallible>(respond(request, local, scope, &observed)) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    // A visitor that breaks off is no news.
    drop(serving.await);
}

/// The body of a request is never read: what can be asked for can only be read.
fn respond(
    request: Request<Incoming>,
    local: SocketAddr,
    scope: Scope,
    observed: &Observed,
) -> Answer {
    let (head, _) = request.into_parts();
    if scope == Scope::All
        && let Err(forbidden) = visitor::check(&head, local)
    {
        return visitor::refusal(forbidden);
    }
    // hyper leaves the body out where the method is HEAD.
    answer(&head.method, head.uri.path(), scope, observed)
}

/// Operators, a few scrapers, a page in a browser.
const CONNECTIONS: usize = 64;
/// Time to the head of a request, and silence between two.
const HEAD: Duration = Duration::from_secs(10);
/// hyper's least is 8 KiB; our requests have a few hundred bytes.
const HEAD_SIZE: usize = 16 * 1024;
/// How long a connection lives at most; a new one costs nothing here.
const CONNECTION: Duration = Duration::from_secs(300);
/// Between two tries when accepting fails.
const PAUSE: Duration = Duration::from_millis(100);
