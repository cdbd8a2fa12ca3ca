//! Where routes lead: paths, hosts, and the answers they give themselves.

use crate::support::{Answer, Ask, Gate, Script, group, route, run};
use http::{HeaderValue, Method, StatusCode};
use proxy::settings::{
    FixedResponse, HostPolicy, Redirect, RouteAnswer, RouteMatch, RouteSettings, Template,
};
use std::sync::Arc;

/// One group whose peer has `url` as its path.
fn rewriting(url: &str, rewrite: Option<&str>) -> Gate {
    let mut group = group("g", &[0]);
    url.clone_into(&mut group.peers[0].url.path);
    let rewritten = RouteSettings {
        rewrite: rewrite.map(Arc::from),
        ..route("/search", 0)
    };
    Gate::routed(vec![group], vec![rewritten])
}

#[test]
fn a_prefix_is_taken_off_or_replaced_behind_the_path_of_the_peer() {
    for (url, rewrite, asked, seen) in [
        ("", None, "/search/x?y=1", "/search/x?y=1"),
        ("/mcp", None, "/search/x?y=1", "/mcp/x?y=1"),
        ("", Some(""), "/search/x?y=1", "/x?y=1"),
        ("", Some(""), "/search?y=1", "/?y=1"),
        ("", Some(""), "/search//evil.example/x", "/evil.example/x"),
        ("/mcp", Some(""), "/search/x", "/mcp/x"),
        ("", Some("/v2"), "/search/x?y=1", "/v2/x?y=1"),
        ("/mcp", Some("/v2"), "/search", "/mcp/v2"),
    ] {
        run(async {
            let gate = rewriting(url, rewrite);
            let reply = gate.ask(&Ask::get(asked)).await;
            assert_eq!(reply.status, 200, "{url} {rewrite:?} {asked}");
            let entries = gate.ledger.entries();
            assert_eq!(entries[0].target(), Some(seen), "{url} {rewrite:?} {asked}");
        });
    }
}

/// The address in a legacy stream is resolved against the path that the peer sees.
#[test]
fn a_message_of_a_stream_finds_its_way_through_a_rewritten_path() {
    run(async {
        let gate = rewriting("", Some("/v2"));
        let stream = Answer::new(200, "event: endpoint\ndata: messages?id=7\n\n");
        let stream = stream.field("content-type", "text/event-stream");
        gate.peers[0].next(Script::answer(stream));
        let ask = Ask::get("/search/sse").field("accept", "text/event-stream");
        let text = gate.ask(&ask).await.text();
        let address = text.split_once("data: ").unwrap().1.trim();
        assert!(address.starts_with("/search/"), "{address}");
        let message = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        gate.ask(&Ask::post(address, message)).await;
        assert_eq!(gate.ledger.peers_of("/v2/messages?id=7"), [0]);
    });
}

#[test]
fn a_path_that_reads_two_ways_reaches_no_peer() {
    for path in [
        "/search/../x",
        "/search/%2e%2e/x",
        "/search/..",
        "/search/%2f/x",
    ] {
        run(async {
            let gate = rewriting("", Some(""));
            let reply = gate.ask(&Ask::get(path)).await;
            assert_eq!(reply.status, 400, "{path}");
            assert!(gate.ledger.entries().is_empty(), "{path}");
            assert_eq!(gate.metrics.unrouted.get(), 1);
        });
    }
}

#[test]
fn a_route_says_which_host_its_peers_see() {
    run(async {
        let fixed = HostPolicy::Fixed(HeaderValue::from_static("fixed.example"));
        let with = |path, host| RouteSettings {
            host,
            ..route(path, 0)
        };
        let mut group = group("g", &[0]);
        group.host = HostPolicy::Upstream;
        let routes = vec![
            with("/fixed", Some(fixed)),
            with("/kept", Some(HostPolicy::Preserve)),
            with("/", None),
        ];
        let gate = Gate::routed(vec![group], routes);
        for (target, host) in [
            ("/fixed", "fixed.example"),
            ("/kept", "test"),
            ("/x", "peer-0"),
        ] {
            gate.ask(&Ask::get(target)).await;
            let entry = gate.ledger.only(target);
            assert_eq!(entry.head.unwrap().get("host"), Some(host), "{target}");
        }
    });
}

#[test]
fn methods_hosts_headers_and_query_choose_among_routes_of_one_path() {
    run(async {
        let matching = |matches: RouteMatch, group| {
            let matches = RouteMatch {
                path: "/".to_owned(),
                ..matches
            };
            RouteSettings::new(matches, RouteAnswer::Group(group))
        };
        let routes = vec![
            matching(
                RouteMatch {
                    methods: vec![Method::PUT],
                    ..RouteMatch::default()
                },
                0,
            ),
            matching(
                RouteMatch {
                    query: vec![("v".to_owned(), "2".to_owned())],
                    ..RouteMatch::default()
                },
                1,
            ),
            matching(
                RouteMatch {
                    host: Some("*.example".to_owned()),
                    ..RouteMatch::default()
                },
                2,
            ),
        ];
        let groups = vec![group("a", &[0]), group("b", &[1]), group("c", &[2])];
        let gate = Gate::routed(groups, routes);
        for (ask, peer) in [
            (Ask::new("PUT", "/?v=2"), Some("0")),
            (Ask::get("/?v=2").field("host", "x.example"), Some("1")),
            (Ask::get("/?v=3").field("host", "x.example:80"), Some("2")),
            (Ask::get("/?v=3"), None),
        ] {
            assert_eq!(gate.ask(&ask).await.peer(), peer, "{ask:?}");
        }
        assert_eq!(gate.metrics.unrouted.get(), 1);
    });
}

fn redirect(path: &str, to: &str, status: StatusCode) -> RouteSettings {
    let to = Template::parse(to).unwrap();
    let answer = RouteAnswer::Redirect(Redirect { status, to });
    RouteSettings::new(route(path, 0).matches, answer)
}

#[test]
fn a_redirect_names_the_new_address_and_keeps_the_query() {
    let moved = StatusCode::PERMANENT_REDIRECT;
    for (to, asked, location) in [
        (
            "https://{host}{path}",
            "/a/b?c=d",
            "https://t.example/a/b?c=d",
        ),
        ("https://{host}{path}", "/a", "https://t.example/a"),
        ("/new{rest}", "/a/b?c=d", "/new/b?c=d"),
        ("/new{rest}", "/a", "/new"),
        ("/new?from={path}", "/a/b?c=d", "/new?from=/a/b"),
        ("/new#top", "/a?c=d", "/new?c=d#top"),
        (
            "https://x.example/{client_ip}",
            "/a?",
            "https://x.example/10.0.1.1",
        ),
    ] {
        run(async {
            let gate = Gate::routed(vec![group("g", &[0])], vec![redirect("/a", to, moved)]);
            let reply = gate
                .ask(&Ask::get(asked).field("host", "t.example:8080"))
                .await;
            assert_eq!(reply.status, 308, "{to} {asked}");
            assert_eq!(reply.head.get("location"), Some(location), "{to} {asked}");
            assert!(gate.ledger.entries().is_empty());
            let metrics = &gate.metrics;
            assert_eq!((metrics.answered.get(), metrics.unrouted.get()), (1, 0));
        });
    }
}

#[test]
fn a_redirect_reads_no_body_and_says_that_the_connection_ends() {
    run(async {
        let routes = vec![redirect("/a", "/b{rest}", StatusCode::SEE_OTHER)];
        let gate = Gate::routed(vec![group("g", &[0])], routes);
        let mut client = gate.client().await;
        client
            .send(&Ask::post("/a", vec![b'x'; 1 << 20]).head())
            .await;
        let reply = client.wire.reply("POST").await.unwrap();
        assert_eq!(reply.status, 303);
        assert!(reply.closes());
    });
}

#[test]
fn a_fixed_response_is_the_same_for_all() {
    run(async {
        let fixed = FixedResponse {
            status: StatusCode::IM_A_TEAPOT,
            body: "short and stout\n".into(),
            content_type: HeaderValue::from_static("text/x-tea"),
        };
        let empty = FixedResponse {
            status: StatusCode::NO_CONTENT,
            body: "".into(),
            content_type: HeaderValue::from_static("text/plain"),
        };
        let answered =
            |path, fixed| RouteSettings::new(route(path, 0).matches, RouteAnswer::Respond(fixed));
        let routes = vec![answered("/tea", fixed), answered("/", empty)];
        let gate = Gate::routed(vec![group("g", &[0])], routes);
        let mut client = gate.client().await;
        for method in ["GET", "HEAD", "POST"] {
            let reply = client.ask(&Ask::new(method, "/tea/x")).await.unwrap();
            assert_eq!(reply.status, 418, "{method}");
            assert_eq!(reply.head.get("content-type"), Some("text/x-tea"));
            assert_eq!(reply.head.get("content-length"), Some("16"));
            let body = if method == "HEAD" {
                ""
            } else {
                "short and stout\n"
            };
            assert_eq!(reply.text(), body, "{method}");
        }
        let reply = client.ask(&Ask::get("/")).await.unwrap();
        assert_eq!(reply.status, 204);
        assert!(reply.head.all("content-type").is_empty());
        assert_eq!(gate.metrics.answered.get(), 4);
        assert!(gate.ledger.entries().is_empty());
    });
}
