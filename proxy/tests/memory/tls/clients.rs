//! Clients that come by HTTPS: versions, names, tickets, certificates of their own.

use crate::support::h2::H2Client;
use crate::support::{Ask, Authority, Client, Dial, Plan, World, run};
use proxy::hooks::Flow;
use proxy::settings::{ClientAuth, ListenerTls, TlsVersion};
use proxy::tls::Terminator;
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ProtocolVersion};
use std::sync::{Arc, Mutex};

fn plan(tls: ListenerTls) -> Plan {
    let mut plan = Plan::new(1);
    plan.listener.tls = Some(Terminator::new(tls).unwrap());
    plan
}

fn world(authority: &Authority) -> World {
    plan(ListenerTls::new(vec![authority.issue(&["a.example"])])).start()
}

#[test]
fn a_peer_hears_that_the_client_came_by_https() {
    run(async {
        let authority = Authority::new();
        let world = world(&authority);
        let mut client = Dial::new(&authority, "a.example")
            .connect(&world)
            .await
            .unwrap();
        let reply = client.ask(&Ask::post("/x", "body")).await.unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (200, "hello"));
        let head = world.ledger.only("/x").head.unwrap();
        assert_eq!(head.get("x-forwarded-proto"), Some("https"));
        // The connection is kept, as without TLS.
        assert_eq!(client.ask(&Ask::get("/y")).await.unwrap().status, 200);
        assert_eq!(world.metrics.tls.handshakes.get(), 1);
        assert_eq!(world.metrics.tls.failed.get(), 0);
        world.assert_idle();
    });
}

#[test]
fn a_certificate_is_chosen_by_name_then_wildcard_then_the_first() {
    run(async {
        let authority = Authority::new();
        let certs = vec![
            authority.issue(&["first.example"]),
            authority.issue(&["*.b.example"]),
            authority.issue(&["a.example", "x.b.example"]),
        ];
        let world = plan(ListenerTls::new(certs)).start();
        for (asked, expected) in [
            ("first.example", Some("first.example")),
            ("A.Example", Some("a.example")),
            ("y.b.example", Some("*.b.example")),
            ("x.b.example", Some("a.example")),
            // A wildcard stands for one label, and the first certificate is not for this name.
            ("z.y.b.example", None),
            ("b.example", None),
            ("unknown.example", None),
        ] {
            let client = Dial::new(&authority, asked).connect(&world).await;
            let name = client.ok().map(|client| client.handshake().0);
            assert_eq!(name.as_deref(), expected, "{asked}");
        }
    });
}

#[test]
fn both_versions_are_served_unless_the_listener_wants_the_newer() {
    for (least, version, expected) in [
        (TlsVersion::V1_2, &TLS12, Some(ProtocolVersion::TLSv1_2)),
        (TlsVersion::V1_2, &TLS13, Some(ProtocolVersion::TLSv1_3)),
        (TlsVersion::V1_3, &TLS13, Some(ProtocolVersion::TLSv1_3)),
        (TlsVersion::V1_3, &TLS12, None),
    ] {
        run(async {
            let authority = Authority::new();
            let mut tls = ListenerTls::new(vec![authority.issue(&["a.example"])]);
            tls.min_version = least;
            let world = plan(tls).start();
            let dial = Dial::with(&authority, "a.example", &[version], None);
            let client = dial.connect(&world).await;
            let got = client.as_ref().ok().map(|client| client.handshake().2);
            assert_eq!(got, expected, "{least:?}");
            let Ok(mut client) = client else {
                assert_eq!(world.metrics.tls.failed.get(), 1);
                return;
            };
            assert_eq!(client.ask(&Ask::get("/")).await.unwrap().status, 200);
        });
    }
}

#[test]
fn a_client_that_comes_back_resumes_its_session() {
    for version in [&TLS12, &TLS13] {
        run(async {
            let authority = Authority::new();
            let world = world(&authority);
            let dial = Dial::with(&authority, "a.example", &[version], None);
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let mut client = dial.connect(&world).await.unwrap();
                client.ask(&Ask::get("/")).await.unwrap();
                kinds.push(client.handshake().1);
            }
            assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
            assert_eq!(world.metrics.tls.handshakes.get(), 2);
            assert_eq!(world.metrics.tls.resumed.get(), 1);
        });
    }
}

#[test]
fn protocols_are_settled_on_if_there_is_a_common_one() {
    for (offered, served) in [
        (&["http/1.1"][..], true),
        (&["x", "http/1.1"], true),
        (&[], true),
        (&["x"], false),
    ] {
        run(async {
            let authority = Authority::new();
            let world = world(&authority);
            let dial = Dial::new(&authority, "a.example").offering(offered);
            // Without a common protocol the handshake fails (RFC 7301 §3.2).
            let client = dial.connect(&world).await;
            assert_eq!(client.is_ok(), served, "{offered:?}");
            if let Ok(mut client) = client {
                assert_eq!(client.ask(&Ask::get("/")).await.unwrap().status, 200);
            }
        });
    }
}

#[test]
fn a_client_that_offers_http2_gets_it() {
    run(async {
        let authority = Authority::new();
        let world = world(&authority);
        let dial = Dial::new(&authority, "a.example").offering(&["http/1.1", "h2"]);
        let client = dial.connect(&world).await.unwrap();
        let mut client = H2Client::over(client.wire.stream, &h2::client::Builder::new()).await;
        for _ in 0..3 {
            assert!(client.get("/").await.unwrap().is_ok());
        }
        let entries = world.ledger.entries();
        let head = entries[0].head.as_ref().unwrap();
        assert_eq!(head.get("x-forwarded-proto"), Some("https"));
        assert!(head.get("via").unwrap().starts_with("2.0 "));
    });
}

/// What hooks see of the client of each request: subject, names, fingerprint.
type Seen = Arc<Mutex<Vec<Option<(String, Vec<String>, usize)>>>>;

fn client_auth(authority: &Authority, auth: ClientAuth, forward: bool) -> (World, Seen) {
    let mut tls = ListenerTls::new(vec![authority.issue(&["a.example"])]);
    tls.client_auth = auth;
    tls.forward_client_cert = forward;
    let mut plan = plan(tls);
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    plan.wish.filter = Some(Box::new(move |session| {
        let tls = session.connection.tls.as_ref();
        let certificate = tls.and_then(|tls| tls.certificate.as_ref());
        let facts = certificate.map(|certificate| {
            let (subject, names) = (certificate.subject.clone(), certificate.names.clone());
            (subject, names, certificate.fingerprint.len())
        });
        noted.lock().unwrap().push(facts);
        Flow::Continue
    }));
    (plan.start(), seen)
}

/// What came of a request with this certificate.
async fn status(world: &World, dial: &Dial, path: &str) -> Option<u16> {
    // In TLS 1.3 a client hears only after its handshake that it was refused.
    let mut client = dial.connect(world).await.ok()?;
    let reply = client.ask(&Ask::get(path)).await.ok()?;
    Some(reply.status)
}

#[test]
fn a_client_certificate_is_asked_for_verified_and_shown_to_hooks() {
    for version in [&TLS12, &TLS13] {
        run(async {
            let authority = Authority::new();
            let stranger = Authority::new();
            let dial = |identity: Option<&proxy::tls::KeyPair>| {
                Dial::with(&authority, "a.example", &[version], identity)
            };
            let known = dial(Some(&authority.issue(&["agent.example"])));
            let unknown = dial(Some(&stranger.issue(&["agent.example"])));
            let expired = dial(Some(&authority.issue_until(&["agent.example"], 2020)));
            let facts = Some((
                "CN=agent.example".to_owned(),
                vec!["DNS:agent.example".to_owned()],
                64,
            ));

            let required = ClientAuth::Required(authority.pem());
            let (world, seen) = client_auth(&authority, required, false);
            assert_eq!(status(&world, &known, "/known").await, Some(200));
            // On a resumed session too.
            assert_eq!(status(&world, &known, "/again").await, Some(200));
            assert_eq!(world.metrics.tls.resumed.get(), 1);
            assert_eq!(status(&world, &unknown, "/").await, None);
            assert_eq!(status(&world, &expired, "/").await, None);
            assert_eq!(status(&world, &dial(None), "/").await, None);
            assert_eq!(*seen.lock().unwrap(), [facts.clone(), facts.clone()]);
            assert_eq!(world.metrics.tls.failed.get(), 3);

            let optional = ClientAuth::Optional(authority.pem());
            let (world, seen) = client_auth(&authority, optional, false);
            assert_eq!(status(&world, &known, "/").await, Some(200));
            assert_eq!(status(&world, &dial(None), "/").await, Some(200));
            assert_eq!(status(&world, &unknown, "/").await, None);
            assert_eq!(*seen.lock().unwrap(), [facts, None]);
        });
    }
}

#[test]
fn peers_hear_of_client_certificates_from_the_proxy_alone_and_only_if_told() {
    run(async {
        let authority = Authority::new();
        let identity = authority.issue(&["agent.example"]);
        let dial = Dial::with(&authority, "a.example", &[&TLS13], Some(&identity));
        let lie = Ask::get("/x")
            .field("client-cert", ":AAAA:")
            .field("client-cert-chain", ":AAAA:")
            .field("x-forwarded-client-cert", "Subject=\"CN=root\"");
        for forward in [false, true] {
            let optional = ClientAuth::Optional(authority.pem());
            let (world, _) = client_auth(&authority, optional, forward);
            let mut client = dial.connect(&world).await.unwrap();
            assert_eq!(client.ask(&lie).await.unwrap().status, 200);
            let head = world.ledger.only("/x").head.unwrap();
            assert_eq!(head.get("client-cert-chain"), None);
            assert_eq!(head.get("x-forwarded-client-cert"), None);
            let told = head.get("client-cert");
            assert_eq!(told.is_some(), forward, "{told:?}");
            // RFC 9440 §2.1: the DER form, as an RFC 8941 byte sequence.
            if let Some(value) = told {
                assert!(value.starts_with(":MII") && value.ends_with(':'), "{value}");
            }
        }
        // Without TLS it is stripped as well.
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        assert_eq!(client.ask(&lie).await.unwrap().status, 200);
        let head = world.ledger.only("/x").head.unwrap();
        assert_eq!(head.get("client-cert"), None);
        assert_eq!(head.get("x-forwarded-proto"), Some("http"));
    });
}
