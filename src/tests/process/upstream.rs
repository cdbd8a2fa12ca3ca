//! A server to stand behind the proxy: it answers whatever it is asked, as HTTP or as JSON-RPC, and
//! says what it saw of the request.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// What every answer holds.
pub(crate) const MARK: &str = "answered-upstream";

/// A server. Its threads end with the test process.
pub(crate) struct Upstream {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// A message for each request to `/hold`, which then waits for its release.
    held: Receiver<Sender<()>>,
}

impl Upstream {
    /// Starts a server.
    pub(crate) fn start() -> Self {
        Self::with(None, json!({}))
    }

    /// Starts a server that says this besides in each result.
    pub(crate) fn saying(more: Value) -> Self {
        Self::with(None, more)
    }

    /// Starts a server that speaks TLS.
    pub(crate) fn secure(config: Arc<ServerConfig>) -> Self {
        Self::with(Some(config), json!({}))
    }

    fn with(tls: Option<Arc<ServerConfig>>, more: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, held) = channel();
        let holding = Arc::new(Mutex::new(sender));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let holding = Arc::clone(&holding);
                let (tls, more) = (tls.clone(), more.clone());
                // A client that breaks off is no news.
                std::thread::spawn(move || {
                    drop(match tls {
                        None => serve(stream, &holding, &more),
                        Some(tls) => {
                            let session = ServerConnection::new(tls).unwrap();
                            serve(StreamOwned::new(session, stream), &holding, &more)
                        }
                    });
                });
            }
        });
        Self { address, held }
    }

    /// Waits for a request to `/hold`. Dropping what this gives lets it go on.
    pub(crate) fn hold(&self) -> Sender<()> {
        self.held.recv_timeout(super::program::PATIENCE).unwrap()
    }
}

/// Waits until the test lets the request go on.
fn hold(holding: &Mutex<Sender<Sender<()>>>) {
    let (sender, release) = channel();
    holding.lock().unwrap().send(sender).unwrap();
    // Nothing is ever sent: the release is that the other end goes.
    release.recv().unwrap_err();
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn serve<S: Read + Write>(
    stream: S,
    holding: &Mutex<Sender<Sender<()>>>,
    more: &Value,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut seen = vec![request.trim_end().to_owned()];
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let header = header.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            seen.push(header.clone());
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if request.contains(" /hold ") {
            hold(holding);
        }
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let mut answer = json!({
            "jsonrpc": "2.0",
            "id": message["id"],
            "result": {"resultType": "complete", "mark": MARK, "tools": [], "content": [], "seen": seen},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            answer["result"][key] = value.clone();
        }
        let answer = answer.to_string();
        write!(
            reader.get_mut(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len(),
        )?;
    }
}
