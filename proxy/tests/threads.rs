//! Threads share what comes in, over real sockets: the in-memory network has one thread.

use bytes::Bytes;
use proxy::clock::ClockSource;
use proxy::hooks::{Flow, Hooks, Reply, Target};
use proxy::network::SystemNetwork;
use proxy::server::{Server, ServerSettings};
use proxy::session::{ConnectionInfo, Session};
use proxy::settings::ListenerSettings;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

/// Answers by itself, and notes which thread serves which client.
#[derive(Default)]
struct Notes(Mutex<BTreeMap<SocketAddr, ThreadId>>);

impl Hooks for Notes {
    type Ctx = ();

    fn new_ctx(&self, _: &ConnectionInfo) {}

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> Flow {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = std::thread::current().id();
        notes.extend(session.connection.client.map(|client| (client, thread)));
        Flow::Respond(Reply::new(Bytes::from_static(b"here")))
    }

    async fn upstream_group(&self, _: &mut Session, (): &mut ()) -> Result<Target, Reply> {
        Err(Reply::new(Bytes::new()))
    }
}

/// Asks once, and reads the answer.
fn ask(client: &mut TcpStream, last: bool) -> io::Result<()> {
    let connection = if last { "close" } else { "keep-alive" };
    write!(
        client,
        "GET / HTTP/1.1\r\nhost: h\r\nconnection: {connection}\r\n\r\n"
    )?;
    let mut read = Vec::new();
    let mut piece = [0; 1024];
    while !read.ends_with(b"here") {
        let count = client.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&piece[..count]);
    }
    Ok(())
}

#[test]
fn connections_that_stay_are_spread_though_others_come_and_go() {
    let notes = Arc::new(Notes::default());
    let settings = ServerSettings {
        threads: 2,
        listeners: vec![ListenerSettings::new(SocketAddr::from(([127, 0, 0, 1], 0)))],
        ..ServerSettings::default()
    };
    let network = SystemNetwork::default();
    let clock = ClockSource::system();
    let server = Server::bind(network, Arc::clone(&notes), clock, &settings).unwrap();
    let address = server.addresses()[0].tcp().unwrap();
    let control = server.control();
    let running = server.start().unwrap();
    let mut staying = Vec::new();
    for number in 0..32 {
        let mut client = TcpStream::connect(address).unwrap();
        ask(&mut client, false).unwrap();
        staying.push(client);
        for _ in 0..number % 4 {
            let mut passing = TcpStream::connect(address).unwrap();
            ask(&mut passing, true).unwrap();
            // Closed before the next comes, so what it weighed is forgotten.
            assert_eq!(passing.read(&mut [0]).unwrap(), 0);
        }
    }
    let mut loads = BTreeMap::new();
    for client in &mut staying {
        ask(client, false).unwrap();
        let notes = notes.0.lock().unwrap();
        let thread = notes[&client.local_addr().unwrap()];
        *loads.entry(format!("{thread:?}")).or_insert(0) += 1;
    }
    drop(staying);
    control.shutdown();
    running.wait().unwrap();
    // No thread has more than 60 %.
    assert_eq!(loads.values().sum::<u32>(), 32);
    assert!(loads.values().all(|load| *load <= 19), "{loads:?}");
}
