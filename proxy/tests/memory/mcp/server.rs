//! An MCP server, as far as the proxy can tell it from a real one.

use crate::support::{Framing, Head, Wire};
use proxy::memory::MemoryNetwork;
use proxy::network::Network as _;
use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;

/// An MCP server. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    state: Rc<RefCell<State>>,
}

/// What a server does, and what it was asked.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) speaks: Speaks,
    /// The only place where it speaks.
    pub(crate) place: Option<&'static str>,
    /// Gives a session with `initialize`.
    pub(crate) keeps_sessions: bool,
    pub(crate) sessions: BTreeSet<String>,
    /// Sessions made so far.
    pub(crate) made: u32,
    /// What it calls itself.
    pub(crate) version: String,
    /// Answers as an event stream.
    pub(crate) streams: bool,
    /// Answers everything with this status and this line of its head.
    pub(crate) refuses: Option<(u16, &'static str)>,
    /// The result of `tools/list`.
    pub(crate) tools: String,
    /// The same for whoever shows this credential.
    pub(crate) tools_for: Option<(&'static str, String)>,
    /// Cuts the connection instead of answering this.
    pub(crate) cuts: Option<&'static str>,
    /// Answers `server/discover` with this status and code.
    pub(crate) refuses_discover: Option<(u16, i32)>,
    /// JSON-RPC methods, or HTTP methods of requests without a body, in order.
    pub(crate) asked: Vec<String>,
}

/// The eras a server serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Speaks {
    Both,
    Legacy,
    Modern,
}

impl Server {
    /// A server on host `10.0.0.host`.
    pub(crate) fn start(network: &MemoryNetwork, host: u8, speaks: Speaks) -> Self {
        let address = SocketAddr::from(([10, 0, 0, host], 80));
        let network = network.seen_from(address.ip());
        let listener = network.listen(network.bind(address).unwrap()).unwrap();
        let state = State {
            speaks,
            place: None,
            keeps_sessions: true,
            sessions: BTreeSet::new(),
            made: 0,
            version: "1".to_owned(),
            streams: false,
            refuses: None,
            tools: r#"{"tools":[]}"#.to_owned(),
            tools_for: None,
            cuts: None,
            refuses_discover: None,
            asked: Vec::new(),
        };
        let server = Self {
            state: Rc::new(RefCell::new(state)),
        };
        let serving = server.clone();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = network.accept(&listener).await {
                tokio::task::spawn_local(
                    serving
                        .clone()
                        .serve(Wire::new(proxy::tls::Wire::Plain(stream))),
                );
            }
        });
        server
    }

    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// How often it was asked this.
    pub(crate) fn count(&self, what: &str) -> usize {
        let state = self.state.borrow();
        state.asked.iter().filter(|asked| *asked == what).count()
    }

    /// It starts over: nothing of before is known any more.
    pub(crate) fn restart(&self) {
        self.state().sessions.clear();
    }

    async fn serve(self, mut wire: Wire) {
        while let Ok(head) = wire.head().await {
            let framing = head.framing(Framing::None).unwrap();
            let mut body = Vec::new();
            let whole = wire.body(framing, |piece| body.extend_from_slice(piece));
            if whole.await.is_err() {
                return;
            }
            let answer = self.answer(&head, &body);
            let cut = {
                let state = self.state();
                state.cuts.is_some() && state.asked.last().map(String::as_str) == state.cuts
            };
            if cut {
                return;
            }
            if wire.write(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, head: &Head, body: &[u8]) -> String {
        let message: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let verb = head.start.split(' ').next().unwrap().to_owned();
        let method = message["method"].as_str().map(str::to_owned);
        let mut state = self.state();
        state
            .asked
            .push(method.clone().unwrap_or_else(|| verb.clone()));
        if let Some((status, line)) = state.refuses {
            return reply(status, line, "text/plain", "no");
        }
        let path = head.start.split(' ').nth(1).unwrap();
        if state.place.is_some_and(|place| place != path) {
            return reply(404, "", "text/plain", "no such page");
        }
        let modern = head.get("mcp-protocol-version") == Some("2026-07-28");
        let served = match state.speaks {
            Speaks::Both => true,
            Speaks::Legacy => !modern,
            Speaks::Modern => modern,
        };
        let id = &message["id"];
        let error = |status, code: i32| {
            let text = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"no"}}}}"#
            );
            reply(status, "", "application/json", &text)
        };
        if verb != "POST" {
            let known = head.get("mcp-session-id");
            let ended = known.is_some_and(|id| state.sessions.remove(id));
            return match (verb.as_str(), ended) {
                ("DELETE", true) => reply(200, "", "text/plain", ""),
                ("DELETE", false) => error(404, -32001),
                _ => error(405, -32000),
            };
        }
        if !served {
            return error(if modern { 400 } else { 404 }, -32601);
        }
        let method = method.unwrap_or_default();
        let mut line = String::new();
        let credential = head.get("authorization");
        let answer = |result: &str| format!(r#"{{"result":{result},"jsonrpc":"2.0","id":{id}}}"#);
        let text = match (modern, method.as_str()) {
            (true, "server/discover") if state.refuses_discover.is_some() => {
                let (status, code) = state.refuses_discover.unwrap();
                return error(status, code);
            }
            (true, "server/discover") => answer(&format!(
                r#"{{"supportedVersions":["2026-07-28"],"capabilities":{{}},"ttlMs":0,"cacheScope":"public","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"s","version":"{}"}}}}}}"#,
                state.version
            )),
            (false, "initialize") => {
                if state.keeps_sessions {
                    state.made += 1;
                    let session = format!("session-{}", state.made);
                    line = format!("mcp-session-id: {session}\r\n");
                    state.sessions.insert(session);
                }
                answer(&format!(
                    r#"{{"protocolVersion":"2025-06-18","capabilities":{{}},"serverInfo":{{"name":"s","version":"{}"}}}}"#,
                    state.version
                ))
            }
            (false, _) if state.keeps_sessions => {
                let known = head.get("mcp-session-id");
                match known.map(|id| state.sessions.contains(id)) {
                    None => return error(400, -32600),
                    Some(false) => return error(404, -32001),
                    Some(true) => answer(&result(&state, &method, credential)),
                }
            }
            _ => answer(&result(&state, &method, credential)),
        };
        if message.get("id").is_none() {
            return reply(202, "", "text/plain", "");
        }
        if state.streams {
            let events = format!(": hello\n\nevent: message\ndata: {text}\n\n");
            return reply(200, &line, "text/event-stream", &events);
        }
        reply(200, &line, "application/json", &text)
    }
}

fn result(state: &State, method: &str, credential: Option<&str>) -> String {
    match (method, &state.tools_for) {
        ("tools/list", Some((who, tools))) if credential == Some(*who) => tools.clone(),
        ("tools/list", _) => state.tools.clone(),
        _ => "{}".to_owned(),
    }
}

fn reply(status: u16, line: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\n{line}content-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
