//! Peers of HTTP/2, whose streams become tunnels where they say so (RFC 8441).

use super::http2_clients::{client as h2_client, mirrored as h2_mirrored, tunnel};
use super::support::{SECOND, ask, assert_gone, mirrored, over_tls, rest, switch};
use crate::support::h2::piece;
use crate::support::h2_peer::{H2Peer, hello};
use crate::support::{Ask, Authority, Client, Plan, Script, Step, World, run, settle};
use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Method, Request, Response};
use proxy::session::End;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Sends back what comes in a tunnel; answers others with a text.
async fn mirror(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    if request.method() != Method::CONNECT {
        hello(respond, "hello");
        return;
    }
    let mut coming = request.into_body();
    let Ok(mut sending) = respond.send_response(Response::new(()), false) else {
        return;
    };
    while let Ok(Some(bytes)) = piece(&mut coming).await {
        if sending.send_data(bytes, false).is_err() {
            return;
        }
    }
    drop(sending.send_data(Bytes::new(), true));
}

/// A world with one peer that makes tunnels.
fn start<F>(
    serve: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + 'static,
) -> (World, H2Peer)
where
    F: Future<Output = ()> + 'static,
{
    let world = Plan::http2(1).start();
    let mut builder = h2::server::Builder::new();
    builder.enable_connect_protocol();
    let peer = H2Peer::with(&world, 0, builder, serve);
    (world, peer)
}

#[test]
fn an_upgrade_becomes_a_stream_of_the_peer() {
    run(async {
        let (world, peer) = start(mirror);
        let mut client = Client::new(&world).await;
        let head = switch(&mut client, "/socket?x=1").await;
        assert_eq!(head.get("connection"), Some("upgrade"));
        assert_eq!(head.get("upgrade"), Some("websocket"));
        // Of the key in RFC 6455 §1.3.
        let accept = head.get("sec-websocket-accept");
        assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        {
            let seen = peer.seen.borrow();
            assert_eq!(seen[0].method(), Method::CONNECT);
            let protocol = seen[0].extensions().get::<Protocol>();
            assert_eq!(protocol.map(Protocol::as_str), Some("websocket"));
            assert_eq!(seen[0].uri().path_and_query().unwrap(), "/socket?x=1");
            for name in ["connection", "upgrade", "sec-websocket-key"] {
                assert_eq!(seen[0].headers().get(name), None, "{name}");
            }
            assert_eq!(seen[0].headers()["sec-websocket-version"], "13");
        }
        assert_eq!(mirrored(&mut client, "one").await, "one");
        assert_eq!(world.view()[0].in_flight, 1);
        client.wire.finish().await;
        assert!(rest(&mut client).await.0.is_empty());
        drop(client);
        settle(SECOND).await;
        world.assert_idle();
        assert_eq!(world.spy.only_logged("/socket").end, End::Complete);
        // The connection serves others.
        let mut client = Client::new(&world).await;
        assert_eq!(client.ask(&Ask::get("/x")).await.unwrap().text(), "hello");
        assert_eq!(peer.connections.get(), 1);
    });
}

#[test]
fn a_stream_becomes_a_stream() {
    run(async {
        let (world, peer) = start(mirror);
        let mut client = h2_client(&world).await;
        let (head, mut coming, mut sending) = tunnel(&mut client, "/socket").await;
        assert_eq!(head.get("sec-websocket-accept"), None);
        let back = h2_mirrored(&mut coming, &mut sending, "here").await;
        assert_eq!(back, "here");
        assert!(
            !peer.seen.borrow()[1]
                .headers()
                .contains_key("sec-websocket-key")
        );
        sending.send_data(Bytes::new(), true).unwrap();
        assert_eq!(piece(&mut coming).await.unwrap(), None);
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_peer_that_makes_no_tunnels_is_said_so_and_not_asked() {
    run(async {
        let world = Plan::http2(1).start();
        let peer = H2Peer::start(&world, 0, mirror);
        let mut client = Client::new(&world).await;
        for _ in 0..10 {
            let reply = client.ask(&ask("/socket")).await.unwrap();
            assert_eq!(
                (reply.status, reply.proxy_error()),
                (502, Some("http_upgrade_failed"))
            );
        }
        assert!(peer.paths().is_empty());
        let view = &world.view()[0];
        assert!(view.usable);
        assert_eq!((view.failures, view.in_flight), (0, 0));
        assert_eq!(client.ask(&Ask::get("/x")).await.unwrap().status, 200);
    });
}

#[test]
fn a_refusal_is_heard() {
    run(async {
        let (world, _peer) = start(|request, mut respond: SendResponse<Bytes>| async move {
            if request.method() == Method::CONNECT {
                let answer = Response::builder().status(403).body(()).unwrap();
                let mut body = respond.send_response(answer, false).unwrap();
                body.send_data(Bytes::from_static(b"not you"), true)
                    .unwrap();
            } else {
                hello(respond, "hello");
            }
        });
        let mut client = Client::new(&world).await;
        let reply = client.ask(&ask("/socket")).await.unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (403, "not you"));
        assert_eq!(client.ask(&Ask::get("/x")).await.unwrap().text(), "hello");
    });
}

#[test]
fn a_peer_that_resets_its_stream_has_cut_it() {
    run(async {
        let (world, _peer) = start(|_, mut respond: SendResponse<Bytes>| async move {
            let mut sending = respond.send_response(Response::new(()), false).unwrap();
            settle(SECOND).await;
            sending.send_reset(Reason::INTERNAL_ERROR);
        });
        let mut client = Client::new(&world).await;
        switch(&mut client, "/socket").await;
        assert!(rest(&mut client).await.0.is_empty());
        settle(SECOND).await;
        assert_eq!(world.spy.only_logged("/socket").end, End::Cut);
        world.assert_idle();
    });
}

#[test]
fn a_client_that_goes_resets_the_peer_s_stream() {
    run(async {
        let (world, _peer) = start(mirror);
        let mut client = Client::new(&world).await;
        switch(&mut client, "/socket").await;
        let proxy::tls::Wire::Plain(stream) = client.wire.stream else {
            panic!("no TLS here");
        };
        stream.reset();
        settle(SECOND).await;
        world.assert_idle();
        assert_eq!(world.spy.only_logged("/socket").end, End::Cancelled);
    });
}

/// What speaks both gets a connection of its own for a tunnel, as browsers have it.
#[test]
fn where_there_is_a_choice_a_tunnel_is_made_of_http_1() {
    run(async {
        let authority = Authority::new();
        let mut plan = Plan::new(1);
        over_tls(&mut plan, &authority);
        let mut config = plan.acceptor.unwrap().config().as_ref().clone();
        // It would choose HTTP/2, which this peer does not speak at all.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        plan.acceptor = Some(TlsAcceptor::from(Arc::new(config)));
        let world = plan.start();
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        let mut client = Client::new(&world).await;
        switch(&mut client, "/socket").await;
        assert_eq!(mirrored(&mut client, "here").await, "here");
        drop(client);
        assert_gone(&world).await;
    });
}
