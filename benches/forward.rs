//! What one request costs the engine, from a client's bytes to a peer's and back, without a kernel:
//! the real code over the in-memory network, one kept-alive connection, the shipped gateway.
//!
//! `cargo bench -p backstay-proxy --bench forward`

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot run should say so"
)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use proxy::gateway::Gateway;
use proxy::memory::{MemoryNetwork, MemoryStream, example};
use proxy::network::Network as _;
use proxy::server::Server;
use proxy::settings::{GroupSettings, ListenerSettings, PeerSettings, Probe, Settings};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, LocalOptions};

const REQUEST: &[u8] = b"GET /things/1 HTTP/1.1\r\nhost: example\r\naccept: */*\r\n\
    user-agent: bench\r\n\r\n";

/// Answers each request head with a body of `size` bytes.
async fn serve(mut stream: MemoryStream, answer: Arc<[u8]>) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        while !read.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        read.clear();
        stream.write_all(&answer).await?;
    }
}

async fn peer(network: MemoryNetwork, host: u8, answer: Arc<[u8]>) -> io::Result<()> {
    let network = network.seen_from(example::address(host).ip());
    let listener = network.listen(network.bind(example::address(host))?)?;
    loop {
        let (stream, _) = network.accept(&listener).await?;
        tokio::task::spawn_local(serve(stream, Arc::clone(&answer)));
    }
}

/// A client of a proxy with two peers, and the bytes of an answer's body.
async fn client(size: usize) -> io::Result<MemoryStream> {
    let network = MemoryNetwork::new(example::address(9).ip());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n");
    let answer: Arc<[u8]> = [head.as_bytes(), &vec![b'x'; size]].concat().into();
    for host in [2, 3] {
        tokio::task::spawn_local(peer(network.clone(), host, Arc::clone(&answer)));
    }
    tokio::task::yield_now().await;
    let peers = [2, 3].map(|host| PeerSettings::at(format!("peer-{host}"), example::address(host)));
    let mut group = GroupSettings::new("bench", peers.into());
    group.health_check.probe = Some(Probe::None);
    let settings = Settings {
        listeners: vec![ListenerSettings::new(example::address(1))],
        groups: vec![group],
        ..Settings::default()
    };
    let gateway = Gateway::new(&settings).map_err(io::Error::other)?;
    let server = gateway.server_settings(&settings);
    let ours = network.seen_from(example::address(1).ip());
    let clock = proxy::clock::ClockSource::seeded(1);
    let server = Server::bind(ours, gateway, clock, &server)?;
    tokio::task::spawn_local(server.run_local());
    network.connect(example::address(1)).await
}

/// `count` requests, one after the other.
async fn ask(stream: &mut MemoryStream, count: u64, size: usize) -> io::Result<Duration> {
    let mut read = Vec::new();
    let began = Instant::now();
    for _ in 0..count {
        stream.write_all(REQUEST).await?;
        read.clear();
        let body = loop {
            stream.read_buf(&mut read).await?;
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        while read.len() < body + size {
            stream.read_buf(&mut read).await?;
        }
        assert!(read.starts_with(b"HTTP/1.1 200"), "no answer of a peer");
    }
    Ok(began.elapsed())
}

fn forward(criterion: &mut Criterion) {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    let runtime = builder
        .build_local(LocalOptions::default())
        .expect("a runtime");
    let mut bench = criterion.benchmark_group("forward");
    for size in [0, 1024, 64 * 1024] {
        let mut stream = runtime.block_on(client(size)).expect("a client");
        bench.throughput(Throughput::Elements(1));
        bench.bench_function(BenchmarkId::from_parameter(format!("{size} B")), |bench| {
            bench.iter_custom(|count| {
                let asking = ask(&mut stream, count, size);
                runtime.block_on(asking).expect("every request is answered")
            });
        });
    }
    bench.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
