//! Which HTTP is spoken with HTTPS peers: what the handshake settles on.

use crate::support::h2_peer::{hello, listen};
use crate::support::{Ask, Authority, Client, Plan, World, run};
use proxy::settings::{GroupTls, HttpVersion, Scheme};
use proxy::tls::Connector;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A peer on port 82 that offers protocols, and what hands were shaken on.
fn start(version: HttpVersion, offers: &[&str]) -> (World, Rc<RefCell<Vec<Option<String>>>>) {
    let authority = Authority::new();
    let pair = authority.issue(&["10.0.0.1"]);
    let mut config = (**authority.acceptor(&pair, false).config()).clone();
    let names = offers.iter();
    config.alpn_protocols = names.map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let mut plan = Plan::http2(1);
    plan.group.http_version = version;
    plan.group.peers[0].url.scheme = Scheme::Https;
    let tls = GroupTls {
        ca: Some(authority.pem()),
        ..GroupTls::default()
    };
    plan.group.tls = Some(Connector::new(tls).unwrap());
    let world = plan.start();
    let shaken = Rc::new(RefCell::new(Vec::new()));
    let told = Rc::clone(&shaken);
    listen(&world, 0, move |stream| {
        let (acceptor, told) = (acceptor.clone(), Rc::clone(&told));
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let agreed = stream.get_ref().1.alpn_protocol();
            let agreed = agreed.map(|name| String::from_utf8(name.to_vec()).unwrap());
            told.borrow_mut().push(agreed.clone());
            if agreed.as_deref() == Some("h2") {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    assert_eq!(request.uri().scheme_str(), Some("https"));
                    hello(respond, "h2");
                }
            } else {
                answer_once(stream).await;
            }
        }
    });
    (world, shaken)
}

async fn answer_once<S>(mut stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut seen = Vec::new();
    while !seen.ends_with(b"say") {
        seen.push(stream.read_u8().await.unwrap());
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nh1";
    stream.write_all(answer).await.unwrap();
    stream.shutdown().await.unwrap();
}

#[test]
fn a_peer_is_spoken_to_with_what_the_handshake_settles_on() {
    use HttpVersion::{Auto, Http1, Http2};
    for (version, offers, agreed, answer) in [
        (Auto, &["h2", "http/1.1"][..], Some("h2"), "h2"),
        // The better one of those that both know, whatever the peer prefers.
        (Auto, &["http/1.1"], Some("http/1.1"), "h1"),
        (Auto, &[], None, "h1"),
        (Http1, &["h2", "http/1.1"], Some("http/1.1"), "h1"),
        (Http2, &["h2", "http/1.1"], Some("h2"), "h2"),
    ] {
        run(async {
            let (world, shaken) = start(version, offers);
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::post("/", "say")).await.unwrap();
            assert_eq!((reply.status, &*reply.text()), (200, answer), "{offers:?}");
            assert_eq!(shaken.borrow()[..], [agreed.map(str::to_owned)]);
        });
    }
}

#[test]
fn requests_share_what_was_negotiated() {
    run(async {
        let (world, shaken) = start(HttpVersion::Auto, &["h2", "http/1.1"]);
        for _ in 0..3 {
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::post("/", "say")).await.unwrap();
            assert_eq!(reply.text(), "h2");
        }
        assert_eq!(shaken.borrow().len(), 1);
    });
}

#[test]
fn a_peer_that_does_not_speak_http2_is_none_where_only_that_will_do() {
    run(async {
        let (world, _) = start(HttpVersion::Http2, &["http/1.1"]);
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::post("/", "say")).await.unwrap();
        assert_eq!(reply.status, 502);
        assert!(world.group.peers[0].metrics.attempts.tls.get() > 0);
    });
}
