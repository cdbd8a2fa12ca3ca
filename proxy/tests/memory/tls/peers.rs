//! Peers that want HTTPS: who is believed, what is said when nobody is, what is resumed.

use crate::support::{Ask, Authority, Client, Plan, Script, Step, World, run, settle};
use lb::{Cause, Delivery};
use proxy::settings::{GroupTls, HealthCheck, HttpProbe, Probe, Scheme};
use proxy::tls::{Connector, KeyPair};
use std::time::Duration;

/// Peers at `https://a.example`, `https://b.example` …
fn plan(peers: u8, tls: GroupTls) -> Plan {
    let mut plan = Plan::new(peers);
    for peer in &mut plan.group.peers {
        peer.url.scheme = Scheme::Https;
        peer.url.authority = format!("{}.example", peer.peer.name);
    }
    plan.group.tls = Some(Connector::new(tls).unwrap());
    plan
}

fn believing(authority: &Authority) -> GroupTls {
    GroupTls {
        ca: Some(authority.pem()),
        ..GroupTls::default()
    }
}

/// The peers' URLs have addresses, so certificates for names need the name to be said.
fn called(name: &str, tls: GroupTls) -> GroupTls {
    GroupTls {
        server_name: Some(name.to_owned()),
        ..tls
    }
}

fn start(mut plan: Plan, authority: &Authority, pair: &KeyPair) -> World {
    plan.acceptor = Some(authority.acceptor(pair, false));
    plan.start()
}

#[test]
fn a_peer_is_asked_over_tls_and_its_connection_kept() {
    run(async {
        let authority = Authority::new();
        let pair = authority.issue(&["10.0.0.1"]);
        let world = start(plan(1, believing(&authority)), &authority, &pair);
        let mut client = Client::new(&world).await;
        for path in ["/1", "/2"] {
            let reply = client.ask(&Ask::post(path, "body")).await.unwrap();
            assert_eq!(reply.text(), "hello");
        }
        assert_eq!(world.ledger.only("/1").connection, 1);
        assert_eq!(world.ledger.only("/2").connection, 1);
        world.assert_idle();
    });
}

#[test]
fn a_certificate_that_cannot_be_believed_is_refused_and_said_so() {
    let authority = Authority::new();
    let stranger = Authority::new();
    for (what, pair) in [
        ("wrong name", authority.issue(&["b.example"])),
        ("wrong address", authority.issue(&["10.0.0.9"])),
        ("expired", authority.issue_until(&["a.example"], 2020)),
        ("unknown authority", stranger.issue(&["a.example"])),
    ] {
        run(async {
            let tls = called("a.example", believing(&authority));
            let world = start(plan(1, tls), &authority, &pair);
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::post("/x", "body")).await.unwrap();
            assert_eq!(reply.status, 502, "{what}");
            assert_eq!(reply.proxy_error(), Some("tls_certificate_error"), "{what}");
            let logged = world.spy.only_logged("/x");
            assert_eq!(logged.attempts[0].cause, Some(Cause::Tls), "{what}");
            assert_eq!(world.spy.delivery("/x"), Some(Delivery::NotSent));
            assert!(world.ledger.entries().is_empty(), "{what}");
            assert!(world.group.peers[0].metrics.attempts.tls.get() > 0);
            world.assert_idle();
        });
    }
}

#[test]
fn a_request_that_met_no_tls_moves_to_the_next_peer_whatever_it_is() {
    run(async {
        let authority = Authority::new();
        let pair = authority.issue(&["10.0.0.2"]);
        let world = start(plan(2, believing(&authority)), &authority, &pair);
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::post("/x", "body")).await.unwrap();
        assert_eq!((reply.status, reply.peer()), (200, Some("1")));
        assert_eq!(world.ledger.peers_of("/x"), [1]);
        // A handshake that failed is not tried again on the same peer.
        let attempts = &world.spy.only_logged("/x").attempts;
        assert_eq!(attempts.len(), 2);
    });
}

#[test]
fn a_name_can_be_given_and_verification_left_out() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let unverified = GroupTls {
        verify: false,
        ..GroupTls::default()
    };
    for (tls, pair) in [
        (
            called("b.example", believing(&authority)),
            authority.issue(&["b.example"]),
        ),
        // The final dot of an absolute name is not part of it.
        (
            called("b.example.", believing(&authority)),
            authority.issue(&["b.example"]),
        ),
        (unverified, stranger.issue_until(&["c.example"], 2020)),
    ] {
        run(async {
            let world = start(plan(1, tls), &authority, &pair);
            let mut client = Client::new(&world).await;
            assert_eq!(client.ask(&Ask::get("/x")).await.unwrap().status, 200);
            // The name of the certificate says nothing about the host that is asked for.
            let head = world.ledger.only("/x").head.unwrap();
            assert_eq!(head.get("host"), Some("test"));
        });
    }
}

#[test]
fn a_peer_that_wants_a_certificate_gets_one() {
    run(async {
        let authority = Authority::new();
        let pair = authority.issue(&["10.0.0.1"]);
        let tls = GroupTls {
            identity: Some(authority.issue(&["proxy.example"])),
            ..believing(&authority)
        };
        for (tls, expected) in [(tls, 200), (believing(&authority), 502)] {
            let mut plan = plan(1, tls);
            plan.acceptor = Some(authority.acceptor(&pair, true));
            let world = plan.start();
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::get("/x")).await.unwrap();
            assert_eq!(reply.status, expected);
        }
    });
}

#[test]
fn a_peer_without_tls_is_no_peer() {
    run(async {
        let authority = Authority::new();
        let world = plan(1, believing(&authority)).start();
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
        world.peers[0].always(Script(vec![Step::Write(answer), Step::Close]));
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/x")).await.unwrap();
        assert_eq!(reply.status, 502);
        assert_eq!(reply.proxy_error(), Some("tls_protocol_error"));
    });
}

#[test]
fn a_handshake_that_hangs_counts_against_the_connect_timeout() {
    run(async {
        let authority = Authority::new();
        let pair = authority.issue(&["10.0.0.1"]);
        let world = start(plan(1, believing(&authority)), &authority, &pair);
        world.network.freeze(world.peers[0].ip());
        let mut client = Client::new(&world).await;
        let began = tokio::time::Instant::now();
        let reply = client.ask(&Ask::get("/x")).await.unwrap();
        assert_eq!(reply.status, 504);
        assert_eq!(reply.proxy_error(), Some("connection_timeout"));
        let attempts = world.spy.only_logged("/x").attempts.len();
        let took = began.elapsed().as_millis();
        // One second each, and the backoff between them.
        let expected = 1_000 * attempts as u128;
        assert!((expected..expected + 700).contains(&took), "{took}");
    });
}

#[test]
fn probes_that_speak_http_speak_tls_and_tcp_stays_tcp() {
    let authority = Authority::new();
    let wrong = authority.issue(&["b.example"]);
    let right = authority.issue(&["10.0.0.1"]);
    let http = || Probe::Http(HttpProbe::default());
    for (probe, pair, passes) in [
        (http(), &right, true),
        (http(), &wrong, false),
        (Probe::Mcp, &wrong, false),
        (Probe::Tcp, &wrong, true),
    ] {
        run(async {
            let mut plan = plan(1, believing(&authority));
            plan.group.health_check = HealthCheck {
                probe: Some(probe.clone()),
                ..HealthCheck::default()
            };
            let world = start(plan, &authority, pair);
            settle(Duration::from_secs(20)).await;
            let metrics = &world.group.peers[0].metrics;
            let (passed, failed) = (metrics.probes_passed.get(), metrics.probes_failed.get());
            assert_eq!((passed > 0, failed > 0), (passes, !passes), "{probe:?}");
        });
    }
}
