//! The load of the kill tests: many connections, one request at a time on each, as fast as the answers come.
//!
//! Raw sockets and streams, so that nothing repeats a request behind our back and that "cut after its first byte" is visible.
//! Lines on stdin: `stat` prints the counts so far; anything else, or the end, stops and prints the last counts.

mod door;
mod exchange;
mod request;
mod stream;

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use door::Door;
use exchange::{Answer, Connection, End};
use request::{Call, Kind};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

struct Load {
    /// As many as carry eight requests at once over HTTP/2.
    doors: Vec<Door>,
    kind: Kind,
    stop: AtomicBool,
    succeeded: AtomicU64,
    failed: AtomicU64,
    cut: AtomicU64,
    slowest_milliseconds: AtomicU64,
    /// The first failures, word for word.
    samples: Mutex<Vec<String>>,
    /// One line for each call: its id, and what its caller was told.
    log: Option<Mutex<File>>,
}

impl Load {
    fn counts(&self) -> Value {
        json!({
            "succeeded": self.succeeded.load(Ordering::Relaxed),
            "failed": self.failed.load(Ordering::Relaxed),
            "cut": self.cut.load(Ordering::Relaxed),
            "slowest_milliseconds": self.slowest_milliseconds.load(Ordering::Relaxed),
            "samples": *self.samples.lock().expect("no panic holds it"),
        })
    }

    fn sample(&self, what: String) {
        let mut samples = self.samples.lock().expect("no panic holds it");
        if samples.len() < 10 {
            samples.push(what);
        }
    }

    /// Books one exchange and says what its caller was told, in a word.
    fn book(&self, call: &Call, end: &End) -> String {
        match end {
            End::Answered(answer) if call.is_answered_by(answer) => {
                self.succeeded.fetch_add(1, Ordering::Relaxed);
                "ok".to_owned()
            }
            End::Answered(answer) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.sample(format!(
                    "{} was answered {}: {:.500}",
                    call.name, answer.status, answer.body
                ));
                told(answer)
            }
            End::Cut(error) => {
                self.cut.fetch_add(1, Ordering::Relaxed);
                self.sample(format!("{} was cut: {error}", call.name));
                "cut".to_owned()
            }
            End::Lost(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.sample(format!("{} got no byte: {error}", call.name));
                "lost".to_owned()
            }
        }
    }

    fn log(&self, call: &Call, told: &str) {
        if let Some(log) = &self.log {
            let line = format!("{} {told}\n", call.name);
            let written = log
                .lock()
                .expect("no panic holds it")
                .write_all(line.as_bytes());
            written.expect("the log takes a line");
        }
    }

    async fn connection(self: Arc<Self>, number: u64) {
        let mut connection = None;
        let mut session = None;
        let mut turn = 0;
        let door = &self.doors[number as usize % self.doors.len()];
        while !self.stop.load(Ordering::Relaxed) {
            turn += 1;
            let call = Call::new(self.kind, number, turn, session.as_ref());
            let started = Instant::now();
            let (end, left) = Connection::exchange(connection.take(), door, &call).await;
            connection = left;
            let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.slowest_milliseconds.fetch_max(took, Ordering::Relaxed);
            let told = self.book(&call, &end);
            if call.is_counted {
                self.log(&call, &told);
            }
            if let End::Answered(answer) = &end {
                session = call.session_after(answer, session);
            }
            if turn % SESSION_TURNS == 0 {
                session = None;
            }
            if told != "ok" {
                // A caller that fails does not come back at once, and the test is not about a spinning one.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

/// What an error says of the delivery; 404 to a session id says that nothing was done.
fn told(answer: &Answer) -> String {
    let message = answer.message();
    match message["error"]["data"]["delivery"].as_str() {
        Some(delivery) => delivery.to_owned(),
        None if answer.status == 404 => "no_session".to_owned(),
        None => format!("status_{}", answer.status),
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: load ADDRESS CONNECTIONS (reads|counts|session-counts|posts) [--http2] [--ca FILE] [LOG]";
    let address = arguments.next().expect(usage);
    let connections: u64 = arguments
        .next()
        .and_then(|each| each.parse().ok())
        .expect(usage);
    let kind = arguments
        .next()
        .and_then(|each| Kind::parse(&each))
        .expect(usage);
    let (mut http2, mut authority, mut log) = (false, None, None);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--http2" => http2 = true,
            "--ca" => authority = Some(PathBuf::from(arguments.next().expect(usage))),
            path => log = Some(Mutex::new(File::create(path).expect("the log opens"))),
        }
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let door = || Door::new(address.clone(), authority.as_deref(), http2);
    let doors: std::io::Result<Vec<_>> = (0..connections.div_ceil(8)).map(|_| door()).collect();
    let load = Arc::new(Load {
        doors: doors.expect("the authority is read"),
        kind,
        stop: AtomicBool::new(false),
        succeeded: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        cut: AtomicU64::new(0),
        slowest_milliseconds: AtomicU64::new(0),
        samples: Mutex::new(Vec::new()),
        log,
    });
    let running: Vec<_> = (0..connections)
        .map(|number| tokio::spawn(Arc::clone(&load).connection(number)))
        .collect();
    let mut commands = BufReader::new(stdin()).lines();
    while let Ok(Some(command)) = commands.next_line().await {
        if command != "stat" {
            break;
        }
        println!("{}", load.counts());
    }
    load.stop.store(true, Ordering::Relaxed);
    for connection in running {
        connection.await.expect("no connection panics");
    }
    println!("{}", load.counts());
}

/// Sessions end now and then, because only a new one can go to a peer that has come back.
const SESSION_TURNS: u64 = 25;
