//! Clients that do not shake hands.

use crate::support::{
    Answer, Ask, Authority, Broken, Client, Dial, Plan, Script, World, run, settle,
};
use proxy::settings::ListenerTls;
use proxy::tls::Terminator;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn world() -> World {
    let mut plan = Plan::new(1);
    let tls = ListenerTls::new(vec![Authority::new().issue(&["a.example"])]);
    plan.listener.tls = Some(Terminator::new(tls).unwrap());
    plan.start()
}

/// The head of a handshake record of 512 bytes, and the beginning of a `ClientHello`.
const HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];

#[test]
fn a_handshake_that_drips_is_closed_in_time() {
    for first in [&b""[..], HELLO] {
        run(async {
            let world = world();
            let mut client = Client::new(&world).await;
            let began = Instant::now();
            client.send(first).await;
            while !first.is_empty() && client.wire.write(b"x").await.is_ok() {
                settle(SECOND).await;
            }
            assert!(client.wire.first_byte().await.is_err());
            let took = began.elapsed().as_secs();
            assert!((10..12).contains(&took), "{took}");
            assert_eq!(world.metrics.limits.tls_handshake.get(), 1);
            assert_eq!(world.metrics.limits.head_timeout.get(), 0);
            assert_eq!(world.metrics.tls.failed.get(), 1);
            settle(SECOND).await;
            assert_eq!(world.metrics.connections_active.get(), 0);
        });
    }
}

#[test]
fn the_time_for_the_head_begins_after_the_handshake() {
    run(async {
        let authority = Authority::new();
        let mut plan = Plan::new(1);
        let tls = ListenerTls::new(vec![authority.issue(&["a.example"])]);
        plan.listener.tls = Some(Terminator::new(tls).unwrap());
        let world = plan.start();
        let mut client = Dial::new(&authority, "a.example")
            .connect(&world)
            .await
            .unwrap();
        settle(9 * SECOND).await;
        assert_eq!(client.ask(&Ask::get("/")).await.unwrap().status, 200);
        // A session ticket that came after the handshake is no head that came.
        settle(60 * SECOND).await;
        assert_eq!(client.ask(&Ask::get("/")).await.unwrap().status, 200);
        let began = Instant::now();
        assert!(client.wire.first_byte().await.is_err());
        assert_eq!(began.elapsed().as_secs(), 75);
        assert_eq!(world.metrics.limits.keep_alive.get(), 1);
    });
}

#[test]
fn a_client_that_does_not_read_is_closed_with_what_tls_still_holds() {
    run(async {
        let authority = Authority::new();
        let mut plan = Plan::new(1);
        let tls = ListenerTls::new(vec![authority.issue(&["a.example"])]);
        plan.listener.tls = Some(Terminator::new(tls).unwrap());
        let world = plan.start();
        // More than the sockets hold, less than the sockets and TLS do.
        let body = vec![b'x'; 100_000];
        world.peers[0].next(Script::answer(Answer::new(200, body)));
        let mut client = Dial::new(&authority, "a.example")
            .connect(&world)
            .await
            .unwrap();
        client.send(&Ask::get("/stuck").bytes()).await;
        settle(29 * SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 1);
        settle(3 * SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
        assert_eq!(world.metrics.limits.write_stall.get(), 1);
    });
}

#[test]
fn cleartext_on_a_port_for_https_is_told_so() {
    run(async {
        let world = world();
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/")).await.unwrap();
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains("HTTPS"), "{}", reply.text());
        assert_eq!(reply.proxy_error(), Some("http_request_error"));
        assert!(client.is_closed().await);
        settle(2 * SECOND).await;
        assert_eq!(world.metrics.tls.failed.get(), 1);
        assert_eq!(world.metrics.connections_active.get(), 0);
        // Other garbage is not worth an answer.
        let mut client = Client::new(&world).await;
        client.send(&[0, 1, 2]).await;
        assert_eq!(client.wire.first_byte().await, Err(Broken::Ended));
        settle(SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
    });
}

#[test]
fn a_client_that_leaves_during_its_handshake_is_forgotten() {
    run(async {
        let world = world();
        let mut client = Client::new(&world).await;
        client.send(HELLO).await;
        settle(SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 1);
        drop(client);
        settle(SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
        assert_eq!(world.metrics.tls.failed.get(), 1);
    });
}

#[test]
fn a_server_that_stops_does_not_wait_for_handshakes() {
    run(async {
        let world = world();
        let mut client = Client::new(&world).await;
        client.send(HELLO).await;
        settle(SECOND).await;
        let began = Instant::now();
        world.control.shutdown();
        world.serving.await.unwrap().unwrap();
        assert_eq!(began.elapsed().as_secs(), 0);
        assert!(client.wire.first_byte().await.is_err());
    });
}
