//! One request over TCP.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::program::PATIENCE;

/// Sends a request without a body. The whole answer, head and body.
pub(crate) fn ask(to: SocketAddr, method: &str, path: &str, headers: &str) -> io::Result<String> {
    send(to, method, path, headers, "")
}

/// Sends a GET that must be answered. The whole answer.
pub(crate) fn get(to: SocketAddr, path: &str) -> String {
    ask(to, "GET", path, "").unwrap()
}

/// Sends a request. `headers` are lines that end with CR LF.
pub(crate) fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<String> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let host = if headers.starts_with("Host:") {
        String::new()
    } else {
        format!("Host: {to}\r\n")
    };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}",
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The body of an answer, as JSON.
pub(crate) fn json(answer: &str) -> serde_json::Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}
