//! The client: it keeps calling a read-only tool in the modern era (MCP 2026-07-28).

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;

use super::whoami::TOOL;

/// One call, as its caller saw it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// From the first byte sent to the last received.
    pub(super) took: Duration,
    /// Who answered, or what went wrong.
    pub(super) answer: Result<String, String>,
}

/// Starts to call, on a thread of its own, until nobody wants to know any more.
///
/// # Errors
/// No thread or no runtime.
pub(super) fn start(proxy: SocketAddr, calls: UnboundedSender<Call>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = std::thread::Builder::new().name("demo-caller".to_owned());
    thread.spawn(move || {
        runtime.block_on(async {
            for number in 0..CALLERS {
                tokio::spawn(call_on(proxy, number, calls.clone()));
            }
            calls.closed().await;
        });
    })?;
    Ok(())
}

async fn call_on(proxy: SocketAddr, caller: usize, calls: UnboundedSender<Call>) {
    let mut connection = None;
    for number in 0_u64.. {
        let request = request(proxy, &format!("{caller}-{number}"));
        let began = Instant::now();
        let asked = tokio::time::timeout(PATIENCE, ask(proxy, &mut connection, request)).await;
        let answer = asked.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        if answer.is_err() {
            // What is left of an answer must not be taken for the next.
            connection = None;
        }
        let took = began.elapsed();
        if calls.send(Call { took, answer }).is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sends a request, on a new connection if there is none, and reads who answered.
async fn ask(
    proxy: SocketAddr,
    connection: &mut Option<SendRequest<Full<Bytes>>>,
    request: Request<Full<Bytes>>,
) -> Result<String, String> {
    let text = |error: hyper::Error| error.to_string();
    let open = connection.take().filter(|sender| !sender.is_closed());
    let mut sender = match open {
        Some(sender) => sender,
        None => connect(proxy).await?,
    };
    sender.ready().await.map_err(text)?;
    let answer = sender.send_request(request).await.map_err(text)?;
    let name = read(answer).await?;
    *connection = Some(sender);
    Ok(name)
}

async fn connect(proxy: SocketAddr) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(proxy)
        .await
        .map_err(|error| error.to_string())?;
    // Without it small requests wait for the acknowledgement of the one before.
    drop(stream.set_nodelay(true));
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

/// `tools/call`, with all that the modern era wants: the version, the mirrored headers, `_meta`
/// (MCP 2026-07-28, "Streamable HTTP").
fn request(proxy: SocketAddr, id: &str) -> Request<Full<Bytes>> {
    let body = json!({
        "jsonrpc": "2.0",
        "id": id,
        "method": "tools/call",
        "params": {
            "name": TOOL,
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": VERSION,
                "io.modelcontextprotocol/clientInfo": {"name": "backstay-demo", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    let mut request = Request::new(Full::from(body.to_string()));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("/mcp");
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::from_str(&proxy.to_string()) {
        headers.insert(header::HOST, host);
    }
    for (name, value) in [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "tools/call"),
        ("mcp-name", TOOL),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    request
}

async fn read(answer: Response<Incoming>) -> Result<String, String> {
    let status = answer.status();
    let body = answer.into_body().collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    name_in(&text).ok_or_else(|| format!("{status}: {}", text.trim()))
}

/// Who answered, from a JSON body or from the one event of a stream.
fn name_in(body: &str) -> Option<String> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let message = data.chain([body]).find_map(|text| {
        let message: Value = serde_json::from_str(text.trim()).ok()?;
        message.get("result").cloned()
    })?;
    let name = message.pointer("/content/0/text")?.as_str()?;
    Some(name.to_owned())
}

/// Enough that some call is in flight whenever a server is killed.
const CALLERS: usize = 4;
/// Between two calls of one caller: some 300 calls per second in all.
const PAUSE: Duration = Duration::from_millis(10);
/// Far above anything that the proxy may take.
const PATIENCE: Duration = Duration::from_secs(30);
const VERSION: &str = "2026-07-28";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_in_both_kinds_of_answers() {
        let result =
            r#"{"jsonrpc":"2.0","id":"1","result":{"content":[{"type":"text","text":"eu"}]}}"#;
        let error = r#"{"jsonrpc":"2.0","id":"1","error":{"code":-32000,"message":"no"}}"#;
        let rows = [
            (result.to_owned(), Some("eu")),
            (format!("event: message\ndata: {result}\n\n"), Some("eu")),
            (format!(": hello\n\ndata:\n\ndata:{result}\n\n"), Some("eu")),
            (error.to_owned(), None),
            (String::new(), None),
        ];
        for (body, expected) in rows {
            assert_eq!(name_in(&body).as_deref(), expected, "{body}");
        }
    }
}
