//! A peer and a client of a few lines, for the examples of the documentation.

use super::MemoryNetwork;
use crate::clock::ClockSource;
use crate::hooks::Hooks;
use crate::network::Network as _;
use crate::server::{Server, ServerSettings};
use crate::settings::ListenerSettings;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, LocalOptions};

/// Runs an example on a runtime of its own, in paused time.
///
/// # Errors
/// The runtime cannot be made, or the example fails.
pub fn run(example: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true);
    builder
        .build_local(LocalOptions::default())?
        .block_on(example)
}

/// The address of the peer that is the last number of a host.
pub fn address(host: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), 80))
}

/// A peer that answers every request with a status and its own number.
///
/// # Errors
/// The address is in use.
pub fn peer(network: &MemoryNetwork, host: u8, status: u16) -> io::Result<()> {
    let network = network.seen_from(address(host).ip());
    let listener = network.listen(network.bind(address(host))?)?;
    tokio::task::spawn_local(async move {
        while let Ok((mut stream, _)) = network.accept(&listener).await {
            tokio::task::spawn_local(async move {
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 1\r\n\r\n{host}");
                while head(&mut stream).await.is_ok() {
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(())
}

/// A peer that takes a request and never answers, or resets the connection.
///
/// # Errors
/// The address is in use.
pub fn broken_peer(network: &MemoryNetwork, host: u8, resets: bool) -> io::Result<()> {
    let network = network.seen_from(address(host).ip());
    let listener = network.listen(network.bind(address(host))?)?;
    tokio::task::spawn_local(async move {
        while let Ok((mut stream, _)) = network.accept(&listener).await {
            let network = network.clone();
            tokio::task::spawn_local(async move {
                drop(head(&mut stream).await);
                if resets {
                    network.reset_all(address(host).ip());
                } else {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    Ok(())
}

/// A proxy with these hooks, on host 1.
///
/// # Errors
/// The address is in use.
pub fn proxy<H: Hooks>(network: &MemoryNetwork, hooks: H) -> io::Result<()> {
    let listeners = vec![ListenerSettings::new(address(1))];
    let settings = ServerSettings {
        listeners,
        ..ServerSettings::default()
    };
    let network = network.seen_from(address(1).ip());
    let server = Server::bind(network, Arc::new(hooks), ClockSource::seeded(1), &settings)?;
    tokio::task::spawn_local(server.run_local());
    Ok(())
}

/// Asks the proxy on host 1: the status and the body of its answer.
///
/// # Errors
/// There is no answer.
pub async fn get(network: &MemoryNetwork, path: &str) -> io::Result<(u16, String)> {
    let mut stream = network.connect(address(1)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: example\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let status = answer
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .ok_or_else(bad)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(bad)?;
    Ok((status, body.to_owned()))
}

/// Reads one request head.
async fn head(stream: &mut super::MemoryStream) -> io::Result<()> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await?);
    }
    Ok(())
}
