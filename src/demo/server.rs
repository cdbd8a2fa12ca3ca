//! One MCP server that can be killed: a thread, a runtime and a port of its own.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Socket};
use std::sync::Arc;
use std::thread::JoinHandle;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::whoami::Whoami;

/// One MCP server. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Server {
    name: Arc<str>,
    address: SocketAddr,
    life: Option<Life>,
}

#[derive(Debug)]
struct Life {
    /// Dropping it ends the thread.
    kill: oneshot::Sender<Infallible>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// No port, no thread or no runtime.
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let socket = free_port()?;
        let mut server = Self {
            name: name.into(),
            address: socket.local_addr()?,
            life: None,
        };
        server.life = Some(server.live(socket)?);
        Ok(server)
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it lives.
    pub(super) fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// Ends it in the middle of whatever it does. When this returns, the listener and all
    /// connections are closed, as after `kill -9`.
    pub(super) fn kill(&mut self) {
        if let Some(Life { kill, thread }) = self.life.take() {
            drop(kill);
            // A server that panicked is as dead as it should be.
            drop(thread.join());
        }
    }

    /// Starts it again on its port, with no memory of before.
    ///
    /// # Errors
    /// The port was taken, or there is no thread or no runtime.
    pub(super) fn revive(&mut self) -> io::Result<()> {
        if self.life.is_none() {
            self.life = Some(self.live(Socket::bind(self.address)?)?);
        }
        Ok(())
    }

    fn live(&self, socket: Socket) -> io::Result<Life> {
        socket.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (kill, killed) = oneshot::channel();
        let name = Arc::clone(&self.name);
        let thread = std::thread::Builder::new().name(format!("demo-{name}"));
        let thread = thread.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = killed => {}
                    _ = serve(socket, name) => {}
                }
            });
            // With the runtime go its connections.
            drop(runtime);
        })?;
        Ok(Life { kill, thread })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn serve(socket: Socket, name: Arc<str>) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    let service = StreamableHttpService::new(
        move || {
            Ok(Whoami {
                name: Arc::clone(&name),
            })
        },
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default().with_json_response(true),
    );
    loop {
        let (stream, _) = listener.accept().await?;
        // Small answers; Nagle would hold them back.
        drop(stream.set_nodelay(true));
        let service = service.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(service.handle(request).await) }
        });
        tokio::spawn(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), answer),
        );
    }
}

/// A socket on a port that nobody listens on, below those that the kernel takes for outgoing
/// connections: while the server is dead, none of them may sit on its port.
fn free_port() -> io::Result<Socket> {
    let start = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap_or(0);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for step in 0..PORTS {
        let port = FIRST_PORT + (start + step) % PORTS;
        match Socket::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

const FIRST_PORT: u16 = 20_000;
/// Linux takes outgoing ports from 32768 on.
const PORTS: u16 = 12_000;
