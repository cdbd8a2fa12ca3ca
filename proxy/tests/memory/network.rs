//! The in-memory network behaves as a network does.

use crate::support::run;
use proxy::memory::{Connecting, Cut, Flow, MemoryListener, MemoryNetwork, MemoryStream};
use proxy::network::Network as _;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
const LONG: Duration = Duration::from_secs(600);

fn listen() -> (MemoryNetwork, MemoryListener, SocketAddr) {
    let network = MemoryNetwork::new(CLIENT);
    let address = SocketAddr::new(SERVER, 80);
    let socket = network.seen_from(SERVER).bind(address).unwrap();
    let listener = network.listen(socket).unwrap();
    (network, listener, address)
}

async fn pair() -> (MemoryNetwork, MemoryListener, MemoryStream, MemoryStream) {
    let (network, listener, address) = listen();
    let client = network.connect(address).await.unwrap();
    let (server, from) = network.accept(&listener).await.unwrap();
    assert_eq!(from.unwrap().ip(), CLIENT);
    (network, listener, client, server)
}

async fn read(stream: &mut MemoryStream) -> Result<Vec<u8>, ErrorKind> {
    let mut bytes = vec![0; 1024];
    let n = stream
        .read(&mut bytes)
        .await
        .map_err(|error| error.kind())?;
    bytes.truncate(n);
    Ok(bytes)
}

async fn write(stream: &mut MemoryStream, bytes: &[u8]) -> Result<usize, ErrorKind> {
    stream.write(bytes).await.map_err(|error| error.kind())
}

#[test]
fn bytes_arrive_in_order_and_ends_are_told_apart() {
    run(async {
        let (_network, _listener, mut client, mut server) = pair().await;
        write(&mut client, b"ab").await.unwrap();
        write(&mut client, b"c").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(read(&mut server).await.unwrap(), b"abc");
        assert_eq!(read(&mut server).await.unwrap(), b"");
        // Half-closed: the other way is still open.
        write(&mut server, b"d").await.unwrap();
        assert_eq!(read(&mut client).await.unwrap(), b"d");
        assert_eq!(write(&mut client, b"e").await, Err(ErrorKind::BrokenPipe));
    });
}

#[test]
fn connecting_does_what_the_host_is_told_to() {
    run(async {
        let (network, _listener, address) = listen();
        let kind = async |address| {
            network
                .connect(address)
                .await
                .err()
                .map(|error| error.kind())
        };
        let nobody = SocketAddr::new(SERVER, 81);
        assert_eq!(kind(nobody).await, Some(ErrorKind::ConnectionRefused));
        network.set_connecting(SERVER, Connecting::Refuse);
        assert_eq!(kind(address).await, Some(ErrorKind::ConnectionRefused));
        network.set_connecting(SERVER, Connecting::Exhaust);
        let error = network.connect(address).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(24));
        network.set_connecting(SERVER, Connecting::Hang);
        assert!(timeout(LONG, kind(address)).await.is_err());
        network.set_connecting(SERVER, Connecting::Delay(LONG));
        let began = Instant::now();
        assert_eq!(kind(address).await, None);
        assert_eq!(began.elapsed(), LONG);
        network.set_connecting(SERVER, Connecting::Accept);
        assert_eq!(kind(address).await, None);
        assert_eq!(network.connects(SERVER), 6);
    });
}

#[test]
fn a_full_buffer_waits_for_its_reader() {
    run(async {
        let (network, listener, address) = listen();
        network.set_buffer(3);
        let mut client = network.connect(address).await.unwrap();
        let (mut server, _) = network.accept(&listener).await.unwrap();
        assert_eq!(write(&mut client, b"abcde").await, Ok(3));
        assert!(timeout(LONG, write(&mut client, b"de")).await.is_err());
        let writing = tokio::task::spawn_local(async move {
            write(&mut client, b"de").await.unwrap();
            client
        });
        assert_eq!(read(&mut server).await.unwrap(), b"abc");
        drop(writing.await.unwrap());
        assert_eq!(read(&mut server).await.unwrap(), b"de");
    });
}

#[test]
fn a_reset_lets_what_arrived_be_read_and_breaks_both_ways() {
    run(async {
        let (_network, _listener, mut client, mut server) = pair().await;
        write(&mut client, b"lost").await.unwrap();
        write(&mut server, b"kept").await.unwrap();
        server.reset();
        assert_eq!(
            write(&mut client, b"x").await,
            Err(ErrorKind::ConnectionReset)
        );
        assert_eq!(read(&mut client).await.unwrap(), b"kept");
        assert_eq!(read(&mut client).await, Err(ErrorKind::ConnectionReset));
    });
}

#[test]
fn closing_with_unread_bytes_is_a_reset() {
    run(async {
        let (_network, _listener, mut client, server) = pair().await;
        write(&mut client, b"unread").await.unwrap();
        drop(server);
        assert_eq!(read(&mut client).await, Err(ErrorKind::ConnectionReset));
    });
}

#[test]
fn the_first_write_to_a_closed_end_is_lost_and_answered_with_a_reset() {
    run(async {
        let (_network, _listener, mut client, server) = pair().await;
        drop(server);
        assert_eq!(write(&mut client, b"lost").await, Ok(4));
        assert_eq!(
            write(&mut client, b"x").await,
            Err(ErrorKind::ConnectionReset)
        );
        assert_eq!(read(&mut client).await, Err(ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_frozen_host_takes_bytes_and_connections_but_does_nothing() {
    run(async {
        let (network, listener, mut client, mut server) = pair().await;
        network.freeze(SERVER);
        write(&mut client, b"early").await.unwrap();
        assert!(timeout(LONG, read(&mut server)).await.is_err());
        assert!(timeout(LONG, write(&mut server, b"x")).await.is_err());
        let mut second = network.connect(SocketAddr::new(SERVER, 80)).await.unwrap();
        write(&mut second, b"also").await.unwrap();
        assert!(timeout(LONG, network.accept(&listener)).await.is_err());
        let accepting = network.accept(&listener);
        network.thaw(SERVER);
        let (mut accepted, _) = accepting.await.unwrap();
        assert_eq!(read(&mut accepted).await.unwrap(), b"also");
        assert_eq!(read(&mut server).await.unwrap(), b"early");
    });
}

#[test]
fn thawing_wakes_who_waits() {
    run(async {
        let (network, _listener, mut client, mut server) = pair().await;
        network.freeze(SERVER);
        write(&mut client, b"x").await.unwrap();
        let reading = tokio::task::spawn_local(async move { read(&mut server).await });
        tokio::task::yield_now().await;
        network.thaw(SERVER);
        assert_eq!(reading.await.unwrap().unwrap(), b"x");
    });
}

#[test]
fn a_killed_host_resets_and_refuses_until_it_is_back() {
    run(async {
        let (network, listener, mut client, _server) = pair().await;
        let address = SocketAddr::new(SERVER, 80);
        let mut waiting = network.connect(address).await.unwrap();
        network.kill(SERVER);
        assert_eq!(read(&mut client).await, Err(ErrorKind::ConnectionReset));
        assert_eq!(read(&mut waiting).await, Err(ErrorKind::ConnectionReset));
        let refused = network.connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        network.restart(SERVER);
        let mut client = network.connect(address).await.unwrap();
        let (mut server, _) = network.accept(&listener).await.unwrap();
        write(&mut client, b"x").await.unwrap();
        assert_eq!(read(&mut server).await.unwrap(), b"x");
    });
}

#[test]
fn a_cut_is_exact_to_the_byte() {
    for (cut, end) in [
        (Cut::Close, Ok(Vec::new())),
        (Cut::Reset, Err(ErrorKind::ConnectionReset)),
    ] {
        run(async {
            let (network, listener, address) = listen();
            network.cut_next(SERVER, Flow::FromHost, 5, cut);
            let mut client = network.connect(address).await.unwrap();
            let (mut server, _) = network.accept(&listener).await.unwrap();
            assert_eq!(write(&mut server, b"123").await, Ok(3));
            assert_eq!(write(&mut server, b"456").await, Ok(2));
            assert!(write(&mut server, b"6").await.is_err());
            assert_eq!(read(&mut client).await.unwrap(), b"12345", "{cut:?}");
            assert_eq!(read(&mut client).await, end, "{cut:?}");
            let mut next = network.connect(address).await.unwrap();
            let (mut server, _) = network.accept(&listener).await.unwrap();
            write(&mut server, b"1234567").await.unwrap();
            assert_eq!(read(&mut next).await.unwrap(), b"1234567");
        });
    }
}

#[test]
fn fragments_depend_on_nothing_but_their_seed() {
    let lengths = |seed| {
        run(async {
            let (network, listener, address) = listen();
            network.set_fragments(seed);
            let mut client = network.connect(address).await.unwrap();
            let (mut server, _) = network.accept(&listener).await.unwrap();
            let bytes = vec![7; 20_000];
            let writing = tokio::task::spawn_local(async move {
                client.write_all(&bytes).await.unwrap();
            });
            let mut lengths = Vec::new();
            loop {
                match read(&mut server).await.unwrap().len() {
                    0 => break,
                    n => lengths.push(n),
                }
            }
            writing.await.unwrap();
            lengths
        })
    };
    assert_eq!(lengths(1), lengths(1));
    assert_ne!(lengths(1), lengths(2));
    assert_eq!(lengths(1).iter().sum::<usize>(), 20_000);
}

#[test]
fn names_ports_and_addresses_in_use() {
    run(async {
        let (network, listener, address) = listen();
        let server = network.seen_from(SERVER);
        network.set_name("peer", &[SERVER]);
        let by = proxy::settings::DnsResolver::default();
        let found = network.resolve("peer", 80, by).await.unwrap();
        assert_eq!(found.addresses, [address]);
        let unknown = network.resolve("nobody", 80, by).await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
        let taken = server.bind(address).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        let any = server.bind(SocketAddr::new(SERVER, 0)).unwrap();
        assert!(!network.local_address(&any).unwrap().is_any_port());
        drop(listener);
        let refused = network.connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}
