//! Browsers of other origins before a group of MCP servers (rule 27).

use crate::support::{
    Answer, Ask, Broken, Client, Renewed, Reply, Script, listener, run, settings,
};
use http::{HeaderName, HeaderValue};
use proxy::memory::{Connecting, example};
use proxy::settings::{CorsSettings, Origins, Protocol, Settings};
use std::time::Duration;

const APP: &str = "https://app.example";

fn listed() -> Origins {
    Origins::Listed {
        origins: vec![HeaderValue::from_static(APP)],
        credentials: true,
    }
}

fn with(origins: Option<Origins>) -> Settings {
    let mut settings = settings(&[0]);
    settings.groups[0].protocol = Protocol::Mcp;
    settings.cors = origins.map(|origins| CorsSettings {
        origins,
        headers: vec![HeaderName::from_static("x-mine")],
        expose: vec![HeaderName::from_static("x-shown")],
        max_age: Duration::from_secs(600),
    });
    settings
}

fn preflight(origin: &str, method: &str) -> Ask {
    Ask::new("OPTIONS", "/mcp")
        .field("origin", origin)
        .field("access-control-request-method", method)
        .field(
            "access-control-request-headers",
            "authorization, mcp-session-id",
        )
}

fn ping(origin: &str) -> Ask {
    Ask::post("/mcp", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
        .field("content-type", "application/json")
        .field("accept", "application/json, text/event-stream")
        .field("origin", origin)
}

/// What a peer answers that has ideas of its own.
fn own_idea() -> Script {
    let answer = Answer::new(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
        .field("content-type", "application/json")
        .field("access-control-allow-origin", "https://theirs.example");
    Script::answer(answer)
}

async fn ask(world: &Renewed, ask: &Ask) -> Result<Reply, Broken> {
    let address = example::address(9).ip();
    let mut client = Client::from(&world.network, listener(8080), address).await;
    client.ask(ask).await
}

fn all<'a>(reply: &'a Reply, name: &str) -> Vec<&'a str> {
    let fields = reply.head.fields.iter();
    let of_name = fields.filter(|(field, _)| field == name);
    of_name.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn a_preflight_is_answered_without_a_peer() {
    run(async {
        let world = Renewed::start(&with(Some(listed())));
        let reply = ask(&world, &preflight(APP, "POST")).await.unwrap();
        assert_eq!(reply.status, 204);
        assert_eq!(all(&reply, "access-control-allow-origin"), [APP]);
        assert_eq!(all(&reply, "access-control-allow-credentials"), ["true"]);
        assert_eq!(
            all(&reply, "access-control-allow-methods"),
            ["GET, POST, DELETE"]
        );
        assert_eq!(all(&reply, "access-control-max-age"), ["600"]);
        assert_eq!(all(&reply, "vary"), ["origin"]);
        let headers = all(&reply, "access-control-allow-headers").join(", ");
        for name in ["authorization", "last-event-id", "mcp-session-id", "x-mine"] {
            assert!(headers.split(", ").any(|each| each == name), "{headers}");
        }
        assert_eq!(world.ledger.entries().len(), 0);
    });
}

#[test]
fn what_is_not_allowed_here_is_the_peer_s_to_judge() {
    run(async {
        for (origins, origin, method) in [
            (Some(listed()), "https://other.example", "POST"),
            (Some(listed()), APP, "PUT"),
            (None, APP, "POST"),
        ] {
            let world = Renewed::start(&with(origins));
            world.peers[0].always(own_idea());
            let reply = ask(&world, &preflight(origin, method)).await.unwrap();
            assert_eq!(reply.status, 200, "{origin} {method}");
            assert_eq!(world.ledger.entries().len(), 1);
        }
    });
}

#[test]
fn an_origin_that_may_ask_may_read_and_the_peer_hears_of_none() {
    run(async {
        let world = Renewed::start(&with(Some(listed())));
        world.peers[0].always(own_idea());
        let reply = ask(&world, &ping(APP)).await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(all(&reply, "access-control-allow-origin"), [APP]);
        let exposed = all(&reply, "access-control-expose-headers").join(", ");
        for name in ["mcp-session-id", "www-authenticate", "x-shown"] {
            assert!(exposed.split(", ").any(|each| each == name), "{exposed}");
        }
        let head = world.ledger.entry(0).head.clone().unwrap();
        assert_eq!(head.get("origin"), None);
    });
}

#[test]
fn an_origin_that_may_not_ask_is_left_to_the_peer() {
    run(async {
        let world = Renewed::start(&with(Some(listed())));
        world.peers[0].always(own_idea());
        let other = "https://other.example";
        let reply = ask(&world, &ping(other)).await.unwrap();
        let theirs = ["https://theirs.example"];
        assert_eq!(all(&reply, "access-control-allow-origin"), theirs);
        let head = world.ledger.entry(0).head.clone().unwrap();
        assert_eq!(head.get("origin"), Some(other));
    });
}

#[test]
fn everybody_may_ask_without_credentials() {
    run(async {
        let world = Renewed::start(&with(Some(Origins::Any)));
        world.peers[0].always(own_idea());
        let reply = ask(&world, &ping("https://any.example")).await.unwrap();
        assert_eq!(all(&reply, "access-control-allow-origin"), ["*"]);
        assert_eq!(all(&reply, "access-control-allow-credentials"), [""; 0]);
        assert_eq!(all(&reply, "vary"), [""; 0]);
    });
}

#[test]
fn errors_of_ours_can_be_read_too() {
    run(async {
        let world = Renewed::start(&with(Some(listed())));
        let refuse = Connecting::Refuse;
        world.network.set_connecting(world.peers[0].ip(), refuse);
        let reply = ask(&world, &ping(APP)).await.unwrap();
        assert!(reply.text().contains("jsonrpc"), "{}", reply.text());
        assert_eq!(all(&reply, "access-control-allow-origin"), [APP]);
    });
}

#[test]
fn plain_http_is_not_affected() {
    run(async {
        let mut settings = with(Some(listed()));
        settings.groups[0].protocol = Protocol::Http;
        let world = Renewed::start(&settings);
        world.peers[0].always(own_idea());
        let reply = ask(&world, &ping(APP)).await.unwrap();
        assert_eq!(
            all(&reply, "access-control-allow-origin"),
            ["https://theirs.example"]
        );
        let reply = ask(&world, &preflight(APP, "POST")).await.unwrap();
        assert_eq!(reply.status, 200);
    });
}
