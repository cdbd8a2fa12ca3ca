//! One question to the admin listener.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where the admin listener is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    authority: String,
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        if uri.scheme().is_some_and(|scheme| scheme.as_str() != "http") {
            return None;
        }
        let authority = uri.authority()?;
        let port = authority.port_u16().unwrap_or(80);
        Some(Self {
            authority: format!("{}:{port}", authority.host()),
        })
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self {
            authority: address.to_string(),
        }
    }
}

impl FromStr for Address {
    type Err = &'static str;

    /// Reads `http://HOST:PORT` or `HOST:PORT`; without a port it is 80, as everywhere.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or("a URL as in http://127.0.0.1:9900")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

/// Asks for a path. The body of the answer.
///
/// # Errors
/// It cannot be reached, or answers with something else than 200.
pub(super) async fn fetch(address: &Address, path: &str) -> Result<Bytes, Failure> {
    let stream = TcpStream::connect(&address.authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(header::HOST, &address.authority)
        .body(Empty::<Bytes>::new())?;
    let asking = async {
        let answer = sender.send_request(request).await?;
        match answer.status() {
            StatusCode::OK => {
                let body = Limited::new(answer.into_body(), MOST).collect().await?;
                Ok(body.to_bytes())
            }
            status => Err(format!("it answers {status}").into()),
        }
    };
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        answer = asking => answer,
        // The connection ends first only when it breaks off.
        ended = &mut connection => match ended {
            Ok(()) => Err("it closed the connection".into()),
            Err(error) => Err(error.into()),
        },
    }
}

/// 5,000 groups of ten peers.
const MOST: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls_or_less() {
        let rows = [
            ("http://127.0.0.1:9900", Some("127.0.0.1:9900")),
            ("http://127.0.0.1:9900/", Some("127.0.0.1:9900")),
            ("127.0.0.1:9900", Some("127.0.0.1:9900")),
            ("[::1]:9900", Some("[::1]:9900")),
            ("http://backstay.example", Some("backstay.example:80")),
            ("https://127.0.0.1:9900", None),
            ("/api", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let address: Result<Address, _> = text.parse();
            let address = address.ok().map(|address| address.to_string());
            assert_eq!(address.as_deref(), expected, "{text}");
        }
    }
}
