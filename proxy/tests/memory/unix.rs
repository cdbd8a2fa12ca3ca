//! Clients that come over a socket in the file system.

use crate::support::h2::H2Client;
use crate::support::{
    Ask, Authority, Client, Dial, PROXY, Renewed, listener, run, settings, settle,
};
use proxy::network::{Address, Network as _};
use proxy::settings::{ListenerSettings, ListenerTls, Settings, TrustedProxy};
use proxy::tls::Terminator;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

const HERE: &str = "/run/here.sock";

fn at(paths: &[&str]) -> Settings {
    let address = |path: &&str| ListenerSettings::new(Address::Unix(Path::new(path).into()));
    Settings {
        listeners: paths.iter().map(address).collect(),
        ..settings(&[0])
    }
}

async fn client(gate: &Renewed) -> Client {
    let network = gate.network.seen_from(PROXY);
    Client::over(network.connect_unix(Path::new(HERE)).await.unwrap())
}

#[test]
fn a_client_without_an_address_is_unknown_and_not_believed() {
    run(async {
        let gate = Renewed::start(&at(&[HERE]));
        let ask = Ask::get("/unknown")
            .field("x-forwarded-for", "6.6.6.6")
            .field("forwarded", "for=6.6.6.6")
            .field("x-forwarded-proto", "https");
        assert_eq!(client(&gate).await.ask(&ask).await.unwrap().status, 200);
        let head = gate.ledger.only("/unknown").head.unwrap();
        assert_eq!(head.get("x-forwarded-for"), None);
        assert_eq!(head.get("forwarded"), None);
        assert_eq!(head.get("x-forwarded-proto"), Some("http"));
    });
}

#[test]
fn a_trusted_proxy_over_a_socket_is_believed() {
    run(async {
        let mut settings = at(&[HERE]);
        settings.trusted_proxies = vec![TrustedProxy::Unix];
        let gate = Renewed::start(&settings);
        let ask = Ask::get("/known")
            .field("x-forwarded-for", "192.0.2.1")
            .field("forwarded", "for=192.0.2.1;proto=https");
        client(&gate).await.ask(&ask).await.unwrap();
        let head = gate.ledger.only("/known").head.unwrap();
        // RFC 7239 §6.3. The older field has nothing for it.
        assert_eq!(head.get("x-forwarded-for"), Some("192.0.2.1"));
        let expected = "for=192.0.2.1;proto=https, for=unknown;proto=http";
        assert_eq!(head.get("forwarded"), Some(expected));
        // Those with addresses are not believed for it.
        settings
            .listeners
            .push(ListenerSettings::new(listener(8080)));
        gate.reload(&settings).await.unwrap();
        let host = [10, 0, 1, 1].into();
        let mut other = Client::from(&gate.network, listener(8080), host).await;
        let ask = Ask::get("/other").field("x-forwarded-for", "192.0.2.1");
        other.ask(&ask).await.unwrap();
        let head = gate.ledger.only("/other").head.unwrap();
        assert_eq!(head.get("x-forwarded-for"), Some("10.0.1.1"));
    });
}

#[test]
fn the_limit_of_an_address_is_not_for_clients_without_one() {
    run(async {
        let mut settings = at(&[HERE]);
        settings.limits.connections_per_address = 1;
        let gate = Renewed::start(&settings);
        let mut clients = [client(&gate).await, client(&gate).await];
        for client in &mut clients {
            assert_eq!(client.ask(&Ask::get("/")).await.unwrap().status, 200);
        }
        assert_eq!(gate.metrics.limits.connections_per_address.get(), 0);
    });
}

/// Rule 27: a socket in the file system is reached from this machine only, like a loopback address.
#[test]
fn hosts_and_origins_of_mcp_requests_are_checked_as_on_loopback() {
    run(async {
        let mut settings = at(&[HERE]);
        settings.listeners[0].hosts = vec!["mcp.example".to_owned()];
        let gate = Renewed::start(&settings);
        for (host, origin, status) in [
            ("localhost", None, 200),
            ("mcp.example", None, 200),
            ("rebound.example", None, 403),
            ("localhost", Some("http://rebound.example"), 403),
        ] {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
            let mut ask = Ask::post("/mcp", body)
                .field("host", host)
                .field("content-type", "application/json")
                .field("accept", "application/json, text/event-stream")
                .field("mcp-protocol-version", "2025-06-18");
            if let Some(origin) = origin {
                ask = ask.field("origin", origin);
            }
            let reply = client(&gate).await.ask(&ask).await.unwrap();
            assert_eq!(reply.status, status, "{host} {origin:?}");
        }
    });
}

#[test]
fn http_2_is_understood_there_too() {
    run(async {
        let gate = Renewed::start(&at(&[HERE]));
        let network = gate.network.seen_from(PROXY);
        let stream = network.connect_unix(Path::new(HERE)).await.unwrap();
        let mut client = H2Client::over(stream, &h2::client::Builder::new()).await;
        let request = http::Request::get("http://test/h2");
        let request = request.body(bytes::Bytes::new()).unwrap();
        assert_eq!(client.ask(request).await.unwrap().status, 200);
    });
}

#[test]
fn tls_is_spoken_there_too() {
    run(async {
        let authority = Authority::new();
        let pair = authority.issue(&["a.example"]);
        let mut settings = at(&[HERE]);
        let terminator = Terminator::new(ListenerTls::new(vec![pair])).unwrap();
        settings.listeners[0].tls = Some(terminator);
        let gate = Renewed::start(&settings);
        let network = gate.network.seen_from(PROXY);
        let stream = network.connect_unix(Path::new(HERE)).await.unwrap();
        let client = Dial::new(&authority, "a.example").over(stream).await;
        assert_eq!(
            client.unwrap().ask(&Ask::get("/tls")).await.unwrap().status,
            200
        );
        let head = gate.ledger.only("/tls").head.unwrap();
        assert_eq!(head.get("x-forwarded-proto"), Some("https"));
        let certificates = gate.metrics.tls.certificates();
        assert_eq!(certificates[0].0.to_string(), format!("unix:{HERE}"));
    });
}

#[test]
fn a_reload_opens_closes_and_keeps_sockets() {
    run(async {
        let gate = Renewed::start(&at(&[HERE, "/run/old.sock"]));
        let mut keeping = client(&gate).await;
        keeping.ask(&Ask::get("/")).await.unwrap();
        let reloaded = gate.reload(&at(&["/run/new.sock", HERE])).await.unwrap();
        let unix = |path: &str| Address::Unix(Path::new(path).into());
        assert_eq!(reloaded.opened, [unix("/run/new.sock")]);
        assert_eq!(reloaded.closed, [unix("/run/old.sock")]);
        settle(Duration::from_secs(1)).await;
        assert!(!keeping.ask(&Ask::get("/")).await.unwrap().closes());
        let network = gate.network.seen_from(PROXY);
        network
            .connect_unix(Path::new("/run/new.sock"))
            .await
            .unwrap();
        let gone = network.connect_unix(Path::new("/run/old.sock")).await;
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
        let taken = network.bind_unix(Path::new(HERE), 0o600).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        // Other machines have other files.
        let elsewhere = gate.network.seen_from([10, 0, 1, 1].into());
        assert!(elsewhere.connect_unix(Path::new(HERE)).await.is_err());
    });
}
