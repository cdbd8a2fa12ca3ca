//! A client that writes what it is told and reads strictly.

use super::reply::Reply;
use super::wire::{Broken, Wire};
use super::world::World;
use proxy::memory::{MemoryNetwork, MemoryStream};
use proxy::network::Network as _;
use proxy::tls;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// A client connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) wire: Wire,
}

/// A request as the client writes it.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
    /// Send the body in chunks of so many bytes, and not with a length.
    pub(crate) chunks: Option<usize>,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: Vec::new(),
            body: None,
            chunks: None,
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Some(body.into()),
            ..self
        }
    }

    pub(crate) fn chunked(self, size: usize) -> Self {
        Self {
            chunks: Some(size),
            ..self
        }
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its head on the wire.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.fields.iter().any(|(name, _)| name == "host") {
            text += "host: test\r\n";
        }
        for (name, value) in &self.fields {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        match (&self.body, self.chunks) {
            (Some(_), Some(_)) => text += "transfer-encoding: chunked\r\n",
            (Some(body), None) => write!(text, "content-length: {}\r\n", body.len()).unwrap(),
            (None, _) => {}
        }
        text += "\r\n";
        text.into_bytes()
    }

    /// All of it on the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        match (&self.body, self.chunks) {
            (Some(body), Some(size)) => bytes.extend(chunked(body.chunks(size))),
            (Some(body), None) => bytes.extend_from_slice(body),
            (None, _) => {}
        }
        bytes
    }
}

/// Pieces as chunks, with the last.
pub(crate) fn chunked<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        bytes.extend(chunk(piece));
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

pub(crate) fn chunk(piece: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
    bytes.extend_from_slice(piece);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

impl Client {
    pub(crate) async fn new(world: &World) -> Self {
        Self::from(&world.network, world.address, CLIENT).await
    }

    /// A client at an address of its own.
    pub(crate) async fn from(network: &MemoryNetwork, proxy: SocketAddr, address: IpAddr) -> Self {
        Self::over(network.seen_from(address).connect(proxy).await.unwrap())
    }

    /// A client on a connection.
    pub(crate) fn over(stream: MemoryStream) -> Self {
        Self {
            wire: Wire::new(tls::Wire::Plain(stream)),
        }
    }

    /// Sends bytes; a server that has heard enough may close meanwhile.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        drop(self.wire.write(bytes).await);
    }

    /// Sends a request and reads its whole answer.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Result<Reply, Broken> {
        self.send(&ask.bytes()).await;
        self.wire.reply(&ask.method).await
    }

    /// Whether the server has closed the connection, in order.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.wire.first_byte().await == Err(Broken::Ended)
    }
}

/// Where clients come from.
pub(crate) const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, 1));
