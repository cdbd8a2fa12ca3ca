//! A real HTTP/2 client, and one that writes frames by hand.

use super::client::CLIENT;
use super::world::World;
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response, StatusCode};
use proxy::memory::MemoryStream;
use proxy::network::Network as _;
use std::future::poll_fn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

/// An HTTP/2 connection to the proxy.
pub(crate) struct H2Client {
    sender: SendRequest<Bytes>,
    /// Ends with the connection.
    pub(crate) driver: JoinHandle<Result<(), h2::Error>>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct H2Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

pub(crate) async fn connect(world: &World) -> MemoryStream {
    let network = world.network.seen_from(CLIENT);
    network.connect(world.address).await.unwrap()
}

impl H2Client {
    pub(crate) async fn new(world: &World) -> Self {
        Self::with(world, &h2::client::Builder::new()).await
    }

    /// With room on the connection for more than one stream that is not read.
    pub(crate) async fn roomy(world: &World) -> Self {
        let mut builder = h2::client::Builder::new();
        builder.initial_connection_window_size(1 << 20);
        Self::with(world, &builder).await
    }

    pub(crate) async fn with(world: &World, builder: &h2::client::Builder) -> Self {
        Self::over(connect(world).await, builder).await
    }

    pub(crate) async fn over<S>(stream: S, builder: &h2::client::Builder) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
    {
        let (sender, connection) = builder.handshake(stream).await.unwrap();
        let driver = tokio::task::spawn_local(connection);
        Self { sender, driver }
    }

    /// Begins a request; without a body `ends`.
    pub(crate) async fn begin(
        &mut self,
        request: Request<()>,
        ends: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.sender = self.sender.clone().ready().await?;
        self.sender.send_request(request, ends)
    }

    /// Sends a request and reads its whole answer.
    pub(crate) async fn ask(&mut self, request: Request<Bytes>) -> Result<H2Reply, h2::Error> {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, ());
        let (answer, mut upload) = self.begin(request, body.is_empty()).await?;
        if !body.is_empty() {
            tokio::task::spawn_local(async move { send(&mut upload, body, true).await });
        }
        read(answer.await?).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<H2Reply, h2::Error> {
        self.ask(get(path)).await
    }

    /// Whether the proxy has said that the connection ends.
    pub(crate) async fn is_gone(&mut self) -> bool {
        self.sender.clone().ready().await.is_err()
    }
}

pub(crate) fn get(path: &str) -> Request<Bytes> {
    let uri = format!("http://test{path}");
    Request::get(uri).body(Bytes::new()).unwrap()
}

/// The head of an upload.
pub(crate) fn post(path: &str) -> Request<()> {
    Request::post(format!("http://test{path}"))
        .body(())
        .unwrap()
}

/// Sends all of a body as the window allows; fails when the proxy takes no more.
pub(crate) async fn send(
    upload: &mut SendStream<Bytes>,
    mut body: Bytes,
    ends: bool,
) -> Result<(), h2::Error> {
    while !body.is_empty() {
        upload.reserve_capacity(body.len());
        let Some(room) = poll_fn(|cx| upload.poll_capacity(cx)).await else {
            let reason = poll_fn(|cx| upload.poll_reset(cx)).await?;
            return Err(reason.into());
        };
        let piece = body.split_to(room?.min(body.len()));
        upload.send_data(piece, ends && body.is_empty())?;
    }
    Ok(())
}

/// Reads all of an answer.
pub(crate) async fn read(response: Response<RecvStream>) -> Result<H2Reply, h2::Error> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = piece(&mut incoming).await? {
        body.extend_from_slice(&piece);
    }
    Ok(H2Reply {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
        trailers: incoming.trailers().await?,
    })
}

/// Reads some of an answer, and makes room for more.
pub(crate) async fn piece(incoming: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    while let Some(piece) = incoming.data().await.transpose()? {
        incoming.flow_control().release_capacity(piece.len())?;
        // The last may be empty.
        if !piece.is_empty() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

impl H2Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.status == StatusCode::OK
    }
}

/// A client that writes frames by hand, and answers nothing.
pub(crate) struct Frames {
    pub(crate) stream: MemoryStream,
}

impl Frames {
    /// With the preface and empty settings sent.
    pub(crate) async fn new(world: &World) -> Self {
        let mut stream = connect(world).await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        stream.write_all(preface).await.unwrap();
        let mut frames = Self { stream };
        frames.write(4, 0, 0, b"").await;
        frames
    }

    /// Sends a frame; a server that has had enough may close meanwhile.
    pub(crate) async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).await.is_ok()
    }

    /// Sends a whole head.
    pub(crate) async fn head(&mut self, stream: u32, fields: &[(&str, &str)]) {
        self.write(1, 4 | 1, stream, &block(fields)).await;
    }

    /// Reads what is there, whatever it is.
    pub(crate) async fn skip(&mut self) {
        let mut some = [0; 4096];
        let reading = self.stream.read(&mut some);
        drop(tokio::time::timeout(std::time::Duration::ZERO, reading).await);
    }

    /// The next frame that is no SETTINGS, PING or window update: type, stream, payload. None at
    /// the end.
    pub(crate) async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        loop {
            let mut header = [0; 9];
            self.stream.read_exact(&mut header).await.ok()?;
            let [a, b, c, kind, _, stream @ ..] = header;
            let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.ok()?;
            if ![4, 6, 8].contains(&kind) {
                return Some((kind, u32::from_be_bytes(stream), payload));
            }
        }
    }
}

/// A header block of plain literals (RFC 7541 §6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(
                u8::try_from(text.len())
                    .ok()
                    .filter(|length| *length < 127)
                    .unwrap(),
            );
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The pseudo fields of a GET.
pub(crate) const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "test"),
    (":path", "/raw"),
];
