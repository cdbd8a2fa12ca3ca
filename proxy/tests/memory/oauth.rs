//! Protected servers behind us: whom clients ask for tokens, and which peer hears them (rule 28).

use crate::support::{
    Answer, Ask, Client, Form, Renewed, Reply, Script, group, listener, route, run, settings,
};
use proxy::memory::{Connecting, example};
use proxy::settings::{Protocol, Settings};
use std::time::Duration;

const DOCUMENT: &str =
    r#"{"resource":"http://10.0.0.1/mcp","authorization_servers":["https://auth.example"]}"#;
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Peers `a`, `b` and `c` in one tier.
fn mcp() -> Settings {
    let mut settings = settings(&[0, 1, 2]);
    settings.groups[0].protocol = Protocol::Mcp;
    // The first request does not wait for probes.
    for peer in &mut settings.groups[0].peers {
        peer.peer.priority = 1;
    }
    settings
}

/// The same below `/search`, at `/mcp` of each peer.
fn routed() -> Settings {
    let mut settings = mcp();
    for peer in &mut settings.groups[0].peers {
        "/mcp".clone_into(&mut peer.url.path);
    }
    settings.routes = vec![route("/search", 0)];
    settings
}

fn ping(path: &str) -> Ask {
    Ask::post(path, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
        .field("content-type", "application/json")
        .field("accept", "application/json, text/event-stream")
        .field("host", "p.example")
}

fn stream(path: &str) -> Ask {
    Ask::get(path)
        .field("accept", "text/event-stream")
        .field("host", "p.example")
}

async fn ask_from(world: &Renewed, host: u8, ask: &Ask) -> Reply {
    let address = example::address(host).ip();
    let mut client = Client::from(&world.network, listener(8080), address).await;
    client.ask(ask).await.unwrap()
}

async fn ask(world: &Renewed, ask: &Ask) -> Reply {
    ask_from(world, 20, ask).await
}

fn always(world: &Renewed, answer: &Answer) {
    for peer in &world.peers {
        peer.always(Script::answer(answer.clone()));
    }
}

/// What a protected server refuses with: a line for each scheme.
fn challenge(document: &str) -> Answer {
    let bearer = format!("Bearer error=\"invalid_token\", resource_metadata=\"{document}\"");
    Answer::new(401, "")
        .field("www-authenticate", "Basic realm=\"x\"")
        .field("www-authenticate", &bearer)
}

fn challenges(reply: &Reply) -> Vec<&str> {
    let fields = reply.head.fields.iter();
    let of_name = fields.filter(|(name, _)| name == "www-authenticate");
    of_name.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn rule_28_challenges_lead_to_a_document_of_ours() {
    run(async {
        let public = Settings {
            public_url: Some("https://mcp.example".to_owned()),
            ..routed()
        };
        for (settings, ask_of, document) in [
            (mcp(), ping("/mcp"), "http://p.example{}/mcp"),
            (mcp(), stream("/sse"), "http://p.example{}/sse"),
            (routed(), ping("/search"), "http://p.example{}/search"),
            (routed(), stream("/search"), "http://p.example{}/search"),
            (public, ping("/search"), "https://mcp.example{}/search"),
        ] {
            let world = Renewed::start(&settings);
            let theirs = format!("http://10.0.0.1{WELL_KNOWN}/mcp");
            always(&world, &challenge(&theirs));
            let reply = ask(&world, &ask_of).await;
            assert_eq!(reply.status, 401, "{document}");
            let ours = document.replace("{}", WELL_KNOWN);
            let bearer = format!("Bearer error=\"invalid_token\", resource_metadata=\"{ours}\"");
            assert_eq!(challenges(&reply), ["Basic realm=\"x\"", &bearer]);
        }
    });
}

#[test]
fn rule_28_what_is_not_mcp_keeps_its_challenges() {
    run(async {
        let mut settings = mcp();
        settings.groups[0].protocol = Protocol::Http;
        let world = Renewed::start(&settings);
        let theirs = format!("http://10.0.0.1{WELL_KNOWN}/mcp");
        always(&world, &challenge(&theirs));
        let reply = ask(&world, &ping("/mcp")).await;
        assert!(challenges(&reply)[1].contains(&theirs));
    });
}

#[test]
fn rule_28_the_document_of_a_peer_is_about_us() {
    run(async {
        for (settings, ours, theirs, resource) in [
            (mcp(), "/mcp", "/mcp", "http://p.example/mcp"),
            (routed(), "/search", "/mcp", "http://p.example/search"),
            (routed(), "/search/x", "/mcp/x", "http://p.example/search/x"),
            (mcp(), "", "", "http://p.example"),
        ] {
            let world = Renewed::start(&settings);
            let answer = Answer::new(200, DOCUMENT)
                .field("content-type", "application/json")
                .field("cache-control", "max-age=3600")
                .field("repr-digest", "sha-256=:x:");
            always(&world, &answer);
            let ask_of = Ask::get(&format!("{WELL_KNOWN}{ours}"))
                .field("host", "p.example")
                .field("range", "bytes=0-3");
            let reply = ask(&world, &ask_of).await;
            let expected = DOCUMENT.replace("http://10.0.0.1/mcp", resource);
            assert_eq!(reply.text(), expected);
            assert_eq!(reply.head.get("cache-control"), Some("max-age=3600"));
            assert_eq!(reply.head.get("repr-digest"), None);
            let head = world.ledger.entry(0).head.clone().unwrap();
            assert_eq!(head.start, format!("GET {WELL_KNOWN}{theirs} HTTP/1.1"));
            assert_eq!(head.get("range"), None);
        }
    });
}

#[test]
fn rule_28_a_document_at_the_root_of_the_peer_is_found() {
    run(async {
        let world = Renewed::start(&routed());
        for peer in &world.peers {
            let ledger = world.ledger.clone();
            peer.usually(move |_| {
                // Asked for the path first, then for the root.
                let answer = match ledger.entries().len() {
                    1 => Answer::new(404, "no"),
                    _ => Answer::new(200, DOCUMENT).field("content-type", "application/json"),
                };
                Script::answer(answer)
            });
        }
        let ask_of = Ask::get(&format!("{WELL_KNOWN}/search")).field("host", "p.example");
        let reply = ask(&world, &ask_of).await;
        assert!(
            reply.text().contains("\"http://p.example/search\""),
            "{}",
            reply.text()
        );
        let entries = world.ledger.entries();
        let starts: Vec<_> = entries
            .iter()
            .map(|entry| entry.head.clone().unwrap().start)
            .collect();
        let path = format!("GET {WELL_KNOWN}/mcp HTTP/1.1");
        assert_eq!(starts, [path, format!("GET {WELL_KNOWN} HTTP/1.1")]);
        assert_eq!(entries[0].peer, entries[1].peer);
    });
}

#[test]
fn rule_28_a_server_without_documents_says_so_itself() {
    run(async {
        let world = Renewed::start(&routed());
        always(&world, &Answer::new(404, "their 404"));
        let reply = ask(&world, &Ask::get(&format!("{WELL_KNOWN}/search"))).await;
        assert_eq!((reply.status, reply.text().as_str()), (404, "their 404"));
        assert_eq!(world.ledger.entries().len(), 2);
    });
}

#[test]
fn rule_28_a_document_that_cannot_be_read_passes_as_it_is() {
    run(async {
        for body in [
            "[]",
            "{",
            r#"{"authorization_servers":[]}"#,
            &"x".repeat(70_000),
        ] {
            let world = Renewed::start(&mcp());
            let answer = Answer::new(200, body)
                .field("content-type", "application/json")
                .form(Form::Chunked);
            always(&world, &answer);
            let reply = ask(&world, &Ask::get(WELL_KNOWN)).await;
            assert!(reply.text() == body, "{}", reply.text());
        }
    });
}

#[test]
fn a_document_is_read_as_far_as_its_limit() {
    run(async {
        let long = format!("{DOCUMENT}{}", " ".repeat(70_000));
        for (limit, about_us) in [(4 * 1024, false), (128 * 1024, true)] {
            let mut settings = mcp();
            settings.groups[0].mcp_limits.document = limit;
            let world = Renewed::start(&settings);
            let answer = Answer::new(200, long.as_str()).field("content-type", "application/json");
            always(&world, &answer);
            let reply = ask(&world, &Ask::get(&format!("{WELL_KNOWN}/mcp"))).await;
            assert_eq!(!reply.text().contains("http://10.0.0.1/mcp"), about_us);
            let unread = world.group().metrics.documents_unread.get();
            assert_eq!(unread == 0, about_us);
        }
    });
}

fn register() -> Ask {
    Ask::post("/register", r#"{"redirect_uris":["http://127.0.0.1/cb"]}"#)
        .field("content-type", "application/json")
}

fn authorize(client: &str) -> Ask {
    Ask::get(&format!("/authorize?response_type=code&client_id={client}"))
}

fn token(client: &str) -> Ask {
    let form = format!("grant_type=authorization_code&code=x&client_id={client}");
    Ask::post("/token", form).field("content-type", "application/x-www-form-urlencoded")
}

fn last(world: &Renewed) -> usize {
    world.ledger.entries().last().unwrap().peer
}

fn registered(client: &str) -> Answer {
    let body = format!(r#"{{"client_id":"{client}","redirect_uris":[]}}"#);
    Answer::new(201, body).field("content-type", "application/json")
}

#[test]
fn rule_28_a_client_stays_at_the_server_that_knows_it() {
    run(async {
        let world = Renewed::start(&mcp());
        let mut homes = Vec::new();
        // Whatever the address they come from: a browser has another than the service that it
        // lets in.
        for client in 30..60_u8 {
            let id = format!("client-{client}");
            always(&world, &registered(&id));
            ask_from(&world, client, &register()).await;
            let home = last(&world);
            always(&world, &Answer::new(302, "").field("location", "http://x"));
            ask_from(&world, client + 50, &authorize(&id)).await;
            assert_eq!(last(&world), home, "authorize {id}");
            always(&world, &Answer::new(200, "{}"));
            ask_from(&world, client + 100, &token(&id)).await;
            assert_eq!(last(&world), home, "token {id}");
            homes.push(home);
        }
        for peer in 0..3 {
            assert!(homes.contains(&peer), "{homes:?}");
        }
    });
}

#[test]
fn rule_28_a_client_that_is_not_known_goes_by_its_address_and_stays() {
    run(async {
        let world = Renewed::start(&mcp());
        always(&world, &Answer::new(200, "{}"));
        let metadata = Ask::get("/.well-known/oauth-authorization-server");
        for host in 30..40_u8 {
            ask_from(&world, host, &metadata).await;
            let home = last(&world);
            let id = format!("https%3A%2F%2Fapp.example%2F{host}");
            ask_from(&world, host, &authorize(&id)).await;
            assert_eq!(last(&world), home);
            // Encoded otherwise, and from elsewhere.
            let id = id.replace("%3A", ":").replace("%2F", "/");
            ask_from(&world, host + 50, &token(&id)).await;
            assert_eq!(last(&world), home);
        }
    });
}

#[test]
fn rule_28_what_a_server_refused_is_not_remembered() {
    run(async {
        let world = Renewed::start(&mcp());
        let mut seen = Vec::new();
        always(&world, &Answer::new(400, "no such client"));
        for host in 30..60_u8 {
            ask_from(&world, host, &authorize("one")).await;
            seen.push(last(&world));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [0, 1, 2]);
    });
}

#[test]
fn rule_28_a_client_whose_server_is_gone_finds_another() {
    run(async {
        let world = Renewed::start(&mcp());
        always(&world, &registered("one"));
        ask(&world, &register()).await;
        let home = last(&world);
        let gone = world.peers[home].ip();
        world.network.set_connecting(gone, Connecting::Refuse);
        world.network.kill(gone);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let reply = ask(&world, &token("one")).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let next = last(&world);
        assert_ne!(next, home);
        ask_from(&world, 99, &token("one")).await;
        assert_eq!(last(&world), next);
    });
}

#[test]
fn rule_28_what_is_remembered_of_clients_is_bounded() {
    run(async {
        let mut settings = mcp();
        settings.limits.oauth_clients = 16;
        let world = Renewed::start(&settings);
        always(&world, &Answer::new(200, "{}"));
        for client in 0..20 {
            ask(&world, &token(&format!("client-{client}"))).await;
        }
        assert_eq!(world.group().metrics.oauth_clients_dropped.get(), 4);
    });
}

/// MCP 2025-03-26: the authorization server is at the root, whatever the routes.
#[test]
fn rule_28_authorization_is_at_the_root_of_the_first_group_of_mcp() {
    run(async {
        let mut settings = routed();
        settings.groups.insert(0, group("web", &[0]));
        settings.groups[0].protocol = Protocol::Http;
        settings.routes = vec![route("/web", 0), route("/search", 1)];
        let world = Renewed::start(&settings);
        always(&world, &Answer::new(200, "{}"));
        for path in [
            "/.well-known/oauth-authorization-server",
            "/authorize",
            "/register",
            "/token",
        ] {
            let reply = ask(&world, &Ask::get(path)).await;
            assert_eq!(reply.status, 200, "{path}");
            let entries = world.ledger.entries();
            let head = entries.last().unwrap().head.clone().unwrap();
            assert_eq!(head.start, format!("GET {path} HTTP/1.1"));
        }
        let reply = ask(&world, &Ask::get("/tokens")).await;
        assert_eq!(reply.status, 404);
    });
}
