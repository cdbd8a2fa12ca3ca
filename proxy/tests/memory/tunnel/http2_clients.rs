//! Clients whose streams of HTTP/2 become tunnels (RFC 8441).

use super::bytes::noise;
use super::support::{SECOND, assert_gone};
use crate::support::h2::{H2Client, piece, send};
use crate::support::{Answer, Form, Plan, Script, Step, World, run, settle, within};
use bytes::Bytes;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use proxy::session::End;
use std::sync::Arc;
use tokio::time::Instant;

/// An extended CONNECT.
pub(super) fn connect(path: &str, protocol: &'static str) -> Request<()> {
    let mut request = Request::connect(format!("http://test{path}"))
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap();
    let extensions = request.extensions_mut();
    extensions.insert(Protocol::from_static(protocol));
    request
}

/// A client that has heard that extended CONNECTs are taken.
pub(super) async fn client(world: &World) -> H2Client {
    let mut builder = h2::client::Builder::new();
    builder.initial_connection_window_size(16 << 20);
    let mut client = H2Client::with(world, &builder).await;
    // Behind the settings.
    drop(client.get("/first").await.unwrap());
    client
}

/// Asks for a tunnel.
pub(super) async fn ask(
    client: &mut H2Client,
    request: Request<()>,
) -> (Response<RecvStream>, SendStream<Bytes>) {
    let (answer, sending) = client.begin(request, false).await.unwrap();
    (answer.await.unwrap(), sending)
}

/// A tunnel.
pub(super) async fn tunnel(
    client: &mut H2Client,
    path: &str,
) -> (http::HeaderMap, RecvStream, SendStream<Bytes>) {
    let (answer, sending) = ask(client, connect(path, "websocket")).await;
    assert_eq!(answer.status(), 200);
    let (head, coming) = answer.into_parts();
    (head.headers, coming, sending)
}

/// What comes back of `text` from a peer that mirrors.
pub(super) async fn mirrored(
    coming: &mut RecvStream,
    sending: &mut SendStream<Bytes>,
    text: &'static str,
) -> String {
    sending
        .send_data(Bytes::from_static(text.as_bytes()), false)
        .unwrap();
    let mut back = Vec::new();
    while back.len() < text.len() {
        back.extend(piece(coming).await.unwrap().unwrap());
    }
    String::from_utf8(back).unwrap()
}

#[test]
fn a_stream_becomes_a_tunnel_to_a_peer_of_http_1() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        let (head, mut coming, mut sending) = tunnel(&mut client, "/socket?x=1").await;
        for name in ["connection", "upgrade", "sec-websocket-accept"] {
            assert_eq!(head.get(name), None, "{name}");
        }
        let asked = world.ledger.only("/socket?x=1").head.unwrap();
        assert_eq!(asked.start, "GET /socket?x=1 HTTP/1.1");
        assert_eq!(asked.get("host"), Some("test"));
        assert_eq!(asked.get("connection"), Some("upgrade"));
        assert_eq!(asked.get("upgrade"), Some("websocket"));
        assert_eq!(asked.get("sec-websocket-version"), Some("13"));
        assert_eq!(asked.get("sec-websocket-key").map(str::len), Some(24));
        for word in ["one", "two"] {
            assert_eq!(mirrored(&mut coming, &mut sending, word).await, word);
        }
        // The connection is there for others, too.
        assert!(client.get("/beside").await.unwrap().is_ok());
        assert_eq!(world.view()[0].in_flight, 1);
        sending.send_data(Bytes::new(), true).unwrap();
        assert_eq!(piece(&mut coming).await.unwrap(), None);
        settle(SECOND).await;
        world.assert_idle();
        let logged = world.spy.only_logged("/socket");
        assert_eq!((logged.status, logged.end), (Some(200), End::Complete));
        assert_eq!((logged.tunnelled, logged.response_bytes), (Some(6), 6));
    });
}

#[test]
fn two_tunnels_have_keys_of_their_own() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        for path in ["/one", "/two"] {
            world.peers[0].next(Script::switch(&[Step::Mirror]));
            drop(tunnel(&mut client, path).await);
        }
        let key = |path| {
            let head = world.ledger.only(path).head.unwrap();
            head.get("sec-websocket-key").unwrap().to_owned()
        };
        assert_ne!(key("/one"), key("/two"));
    });
}

#[test]
fn a_peer_that_did_not_understand_the_key_is_502() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        let text = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
                    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        let script = vec![
            Step::Head,
            Step::Write(text.as_bytes().to_vec()),
            Step::Mirror,
        ];
        world.peers[0].always(Script(script));
        let (answer, _) = ask(&mut client, connect("/socket", "websocket")).await;
        assert_eq!(answer.status(), 502);
    });
}

/// CVE-2024-23326: what a peer answers instead of switching must not pass for a tunnel.
#[test]
fn a_page_is_not_a_tunnel() {
    for (status, seen) in [(200, 502), (204, 502), (302, 302), (403, 403), (426, 426)] {
        run(async {
            let world = World::new(1);
            let mut client = client(&world).await;
            let form = if status == 204 {
                Form::Bare
            } else {
                Form::Length
            };
            let answer = Answer::new(status, "page").form(form);
            world.peers[0].next(Script::answer(answer));
            let (answer, _sending) = ask(&mut client, connect("/page", "websocket")).await;
            assert_eq!(answer.status(), seen);
            assert_eq!(world.view()[0].failures, 0, "nothing against the peer");
            drop(answer);
            assert!(client.get("/next").await.unwrap().is_ok());
            assert_eq!(world.group.metrics.tunnels.active.get(), 0);
        });
    }
}

#[test]
fn a_protocol_that_may_not_pass_is_501_and_no_peer_is_asked() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        for protocol in ["connect-udp", "h2c", "web socket"] {
            let (answer, _) = ask(&mut client, connect("/socket", protocol)).await;
            assert_eq!(answer.status(), 501, "{protocol}");
        }
        assert!(world.ledger.peers_of("/socket").is_empty());
    });
}

#[test]
fn an_ordinary_request_cannot_name_a_protocol_by_a_field() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        let request = Request::get("http://test/plain").header("upgrade", "websocket");
        let request = request.body(()).unwrap();
        let begun = client.begin(request, true).await;
        assert!(begun.is_err() || begun.unwrap().0.await.is_err());
        assert!(world.ledger.peers_of("/plain").is_empty());
    });
}

#[test]
fn ten_mebibytes_go_both_ways_at_once() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        let (up, down) = (noise(10 << 20), noise((10 << 20) + 1));
        let script = [Step::Both(down.clone())];
        world.peers[0].next(Script::switch(&script));
        let (_, mut coming, mut sending) = tunnel(&mut client, "/big").await;
        let body = Bytes::from(up.clone());
        let upload = tokio::task::spawn_local(async move { send(&mut sending, body, true).await });
        let mut came = Vec::new();
        while let Some(piece) = piece(&mut coming).await.unwrap() {
            came.extend_from_slice(&piece);
        }
        upload.await.unwrap().unwrap();
        assert!(came == down, "what the peer sent");
        settle(SECOND).await;
        assert!(world.ledger.only("/big").body == up, "what the client sent");
        world.assert_idle();
    });
}

#[test]
fn a_client_that_resets_its_stream_takes_the_peer_s_connection_with_it() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        let (_, mut coming, mut sending) = tunnel(&mut client, "/socket").await;
        assert_eq!(mirrored(&mut coming, &mut sending, "here").await, "here");
        sending.send_reset(Reason::CANCEL);
        settle(SECOND).await;
        assert_eq!(world.group.metrics.tunnels.active.get(), 0);
        world.assert_idle();
        assert!(client.get("/next").await.unwrap().is_ok());
    });
}

#[test]
fn a_client_that_goes_takes_its_tunnels_with_it() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        let mut tunnels = Vec::new();
        for number in 0..3 {
            world.peers[0].next(Script::switch(&[Step::Mirror]));
            tunnels.push(tunnel(&mut client, &format!("/{number}")).await);
        }
        client.driver.abort();
        drop((client, tunnels));
        settle(SECOND).await;
        // What is idle in the pool is not of a tunnel.
        settle(60 * SECOND).await;
        assert_gone(&world).await;
    });
}

#[test]
fn a_peer_that_dies_ends_the_stream() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        let (_, mut coming, sending) = tunnel(&mut client, "/socket").await;
        world.network.kill(world.peers[0].ip());
        assert!(matches!(piece(&mut coming).await, Ok(None) | Err(_)));
        drop((coming, sending));
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        drop(client.get("/first").await.unwrap());
        world.peers[0].next(Script::switch(&[Step::Write(noise(10 << 20))]));
        let (_, coming, _sending) = tunnel(&mut client, "/slow").await;
        settle(10 * SECOND).await;
        assert!(world.group.metrics.tunnels.received.get() < 1 << 20);
        settle(30 * SECOND).await;
        assert_eq!(world.metrics.limits.write_stall.get(), 1);
        assert!(client.is_gone().await);
        drop(coming);
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_shutdown_gives_streams_that_are_tunnels_their_time() {
    run(async {
        let world = World::new(1);
        let mut client = client(&world).await;
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        let (_, mut coming, mut sending) = tunnel(&mut client, "/socket").await;
        let began = Instant::now();
        world.control.shutdown();
        settle(200 * SECOND).await;
        assert_eq!(mirrored(&mut coming, &mut sending, "here").await, "here");
        assert!(matches!(piece(&mut coming).await, Ok(None) | Err(_)));
        assert_eq!(began.elapsed().as_secs(), 300);
        drop((coming, sending));
        let spy = Arc::clone(&world.spy);
        within(6 * SECOND, world.serving).await.unwrap().unwrap();
        assert_eq!(spy.only_logged("/socket").end, End::Drained);
    });
}

#[test]
fn a_silent_stream_is_closed_and_the_connection_goes_on() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.timeouts.tunnel_idle = Some(10 * SECOND);
        let world = plan.start();
        let mut client = client(&world).await;
        world.peers[0].next(Script::switch(&[Step::Mirror]));
        let (_, mut coming, sending) = tunnel(&mut client, "/socket").await;
        let began = Instant::now();
        assert!(matches!(piece(&mut coming).await, Ok(None) | Err(_)));
        assert_eq!(began.elapsed().as_secs(), 10);
        drop((coming, sending));
        settle(SECOND).await;
        assert_eq!(world.spy.only_logged("/socket").end, End::Idle);
        assert!(client.get("/next").await.unwrap().is_ok());
    });
}
