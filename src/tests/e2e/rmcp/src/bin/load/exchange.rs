//! One request and its answer, on a raw socket if HTTP/1.1 is spoken.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

use crate::door::{Door, Stream};
use crate::request::Call;
use crate::stream;

/// A connection of HTTP/1.1 that is fit for a further request.
pub struct Connection(BufReader<Box<dyn Stream>>);

/// A complete answer.
#[derive(Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The whole body, without the framing of chunks.
    pub body: String,
    /// The MCP session id, if the answer gives one.
    pub session: Option<String>,
    /// Whether the connection ends with it.
    pub is_last: bool,
}

/// How an exchange ended.
pub enum End {
    /// With an answer.
    Answered(Answer),
    /// After the first byte of the answer and before its last.
    Cut(String),
    /// Before the first byte.
    Lost(String),
}

impl Answer {
    /// The JSON-RPC message: the body, or the last event of a stream that has one.
    pub fn message(&self) -> Value {
        let mut data = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"));
        let text = data
            .rfind(|text| text.contains("\"jsonrpc\""))
            .unwrap_or(&self.body);
        serde_json::from_str(text).unwrap_or(Value::Null)
    }
}

impl Connection {
    /// Sends the request on the connection, or on a new one, and reads the answer.
    pub async fn exchange(
        connection: Option<Self>,
        door: &Door,
        call: &Call,
    ) -> (End, Option<Self>) {
        let mut seen = false;
        match timeout(LIMIT, Self::try_exchange(connection, door, call, &mut seen)).await {
            Ok(Ok((answer, connection))) => (End::Answered(answer), connection),
            Ok(Err(error)) if seen => (End::Cut(error.to_string()), None),
            Ok(Err(error)) => (End::Lost(error.to_string()), None),
            Err(_) if seen => (End::Cut("timed out".to_owned()), None),
            Err(_) => (End::Lost("timed out".to_owned()), None),
        }
    }

    async fn try_exchange(
        connection: Option<Self>,
        door: &Door,
        call: &Call,
        seen: &mut bool,
    ) -> std::io::Result<(Answer, Option<Self>)> {
        if door.is_http2() {
            return Ok((stream::exchange(door, call, seen).await?, None));
        }
        let mut stream = match connection {
            Some(Self(stream)) => stream,
            None => BufReader::new(door.connect().await?),
        };
        stream.get_mut().write_all(&call.bytes).await?;
        stream.get_mut().flush().await?;
        if stream.fill_buf().await?.is_empty() {
            return Err(closed());
        }
        *seen = true;
        let mut answer = Answer::default();
        let framing = answer.read_head(&mut stream).await?;
        let mut body = Vec::new();
        match framing {
            Framing::Chunked => read_chunks(&mut stream, &mut body).await?,
            Framing::Length(length) => {
                body.resize(length, 0);
                stream.read_exact(&mut body).await?;
            }
            Framing::ToTheEnd => {
                stream.read_to_end(&mut body).await?;
                answer.is_last = true;
            }
        }
        answer.body = String::from_utf8_lossy(&body).into_owned();
        let left = (!answer.is_last).then_some(Self(stream));
        Ok((answer, left))
    }
}

enum Framing {
    Chunked,
    Length(usize),
    ToTheEnd,
}

impl Answer {
    async fn read_head(
        &mut self,
        stream: &mut BufReader<Box<dyn Stream>>,
    ) -> std::io::Result<Framing> {
        let status = read_line(stream).await?;
        let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        self.status = code.ok_or_else(|| invalid(&status))?;
        let mut framing = Framing::ToTheEnd;
        loop {
            let line = read_line(stream).await?;
            if line.is_empty() {
                return Ok(if self.status == 204 {
                    Framing::Length(0)
                } else {
                    framing
                });
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            let value = value.trim();
            match &*name.to_ascii_lowercase() {
                "content-length" => {
                    framing = Framing::Length(value.parse().map_err(|_| invalid(&line))?)
                }
                "transfer-encoding" => framing = Framing::Chunked,
                "mcp-session-id" => self.session = Some(value.to_owned()),
                "connection" => self.is_last = value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
    }
}

async fn read_chunks(
    stream: &mut BufReader<Box<dyn Stream>>,
    body: &mut Vec<u8>,
) -> std::io::Result<()> {
    loop {
        let line = read_line(stream).await?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| invalid(&line))?;
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..]).await?;
        read_line(stream).await?;
        if size == 0 {
            return Ok(());
        }
    }
}

async fn read_line(stream: &mut BufReader<Box<dyn Stream>>) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 || !line.ends_with("\r\n") {
        return Err(closed());
    }
    line.truncate(line.len() - 2);
    Ok(line)
}

fn closed() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "closed")
}

fn invalid(line: &str) -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::InvalidData,
        format!("not HTTP: {line:?}"),
    )
}

/// Longer than anything the proxy may take; a request that hits it has hung.
const LIMIT: Duration = Duration::from_secs(30);
