//! A real HTTP/2 peer, and worlds of such peers.

use super::world::{Plan, World};
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use proxy::memory::{MemoryNetwork, MemoryStream};
use proxy::network::Network as _;
use proxy::settings::HttpVersion;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

/// An HTTP/2 peer on port 82 of a host.
#[derive(Clone, Default)]
pub(crate) struct H2Peer {
    pub(crate) connections: Rc<Cell<usize>>,
    /// Heads, in the order they came.
    pub(crate) seen: Rc<RefCell<Vec<Request<()>>>>,
}

impl Plan {
    /// Peers on port 82, spoken to with HTTP/2.
    pub(crate) fn http2(peers: u8) -> Self {
        let mut plan = Self::new(peers);
        plan.group.http_version = HttpVersion::Http2;
        for peer in &mut plan.group.peers {
            peer.url.port = PORT;
            peer.url.authority += ":82";
        }
        plan
    }
}

impl H2Peer {
    /// Serves each request with `serve`, all at once.
    pub(crate) fn start<F>(
        world: &World,
        number: usize,
        serve: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        Self::with(world, number, h2::server::Builder::new(), serve)
    }

    /// With settings of its own.
    pub(crate) fn with<F>(
        world: &World,
        number: usize,
        builder: h2::server::Builder,
        serve: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let peer = Self::default();
        let (accepting, serve) = (peer.clone(), Rc::new(serve));
        listen(world, number, move |stream| {
            let (peer, serve) = (accepting.clone(), Rc::clone(&serve));
            peer.connections.set(peer.connections.get() + 1);
            let builder = builder.clone();
            async move {
                let Ok(mut connection) = builder.handshake(stream).await else {
                    return;
                };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    let (head, body) = request.into_parts();
                    let head = Request::from_parts(head, ());
                    peer.seen.borrow_mut().push(head.clone());
                    tokio::task::spawn_local(serve(head.map(|()| body), respond));
                }
            }
        });
        peer
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        let seen = self.seen.borrow();
        seen.iter()
            .map(|head| head.uri().path().to_owned())
            .collect()
    }
}

/// Gives what connects to port 82 of a peer to `serve`.
pub(crate) fn listen<F>(world: &World, number: usize, serve: impl Fn(MemoryStream) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let address = SocketAddr::new(world.peers[number].ip(), PORT);
    let network: MemoryNetwork = world.network.seen_from(address.ip());
    let socket = network.bind(address).unwrap();
    let listener = network.listen(socket).unwrap();
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = network.accept(&listener).await.unwrap();
            tokio::task::spawn_local(serve(stream));
        }
    });
}

/// Answers 200 with a text.
pub(crate) fn hello(mut respond: SendResponse<Bytes>, text: &'static str) {
    // A client that left is no news here.
    if let Ok(mut body) = respond.send_response(Response::new(()), false) {
        drop(body.send_data(Bytes::from_static(text.as_bytes()), true));
    }
}

/// Reads a whole body, and makes room as it comes.
pub(crate) async fn drain(body: &mut RecvStream) -> Result<(usize, Option<HeaderMap>), h2::Error> {
    let mut length = 0;
    while let Some(piece) = super::h2::piece(body).await? {
        length += piece.len();
    }
    Ok((length, body.trailers().await?))
}

const PORT: u16 = 82;
