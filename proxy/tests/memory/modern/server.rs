//! An MCP server of the modern era that understands nothing but what it gave out itself.

use crate::support::{Broken, Framing, Wire, serve_each};
use proxy::memory::{MemoryNetwork, example};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A server on a host of its own. Clones are the same one.
#[derive(Clone)]
pub(super) struct Modern {
    pub(super) host: u8,
    network: MemoryNetwork,
    state: Rc<RefCell<State>>,
}

struct State {
    /// Answers as events.
    streams: bool,
    /// Gives lists in two pages.
    pages: bool,
    /// What it does not tell listeners of.
    silent_on: Vec<&'static str>,
    mood: Mood,
    /// Thinks so long before it opens a stream.
    slow: Duration,
    seen: Vec<Value>,
    tasks: u32,
    listeners: Vec<UnboundedSender<Say>>,
    connections: u32,
}

/// How a server treats who asks it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mood {
    /// It answers nothing.
    Hangs,
    /// It ends streams of listeners at once.
    Hurries,
    /// It answers listeners with this status line.
    Refuses(&'static str),
    Serves,
}

/// What a server does on the streams of its listeners.
#[derive(Clone, Debug)]
enum Say {
    /// Sends an event.
    Event(Value),
    /// Sends this.
    Raw(String),
    /// Ends them in order.
    End,
}

impl Modern {
    pub(super) fn start(network: &MemoryNetwork, host: u8) -> Self {
        let server = Self {
            host,
            network: network.seen_from(example::address(host).ip()),
            state: Rc::new(RefCell::new(State {
                streams: false,
                pages: true,
                silent_on: Vec::new(),
                mood: Mood::Serves,
                slow: Duration::ZERO,
                seen: Vec::new(),
                tasks: 0,
                listeners: Vec::new(),
                connections: 0,
            })),
        };
        let accepting = server.clone();
        serve_each(network, host, move |mut wire| {
            let server = accepting.clone();
            server.state.borrow_mut().connections += 1;
            async move { drop(server.serve(&mut wire).await) }
        });
        server
    }

    /// `kill -9`.
    pub(super) fn kill(&self) {
        self.network.kill(example::address(self.host).ip());
        self.state.borrow_mut().listeners.clear();
    }

    pub(super) fn revive(&self) {
        self.network.restart(example::address(self.host).ip());
    }

    /// It answers as events from now on.
    pub(super) fn stream(&self) {
        self.state.borrow_mut().streams = true;
    }

    /// It gives whole lists from now on.
    pub(super) fn list_whole(&self) {
        self.state.borrow_mut().pages = false;
    }

    /// It does not tell listeners of this.
    pub(super) fn be_silent_on(&self, kind: &'static str) {
        self.state.borrow_mut().silent_on.push(kind);
    }

    /// It answers listeners with this status line from now on.
    pub(super) fn refuse(&self, status: Option<&'static str>) {
        self.state.borrow_mut().mood = status.map_or(Mood::Serves, Mood::Refuses);
    }

    /// It ends the streams of listeners at once, without a result.
    pub(super) fn hurry(&self) {
        self.state.borrow_mut().mood = Mood::Hurries;
    }

    /// It thinks so long before it opens a stream.
    pub(super) fn think(&self, slow: Duration) {
        self.state.borrow_mut().slow = slow;
    }

    /// It answers nothing from now on.
    pub(super) fn hang(&self) {
        self.state.borrow_mut().mood = Mood::Hangs;
    }

    /// What it was asked by this method.
    pub(super) fn seen(&self, method: &str) -> Vec<Value> {
        let state = self.state.borrow();
        let seen = state.seen.iter().filter(|seen| seen["method"] == method);
        seen.cloned().collect()
    }

    /// Connections it took.
    pub(super) fn connections(&self) -> u32 {
        self.state.borrow().connections
    }

    /// Tells every listener that its tools have changed.
    pub(super) fn change_tools(&self) {
        self.say(&Say::Event(
            json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {"_meta": {SUBSCRIPTION: "l"}, "host": self.host}}),
        ));
    }

    /// Tells every listener of a task.
    pub(super) fn tell_of(&self, task: &str) {
        self.say(&Say::Event(
            json!({"jsonrpc": "2.0", "method": "notifications/tasks", "params": {"_meta": {SUBSCRIPTION: "l"}, "taskId": task}}),
        ));
    }

    /// Begins an event on every listener's stream that is too long to be held back.
    pub(super) fn begin_huge_event(&self) {
        self.say(&Say::Raw(format!(": {}", "x".repeat(2 * 1024 * 1024))));
    }

    /// Ends every listener's stream in order.
    pub(super) fn end_streams(&self) {
        self.say(&Say::End);
    }

    fn mood(&self) -> Mood {
        self.state.borrow().mood
    }

    fn say(&self, what: &Say) {
        let mut state = self.state.borrow_mut();
        state
            .listeners
            .retain(|listener| listener.send(what.clone()).is_ok());
    }

    async fn serve(&self, wire: &mut Wire) -> Result<(), Broken> {
        loop {
            let head = wire.head().await?;
            let framing = head.framing(Framing::None)?;
            let mut body = Vec::new();
            wire.body(framing, |piece| body.extend_from_slice(piece))
                .await?;
            let message: Value = serde_json::from_slice(&body).unwrap();
            self.state.borrow_mut().seen.push(message.clone());
            if self.mood() == Mood::Hangs {
                std::future::pending::<()>().await;
            }
            if message["method"] == "subscriptions/listen" {
                self.listen(wire, &message).await?;
                continue;
            }
            let id = &message["id"];
            let (status, answer) = match self.answer(&message) {
                Ok(result) => (
                    "200 OK",
                    json!({"jsonrpc": "2.0", "id": id, "result": result}),
                ),
                Err(code) => (
                    if code == -32601 {
                        "404 Not Found"
                    } else {
                        "400 Bad Request"
                    },
                    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "no"}}),
                ),
            };
            let streams = self.state.borrow().streams && status == "200 OK";
            let (kind, text) = if streams {
                let progress =
                    json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}});
                let text = format!(
                    ": hi\n\ndata: {progress}\n\nevent: message\r\nid: 1\r\ndata: {answer}\r\n\r\n"
                );
                ("text/event-stream", text)
            } else {
                ("application/json", answer.to_string())
            };
            let length = text.len();
            let whole = format!(
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{text}"
            );
            put(wire, whole.as_bytes()).await?;
        }
    }

    fn answer(&self, message: &Value) -> Result<Value, i32> {
        let host = self.host;
        let mut state = self.state.borrow_mut();
        let params = &message["params"];
        let mine = |value: &Value| value.as_str().is_some_and(|text| text == token(host));
        match message["method"].as_str().unwrap_or_default() {
            "tools/list" if !state.pages => Ok(json!({"tools": [{"name": "t"}]})),
            "tools/list" => match &params["cursor"] {
                Value::Null => Ok(json!({"tools": [], "nextCursor": token(host), "host": host})),
                cursor if mine(cursor) => Ok(json!({"tools": [], "host": host})),
                _ => Err(-32602),
            },
            "tools/call" if params["name"] == "task" => {
                state.tasks += 1;
                let id = format!("task {} of {host}", state.tasks);
                Ok(json!({"resultType": "task", "taskId": id, "status": "working"}))
            }
            "tools/call" if params["name"] == "long" => {
                Ok(json!({"text": "x".repeat(5 * 1024 * 1024)}))
            }
            "tools/call" if params["name"] == "ask" => match &params["requestState"] {
                Value::Null => {
                    Ok(json!({"resultType": "input_required", "requestState": token(host)}))
                }
                given if mine(given) => Ok(json!({"resultType": "complete", "host": host})),
                _ => Err(-32602),
            },
            "tasks/get" | "tasks/cancel" | "tasks/update" => {
                let id = params["taskId"].as_str().unwrap_or_default();
                if !id.ends_with(&format!("of {host}")) {
                    return Err(-32602);
                }
                Ok(json!({"resultType": "complete", "taskId": id, "host": host}))
            }
            "unknown" => Err(-32601),
            _ => Ok(json!({"host": host})),
        }
    }

    async fn listen(&self, wire: &mut Wire, message: &Value) -> Result<(), Broken> {
        if let Mood::Refuses(status) = self.mood() {
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nno");
            return put(wire, head.as_bytes()).await;
        }
        let slow = self.state.borrow().slow;
        tokio::time::sleep(slow).await;
        put(wire, EVENTS).await?;
        if self.mood() == Mood::Hurries {
            return put(wire, b"0\r\n\r\n").await;
        }
        let id = &message["id"];
        let mut honoured = message["params"]["notifications"].clone();
        let silent = self.state.borrow().silent_on.clone();
        let object = honoured.as_object_mut().unwrap();
        object.retain(|kind, _| !silent.contains(&kind.as_str()));
        let promise = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {"notifications": honoured, "host": self.host, "_meta": {SUBSCRIPTION: id}}});
        let (sender, receiver) = unbounded_channel();
        self.state.borrow_mut().listeners.push(sender);
        // In two pieces, as the network may cut it.
        let event = format!(": hello\n\nevent: message\ndata: {promise}\n\n");
        let (one, two) = event.split_at(30);
        put(wire, &chunk(one)).await?;
        tokio::task::yield_now().await;
        put(wire, &chunk(two)).await?;
        Self::tell(wire, receiver, id).await
    }

    async fn tell(
        wire: &mut Wire,
        mut receiver: UnboundedReceiver<Say>,
        id: &Value,
    ) -> Result<(), Broken> {
        while let Some(say) = receiver.recv().await {
            match say {
                Say::Event(event) => put(wire, &chunk(&format!("data: {event}\n\n"))).await?,
                Say::Raw(text) => put(wire, &chunk(&text)).await?,
                Say::End => {
                    let end = json!({"jsonrpc": "2.0", "id": id, "result": {"resultType": "complete", "_meta": {SUBSCRIPTION: id}}});
                    put(wire, &chunk(&format!("data: {end}\n\n"))).await?;
                    return put(wire, b"0\r\n\r\n").await;
                }
            }
        }
        Err(Broken::Reset)
    }
}

/// What a server gives out, and nobody else understands: every kind of character.
pub(super) fn token(host: u8) -> String {
    format!("{host}:\"é\\/\n\u{1f600} bs1.")
}

async fn put(wire: &mut Wire, bytes: &[u8]) -> Result<(), Broken> {
    wire.write(bytes).await.map_err(|_| Broken::Reset)
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
const EVENTS: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
