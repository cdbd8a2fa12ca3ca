//! A server of HTTP+SSE (MCP 2024-11-05), which forgets its streams when it dies.

use crate::support::{Broken, Framing, Wire, serve_each};
use proxy::memory::{MemoryNetwork, example};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use tokio::sync::mpsc;

/// A server of HTTP+SSE on a host of its own.
#[derive(Clone)]
pub(super) struct Server {
    host: u8,
    network: MemoryNetwork,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    streams: BTreeMap<String, mpsc::UnboundedSender<String>>,
    made: u32,
    seen: Vec<String>,
    credentials: Vec<String>,
    silent: bool,
    refuses: Option<&'static str>,
    dies: bool,
    requires: Option<&'static str>,
    capabilities: Option<&'static str>,
    version: Option<&'static str>,
}

impl Server {
    pub(super) fn start(network: &MemoryNetwork, host: u8) -> Self {
        let server = Self {
            host,
            network: network.seen_from(example::address(host).ip()),
            state: Rc::default(),
        };
        let accepting = server.clone();
        serve_each(network, host, move |mut wire| {
            let server = accepting.clone();
            async move { drop(server.serve(&mut wire).await) }
        });
        server
    }

    /// `kill -9`.
    pub(super) fn kill(&self) {
        self.network.kill(example::address(self.host).ip());
        self.state.borrow_mut().streams.clear();
    }

    pub(super) fn revive(&self) {
        self.network.restart(example::address(self.host).ip());
    }

    /// It ends its streams in order, as one does that is told to stop.
    pub(super) fn end_streams(&self) {
        self.state.borrow_mut().streams.clear();
    }

    /// It takes what it is asked, and answers nothing but `initialize`.
    pub(super) fn be_silent(&self) {
        self.state.borrow_mut().silent = true;
    }

    /// It answers messages with this status, and does nothing.
    pub(super) fn refuse(&self, status: Option<&'static str>) {
        self.state.borrow_mut().refuses = status;
    }

    /// It dies when it is asked next, before it says that it took it.
    pub(super) fn die_next(&self) {
        self.state.borrow_mut().dies = true;
    }

    pub(super) fn set_capabilities(&self, capabilities: &'static str) {
        self.state.borrow_mut().capabilities = Some(capabilities);
    }

    /// The revision that it speaks, if not that of the transport.
    pub(super) fn speak(&self, version: &'static str) {
        self.state.borrow_mut().version = Some(version);
    }

    /// It knows its streams no more; they stay open as long as what is given back here is kept.
    pub(super) fn forget(&self) -> Vec<mpsc::UnboundedSender<String>> {
        let streams = std::mem::take(&mut self.state.borrow_mut().streams);
        streams.into_values().collect()
    }

    /// Begins an event on all streams that is too long to be held back.
    pub(super) fn begin_huge_event(&self) {
        for stream in self.state.borrow().streams.values() {
            let huge = format!(": {}", "x".repeat(2 * 1024 * 1024));
            stream.send(huge).unwrap();
        }
    }

    /// It serves only whoever brings this.
    pub(super) fn require(&self, credential: &'static str) {
        self.state.borrow_mut().requires = Some(credential);
    }

    /// Says something on all streams.
    pub(super) fn say(&self, message: &str) {
        for stream in self.state.borrow().streams.values() {
            stream.send(data(message)).unwrap();
        }
    }

    /// How often a message had this in it.
    pub(super) fn count(&self, text: &str) -> usize {
        let state = self.state.borrow();
        state.seen.iter().filter(|seen| seen.contains(text)).count()
    }

    /// How many streams it has.
    pub(super) fn streams(&self) -> usize {
        self.state.borrow().streams.len()
    }

    /// The credentials it was brought.
    pub(super) fn credentials(&self) -> Vec<String> {
        self.state.borrow().credentials.clone()
    }

    async fn serve(&self, wire: &mut Wire) -> Result<(), Broken> {
        loop {
            let head = wire.head().await?;
            let framing = head.framing(Framing::None)?;
            let mut body = Vec::new();
            wire.body(framing, |piece| body.extend_from_slice(piece))
                .await?;
            let credential = head.get("authorization").unwrap_or_default();
            self.state
                .borrow_mut()
                .credentials
                .push(credential.to_owned());
            let required = self.state.borrow().requires;
            if required.is_some_and(|required| required != credential) {
                put(
                    wire,
                    "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
                )
                .await?;
                continue;
            }
            if head.start.starts_with("GET /sse ") {
                return self.stream(wire).await;
            }
            let target = head.start.split(' ').nth(1).unwrap_or_default();
            let (_, session) = target.split_once("session_id=").unwrap_or_default();
            if std::mem::take(&mut self.state.borrow_mut().dies) {
                self.state
                    .borrow_mut()
                    .seen
                    .push(String::from_utf8_lossy(&body).into_owned());
                self.kill();
                return Ok(());
            }
            let status = self.take(session, &String::from_utf8(body).unwrap());
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            put(wire, &answer).await?;
        }
    }

    async fn stream(&self, wire: &mut Wire) -> Result<(), Broken> {
        let (sender, mut events) = mpsc::unbounded_channel();
        let session = {
            let mut state = self.state.borrow_mut();
            state.made += 1;
            let session = format!("s{}-{}", self.host, state.made);
            state.streams.insert(session.clone(), sender);
            session
        };
        put(
            wire,
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .await?;
        let first = format!("event: endpoint\r\ndata: /messages?session_id={session}\r\n\r\n");
        put(wire, &chunk(&first)).await?;
        while let Some(event) = events.recv().await {
            put(wire, &chunk(&event)).await?;
        }
        put(wire, "0\r\n\r\n").await
    }

    /// Takes a message: the status it is answered with.
    fn take(&self, session: &str, body: &str) -> &'static str {
        let mut state = self.state.borrow_mut();
        if let Some(status) = state.refuses {
            return status;
        }
        let Some(stream) = state.streams.get(session).cloned() else {
            return "404 Not Found";
        };
        state.seen.push(body.to_owned());
        let message: Value = serde_json::from_str(body).unwrap();
        let (id, method) = (&message["id"], &message["method"]);
        if method == "initialize" {
            let capabilities = state.capabilities.unwrap_or("{}");
            let version = state.version.unwrap_or("2024-11-05");
            let result = format!(
                r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"serverInfo":{{"name":"s","version":"1"}}}}"#
            );
            drop(stream.send(answer(id, &result)));
        } else if !id.is_null() && !method.is_null() && !state.silent {
            drop(stream.send(answer(id, &format!(r#"{{"host":{}}}"#, self.host))));
        }
        "202 Accepted"
    }
}

fn answer(id: &Value, result: &str) -> String {
    data(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
    ))
}

fn data(message: &str) -> String {
    format!("event: message\r\ndata: {message}\r\n\r\n")
}

async fn put(wire: &mut Wire, text: &str) -> Result<(), Broken> {
    wire.write(text.as_bytes()).await.map_err(|_| Broken::Reset)
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}
