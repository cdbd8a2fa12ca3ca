//! A legacy MCP server of a few lines (MCP 2025-06-18), which forgets its sessions when it dies.

use super::host::serve_each;
use super::wire::{Broken, Framing, Wire};
use proxy::memory::{MemoryNetwork, example};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A legacy MCP server on a host of its own.
#[derive(Clone)]
pub(crate) struct McpServer {
    pub(crate) host: u8,
    network: MemoryNetwork,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a server has whims, and each is its own"
)]
struct State {
    /// With the credential they were made with.
    sessions: BTreeMap<String, Option<String>>,
    made: u32,
    seen: Vec<Seen>,
    capabilities: Option<String>,
    credential: Option<String>,
    /// Answer calls as events, and stop after so many of them.
    events: Option<usize>,
    /// Dies when it is asked next.
    dies: bool,
    /// Dies in the middle of its next answer.
    cuts: bool,
    /// Begins streams, and breaks them off before what they are for.
    falters: bool,
    /// A session is only for whom it was made for.
    owned: bool,
    /// What it says of sessions that it does not know, if not 404.
    unknown: Option<&'static str>,
    /// What it says to what it is asked next.
    refuses: Option<&'static str>,
    /// The event streams that are open.
    streams: Vec<mpsc::UnboundedSender<String>>,
    tools: Option<&'static str>,
    /// It lets its client poll for its next answer.
    polls: bool,
    /// It begins its next answer with an event id, and is long at work.
    primes: bool,
    /// How long it takes to make a session; how many it makes now, and the most it ever did at once.
    slow: Duration,
    making: usize,
    most: usize,
}

/// One message as the server saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) http: String,
    pub(crate) session: Option<String>,
    pub(crate) credential: Option<String>,
    pub(crate) last_event: Option<String>,
    pub(crate) body: String,
}

impl McpServer {
    pub(crate) fn start(network: &MemoryNetwork, host: u8) -> Self {
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

    /// `kill -9`: connections break, and with the process its sessions are gone.
    pub(crate) fn kill(&self) {
        self.network.kill(example::address(self.host).ip());
        self.state.borrow_mut().sessions.clear();
    }

    /// Starts it again, without its sessions.
    pub(crate) fn revive(&self) {
        self.network.restart(example::address(self.host).ip());
    }

    /// It forgets its sessions, and nothing else happens.
    pub(crate) fn forget(&self) {
        self.state.borrow_mut().sessions.clear();
    }

    /// It forgets all sessions but this one.
    pub(crate) fn forget_all_but(&self, session: &str) {
        self.state
            .borrow_mut()
            .sessions
            .retain(|other, _| other == session);
    }

    /// Its sessions are for whom they were made for, and unknown to others.
    pub(crate) fn own_sessions(&self) {
        self.state.borrow_mut().owned = true;
    }

    /// What it says of sessions that it does not know.
    pub(crate) fn set_unknown(&self, status: &'static str) {
        self.state.borrow_mut().unknown = Some(status);
    }

    /// What it says to what it is asked next.
    pub(crate) fn refuse_next(&self, status: &'static str) {
        self.state.borrow_mut().refuses = Some(status);
    }

    /// The tools that it shows.
    pub(crate) fn set_tools(&self, tools: &'static str) {
        self.state.borrow_mut().tools = Some(tools);
    }

    /// Says something on all event streams that are open.
    pub(crate) fn say(&self, message: &str) {
        for stream in &self.state.borrow().streams {
            drop(stream.send(format!("data: {message}\n\n")));
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.borrow().seen.clone()
    }

    /// How often the body of a message had this in it.
    pub(crate) fn count(&self, text: &str) -> usize {
        let seen = self.seen();
        seen.iter().filter(|seen| seen.body.contains(text)).count()
    }

    pub(crate) fn sessions(&self) -> usize {
        self.state.borrow().sessions.len()
    }

    /// It says of itself what is not usual.
    pub(crate) fn set_capabilities(&self, capabilities: &str) {
        self.state.borrow_mut().capabilities = Some(capabilities.to_owned());
    }

    /// It takes sessions only from whoever brings this.
    pub(crate) fn require(&self, credential: &str) {
        self.state.borrow_mut().credential = Some(credential.to_owned());
    }

    /// It takes so long to make a session.
    pub(crate) fn be_slow(&self, time: Duration) {
        self.state.borrow_mut().slow = time;
    }

    /// How many sessions it made at once, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state.borrow().most
    }

    /// It gives an event id in place of its next answer, and ends the stream.
    pub(crate) fn poll_next(&self) {
        self.state.borrow_mut().polls = true;
    }

    /// It gives an event id before its next answer, which takes for ever.
    pub(crate) fn prime_next(&self) {
        self.state.borrow_mut().primes = true;
    }

    /// It answers calls with events, and dies after so many.
    pub(crate) fn die_after_events(&self, events: usize) {
        self.state.borrow_mut().events = Some(events);
    }

    /// It dies when it is asked next, before it answers.
    pub(crate) fn die_next(&self) {
        self.state.borrow_mut().dies = true;
    }

    /// It dies in the middle of its next answer.
    pub(crate) fn cut_next(&self) {
        self.state.borrow_mut().cuts = true;
    }

    /// It answers with events, and breaks off before the response; its other streams break off, too.
    pub(crate) fn falter(&self) {
        self.state.borrow_mut().falters = true;
    }

    async fn serve(&self, wire: &mut Wire) -> Result<(), Broken> {
        loop {
            let head = wire.head().await?;
            let framing = head.framing(Framing::None)?;
            let mut body = Vec::new();
            wire.body(framing, |piece| body.extend_from_slice(piece))
                .await?;
            let body = String::from_utf8(body).unwrap();
            let field = |name| head.get(name).map(str::to_owned);
            let session = field("mcp-session-id");
            let seen = Seen {
                http: head.start.split(' ').next().unwrap_or_default().to_owned(),
                session: session.clone(),
                credential: field("authorization"),
                last_event: field("last-event-id"),
                body: body.clone(),
            };
            self.state.borrow_mut().seen.push(seen.clone());
            if std::mem::take(&mut self.state.borrow_mut().dies) {
                self.kill();
                return Ok(());
            }
            if std::mem::take(&mut self.state.borrow_mut().cuts) {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";
                put(wire, head.as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
                self.kill();
                return Ok(());
            }
            self.answer(wire, &seen).await?;
        }
    }

    async fn answer(&self, wire: &mut Wire, seen: &Seen) -> Result<(), Broken> {
        let id = id(&seen.body);
        let known = seen.session.as_ref().is_some_and(|session| {
            let state = self.state.borrow();
            let owner = state.sessions.get(session);
            owner.is_some_and(|owner| !state.owned || *owner == seen.credential)
        });
        let wanted = self.state.borrow().credential.clone();
        if wanted.is_some() && wanted != seen.credential {
            let challenge = format!(
                "www-authenticate: Bearer resource_metadata=\"http://10.0.0.{}/.well-known/oauth-protected-resource/mcp\"\r\n",
                self.host
            );
            return respond(wire, "401 Unauthorized", &challenge, "").await;
        }
        if seen.body.contains("\"initialize\"") {
            let slow = {
                let mut state = self.state.borrow_mut();
                state.making += 1;
                state.most = state.most.max(state.making);
                state.slow
            };
            tokio::time::sleep(slow).await;
            self.state.borrow_mut().making -= 1;
            let session = {
                let mut state = self.state.borrow_mut();
                state.made += 1;
                let session = format!("s{}-{}", self.host, state.made);
                let owner = seen.credential.clone();
                state.sessions.insert(session.clone(), owner);
                session
            };
            let capabilities = self.state.borrow().capabilities.clone();
            let capabilities = capabilities.unwrap_or_else(|| r#"{"tools":{}}"#.to_owned());
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"protocolVersion":"2025-06-18","capabilities":{capabilities},"serverInfo":{{"name":"s","version":"1"}}}}}}"#
            );
            let fields = format!("mcp-session-id: {session}\r\n");
            return respond(wire, "200 OK", &fields, &body).await;
        }
        if !known {
            let status = self.state.borrow().unknown.unwrap_or("404 Not Found");
            return respond(wire, status, "", "no such session").await;
        }
        let refuses = self.state.borrow_mut().refuses.take();
        if let Some(status) = refuses {
            return respond(wire, status, "", "no").await;
        }
        match seen.http.as_str() {
            "DELETE" => {
                let session = seen.session.clone().unwrap_or_default();
                self.state.borrow_mut().sessions.remove(&session);
                respond(wire, "200 OK", "", "").await
            }
            "GET" => {
                put(wire, EVENTS).await?;
                let hello = format!("data: {{\"hello\":{}}}\n\n", self.host);
                put(wire, chunk(&hello).as_bytes()).await?;
                if self.state.borrow().falters {
                    return Err(Broken::Reset);
                }
                let (sender, mut events) = mpsc::unbounded_channel();
                self.state.borrow_mut().streams.push(sender);
                while let Some(event) = events.recv().await {
                    put(wire, chunk(&event).as_bytes()).await?;
                }
                Ok(())
            }
            _ if seen.body.contains("\"tools/") && self.state.borrow().falters => {
                put(wire, EVENTS).await?;
                put(wire, chunk("data: {}\n\n").as_bytes()).await?;
                put(wire, b"0\r\n\r\n").await
            }
            _ if seen.body.contains("\"id\"") && seen.body.contains("\"method\"") => {
                self.result(wire, seen, &id).await
            }
            _ => respond(wire, "202 Accepted", "", "").await,
        }
    }

    async fn result(&self, wire: &mut Wire, seen: &Seen, id: &str) -> Result<(), Broken> {
        let events = self.state.borrow_mut().events.take();
        let tools = self.state.borrow().tools;
        if let (Some(tools), true) = (tools, seen.body.contains("tools/list")) {
            let list = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":{tools}}}}}"#);
            return respond(wire, "200 OK", "", &list).await;
        }
        let result = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"host":{}}}}}"#,
            self.host
        );
        if std::mem::take(&mut self.state.borrow_mut().polls) {
            put(wire, EVENTS).await?;
            put(wire, chunk("id: e1\nretry: 50\ndata:\n\n").as_bytes()).await?;
            put(wire, b"0\r\n\r\n").await?;
            return Ok(());
        }
        if std::mem::take(&mut self.state.borrow_mut().primes) {
            put(wire, EVENTS).await?;
            put(wire, chunk("id: e1\nretry: 50\ndata:\n\n").as_bytes()).await?;
            std::future::pending::<()>().await;
        }
        let Some(events) = events else {
            return respond(wire, "200 OK", "", &result).await;
        };
        put(wire, EVENTS).await?;
        for step in 1..=events {
            let event = format!(
                "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progress\":{step}}}}}\n\n"
            );
            put(wire, chunk(&event).as_bytes()).await?;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.kill();
        Ok(())
    }
}

async fn respond(wire: &mut Wire, status: &str, fields: &str, body: &str) -> Result<(), Broken> {
    let answer = format!(
        "HTTP/1.1 {status}\r\n{fields}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    put(wire, answer.as_bytes()).await
}

async fn put(wire: &mut Wire, bytes: &[u8]) -> Result<(), Broken> {
    wire.write(bytes).await.map_err(|_| Broken::Reset)
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// The id of a message, as JSON.
fn id(body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    value["id"].to_string()
}

const EVENTS: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
