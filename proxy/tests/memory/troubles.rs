//! The ways between hosts are slow, cut and forgotten as those of a real network are.

use crate::support::{run, settle};
use proxy::memory::{Cut, Forgotten, MemoryListener, MemoryNetwork, MemoryStream, Passage};
use proxy::network::Network as _;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(600);

/// A connection made from the client to the server.
struct Pair {
    network: MemoryNetwork,
    client: MemoryStream,
    server: MemoryStream,
    /// Others may connect later.
    _listener: MemoryListener,
}

impl Pair {
    async fn new(passage: Passage) -> Self {
        let network = MemoryNetwork::new(CLIENT);
        network.set_passage(CLIENT, SERVER, passage);
        network.set_passage(SERVER, CLIENT, passage);
        let socket = network.seen_from(SERVER).bind(address()).unwrap();
        let listener = network.listen(socket).unwrap();
        let accepting = network.seen_from(SERVER);
        let accepted = tokio::task::spawn_local(async move {
            let (server, _) = accepting.accept(&listener).await.unwrap();
            (server, listener)
        });
        let client = network.connect(address()).await.unwrap();
        let (server, listener) = accepted.await.unwrap();
        Self {
            network,
            client,
            server,
            _listener: listener,
        }
    }

    fn sever(&self, back: bool) {
        self.network.sever(CLIENT, SERVER);
        if back {
            self.network.sever(SERVER, CLIENT);
        }
    }

    fn heal(&self) {
        self.network.heal(CLIENT, SERVER);
        self.network.heal(SERVER, CLIENT);
    }
}

fn address() -> SocketAddr {
    SocketAddr::new(SERVER, 80)
}

fn late(millis: u32) -> Passage {
    Passage {
        latency: MS * millis,
        ..Passage::default()
    }
}

async fn read(stream: &mut MemoryStream) -> Result<usize, ErrorKind> {
    let mut bytes = [0; 4096];
    stream.read(&mut bytes).await.map_err(|error| error.kind())
}

async fn write(stream: &mut MemoryStream, bytes: &[u8]) -> Result<usize, ErrorKind> {
    stream.write(bytes).await.map_err(|error| error.kind())
}

/// What is not there after a long time never comes.
async fn nothing_comes(stream: &mut MemoryStream) -> bool {
    timeout(LONG, read(stream)).await.is_err()
}

#[test]
fn bytes_ends_and_handshakes_take_their_time() {
    run(async {
        let began = Instant::now();
        let mut pair = Pair::new(late(20)).await;
        assert_eq!(began.elapsed(), 40 * MS, "there and back");
        let began = Instant::now();
        write(&mut pair.client, b"abc").await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(read(&mut pair.server).await, Ok(3));
        assert_eq!(began.elapsed(), 20 * MS);
        drop(pair.client);
        assert_eq!(read(&mut pair.server).await, Ok(0));
        assert_eq!(began.elapsed(), 40 * MS);
    });
}

#[test]
fn jitter_keeps_bytes_in_order_and_depends_on_nothing_but_the_run() {
    let arrivals = || {
        run(async {
            let passage = Passage {
                jitter: 30 * MS,
                ..late(5)
            };
            let mut pair = Pair::new(passage).await;
            let began = Instant::now();
            let mut arrived = Vec::new();
            for byte in 0..20 {
                write(&mut pair.client, &[byte]).await.unwrap();
                settle(2 * MS).await;
            }
            for expected in 0..20 {
                assert_eq!(pair.server.read_u8().await.unwrap(), expected);
                arrived.push(began.elapsed());
            }
            arrived
        })
    };
    let first = arrivals();
    assert_eq!(first, arrivals());
    assert!(first.windows(2).any(|two| two[0] + 4 * MS < two[1]));
}

#[test]
fn a_narrow_way_lets_so_many_bytes_through_in_a_second() {
    run(async {
        let passage = Passage {
            bytes_per_second: NonZeroU32::new(14_000),
            ..late(10)
        };
        let mut pair = Pair::new(passage).await;
        let began = Instant::now();
        write(&mut pair.client, &[7; 14_000]).await.unwrap();
        assert_eq!(read(&mut pair.server).await, Ok(1400), "piece by piece");
        assert_eq!(began.elapsed(), 110 * MS);
        let mut rest = vec![0; 12_600];
        pair.server.read_exact(&mut rest).await.unwrap();
        assert_eq!(began.elapsed(), 1010 * MS);
    });
}

#[test]
fn what_is_sent_over_a_cut_way_arrives_when_it_heals() {
    run(async {
        let mut pair = Pair::new(late(10)).await;
        pair.sever(false);
        write(&mut pair.client, b"abc").await.unwrap();
        assert!(nothing_comes(&mut pair.server).await);
        // The other way is open.
        write(&mut pair.server, b"de").await.unwrap();
        assert_eq!(read(&mut pair.client).await, Ok(2));
        pair.client.shutdown().await.unwrap();
        assert!(nothing_comes(&mut pair.server).await);
        pair.heal();
        assert_eq!(read(&mut pair.server).await, Ok(3));
        assert_eq!(read(&mut pair.server).await, Ok(0));
    });
}

#[test]
fn connecting_takes_both_ways() {
    run(async {
        let pair = Pair::new(Passage::default()).await;
        pair.network.sever(SERVER, CLIENT);
        let began = Instant::now();
        let connecting = async {
            drop(pair.network.connect(address()).await.unwrap());
            began.elapsed()
        };
        let healing = async {
            settle(LONG).await;
            pair.heal();
        };
        let (took, ()) = tokio::join!(connecting, healing);
        assert_eq!(took, LONG);
    });
}

#[test]
fn a_reset_over_a_cut_way_is_lost_and_comes_back_to_whoever_writes() {
    run(async {
        let mut pair = Pair::new(late(10)).await;
        pair.sever(true);
        pair.server.cut_after(0, Cut::Reset);
        assert_eq!(
            read(&mut pair.server).await,
            Err(ErrorKind::ConnectionReset)
        );
        settle(20 * SECOND).await;
        pair.heal();
        let early = timeout(20 * SECOND, read(&mut pair.client)).await;
        assert!(early.is_err(), "half open");
        write(&mut pair.client, b"anyone?").await.unwrap();
        let began = Instant::now();
        assert_eq!(
            read(&mut pair.client).await,
            Err(ErrorKind::ConnectionReset)
        );
        assert_eq!(began.elapsed(), 20 * MS, "there and back");
        let wrote = write(&mut pair.client, b"?").await;
        assert_eq!(wrote, Err(ErrorKind::ConnectionReset));
    });
}

#[test]
fn what_was_written_into_a_cut_is_answered_with_a_reset_when_it_heals() {
    run(async {
        let mut pair = Pair::new(Passage::default()).await;
        pair.sever(true);
        pair.server.cut_after(0, Cut::Reset);
        write(&mut pair.client, b"anyone?").await.unwrap();
        let early = timeout(20 * SECOND, read(&mut pair.client)).await;
        assert!(early.is_err());
        pair.heal();
        assert_eq!(
            read(&mut pair.client).await,
            Err(ErrorKind::ConnectionReset)
        );
    });
}

#[test]
fn a_forgotten_connection_resets_whoever_writes_or_asks_in_the_end() {
    for writes in [true, false] {
        run(async {
            let mut pair = Pair::new(Passage::default()).await;
            pair.network.forget(SERVER, CLIENT, Forgotten::Resets);
            let server = read(&mut pair.server).await;
            assert_eq!(server, Err(ErrorKind::ConnectionReset));
            let began = Instant::now();
            if writes {
                write(&mut pair.client, b"anyone?").await.unwrap();
            }
            let read = read(&mut pair.client).await;
            assert_eq!(read, Err(ErrorKind::ConnectionReset));
            let seconds = if writes { 0 } else { 30 };
            assert_eq!(began.elapsed(), SECOND * seconds);
        });
    }
}

#[test]
fn a_swallowed_connection_is_given_up_after_a_minute() {
    for writes in [true, false] {
        run(async {
            let mut pair = Pair::new(Passage::default()).await;
            pair.network.forget(SERVER, CLIENT, Forgotten::Swallows);
            let server = read(&mut pair.server).await;
            assert_eq!(server, Err(ErrorKind::ConnectionReset));
            let began = Instant::now();
            if writes {
                write(&mut pair.client, b"anyone?").await.unwrap();
            }
            // Whatever heals, it is gone for good; a new one is not concerned.
            pair.heal();
            assert!(pair.network.connect(address()).await.is_ok());
            assert_eq!(read(&mut pair.client).await, Err(ErrorKind::TimedOut));
            assert_eq!(began.elapsed(), 60 * SECOND);
            let wrote = write(&mut pair.client, b"?").await;
            assert_eq!(wrote, Err(ErrorKind::TimedOut));
        });
    }
}

#[test]
fn a_name_may_be_met_with_silence() {
    run(async {
        let network = MemoryNetwork::new(CLIENT);
        let by = proxy::settings::DnsResolver::default();
        network.silence_name("x");
        let asking = network.resolve("x", 1, by);
        assert!(timeout(LONG, asking).await.is_err());
        network.set_name("x", &[SERVER]);
        assert!(network.resolve("x", 1, by).await.is_ok());
        assert_eq!(network.lookups("x"), 2);
    });
}
