//! What groups and routes change in heads, and what they leave alone.

use crate::support::{Answer, Ask, Client, Entry, Form, Gate, Script, Step, group, route, run};
use http::{HeaderName, HeaderValue, header};
use proxy::settings::{Credential, FieldEdits, FieldValue, HeaderEdits, RouteSettings, Template};
use std::time::Duration;

fn name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn fields(fields: &[(&'static str, &str)]) -> Vec<(HeaderName, FieldValue)> {
    let value = |text: &str| {
        let template = Template::parse(text).unwrap();
        match template.fixed() {
            Some(text) => FieldValue::Fixed(HeaderValue::from_str(text).unwrap()),
            None => FieldValue::Made(template),
        }
    };
    let field = |(field, text): &(&'static str, &str)| (name(field), value(text));
    fields.iter().map(field).collect()
}

fn edits(
    remove: &[&'static str],
    set: &[(&'static str, &str)],
    add: &[(&'static str, &str)],
) -> FieldEdits {
    FieldEdits {
        remove: remove.iter().copied().map(name).collect(),
        set: fields(set),
        add: fields(add),
    }
}

fn head(entry: &Entry) -> &crate::support::Head {
    entry.head.as_ref().unwrap()
}

#[test]
fn a_peer_sees_the_changes_of_the_group_and_then_those_of_the_route() {
    run(async {
        let mut group = group("g", &[0]);
        group.headers.request = edits(
            &["x-gone", "x-forwarded-proto"],
            &[("x-set", "group"), ("x-both", "group")],
            &[("x-added", "group")],
        );
        let shaped = RouteSettings {
            headers: HeaderEdits {
                request: edits(&["x-set"], &[("x-both", "route")], &[("x-added", "route")]),
                ..HeaderEdits::default()
            },
            ..route("/shaped", 0)
        };
        let gate = Gate::routed(vec![group], vec![shaped, route("/", 0)]);
        let ask = |target| {
            let ask = Ask::get(target).field("x-gone", "1").field("x-gone", "2");
            let ask = ask.field("x-set", "client").field("x-set", "twice");
            ask.field("x-added", "client").field("x-other", "client")
        };
        gate.ask(&ask("/plain")).await;
        gate.ask(&ask("/shaped")).await;
        for (target, set, both, added) in [
            ("/plain", &["group"][..], "group", &["client", "group"][..]),
            ("/shaped", &[], "route", &["client", "group", "route"]),
        ] {
            let entry = gate.ledger.only(target);
            let head = head(&entry);
            assert_eq!(head.all("x-set"), set, "{target}");
            assert_eq!(head.get("x-both"), Some(both), "{target}");
            assert_eq!(head.all("x-added"), added, "{target}");
            assert!(head.all("x-gone").is_empty(), "{target}");
            assert!(head.all("x-forwarded-proto").is_empty(), "{target}");
            assert_eq!(head.get("x-other"), Some("client"), "{target}");
        }
    });
}

#[test]
fn values_say_who_asked_for_what() {
    run(async {
        let mut group = group("g", &[0]);
        group.headers.request = edits(
            &[],
            &[
                ("x-client", "ip={client_ip}"),
                ("x-host", "{host}"),
                ("x-path", "{path}|{query}|{rest}"),
                ("x-id", "{request_id}"),
                ("x-braces", "{{host}}"),
            ],
            &[],
        );
        group.headers.response = edits(&[], &[("x-id", "{request_id}")], &[]);
        let gate = Gate::routed(vec![group], vec![route("/a", 0)]);
        let ask = Ask::get("/a/b?c=d&e").field("host", "Test.example:81");
        let reply = gate.ask(&ask.field("x-request-id", "seven")).await;
        let entry = gate.ledger.only("/a/b?c=d&e");
        let head = head(&entry);
        assert_eq!(head.get("x-client"), Some("ip=10.0.1.1"));
        assert_eq!(head.get("x-host"), Some("Test.example"));
        assert_eq!(head.get("x-path"), Some("/a/b|?c=d&e|/b"));
        assert_eq!(head.get("x-id"), Some("seven"));
        assert_eq!(head.get("x-braces"), Some("{host}"));
        assert_eq!(reply.head.get("x-id"), Some("seven"));
        // An id of ours is known, too.
        let reply = gate.ask(&Ask::get("/a")).await;
        assert_eq!(reply.head.get("x-id").unwrap().len(), 32);
    });
}

#[test]
fn a_client_sees_the_changes_whoever_answers() {
    run(async {
        let mut group = group("g", &[0]);
        group.headers.response = edits(&["server"], &[("x-set", "group")], &[("x-added", "group")]);
        let shaped = RouteSettings {
            headers: HeaderEdits {
                response: edits(&["x-peer"], &[("x-set", "route")], &[]),
                ..HeaderEdits::default()
            },
            ..route("/shaped", 0)
        };
        let gate = Gate::routed(vec![group], vec![shaped, route("/", 0)]);
        let answer = || {
            let answer = Answer::new(200, "x").field("server", "peer/1.0");
            answer.field("x-set", "peer").field("x-added", "peer")
        };
        gate.peers[0].always(Script::answer(answer()));
        let plain = gate.ask(&Ask::get("/plain")).await;
        assert_eq!(plain.head.get("x-set"), Some("group"));
        assert_eq!(plain.head.all("x-added"), ["peer", "group"]);
        assert_eq!(plain.head.get("x-peer"), Some("0"));
        assert!(plain.head.all("server").is_empty());
        let shaped = gate.ask(&Ask::get("/shaped")).await;
        assert_eq!(shaped.head.get("x-set"), Some("route"));
        assert_eq!(shaped.peer(), None);
        // After exhausted retries, and when nobody answers.
        let busy = Answer::new(503, "busy").field("x-set", "peer");
        gate.peers[0].always(Script::answer(busy));
        let kept = gate.ask(&Ask::get("/kept")).await;
        assert_eq!((kept.status, kept.head.get("x-set")), (503, Some("group")));
        gate.network.kill(gate.peers[0].ip());
        let failed = gate.ask(&Ask::get("/shaped/failed")).await;
        assert_eq!(failed.head.get("x-set"), Some("route"));
        assert_eq!(failed.head.all("x-added"), ["group"]);
        assert!(failed.status >= 500, "{}", failed.status);
    });
}

#[test]
fn a_stream_is_changed_in_its_head_alone() {
    run(async {
        let mut group = group("g", &[0]);
        group.headers.response = edits(&[], &[("x-set", "group")], &[]);
        let gate = Gate::of(group);
        let pieces: [&[u8]; 2] = [b"data: 1\n\n", b"data: 2\n\n"];
        let answer = Answer::new(200, "").pieces(&pieces, Form::Chunked, Duration::from_secs(1));
        let answer = answer.field("content-type", "text/event-stream");
        gate.peers[0].next(Script::answer(answer));
        let ask = Ask::get("/s").field("accept", "text/event-stream");
        let reply = gate.ask(&ask).await;
        assert_eq!(reply.head.get("x-set"), Some("group"));
        assert_eq!(reply.text(), "data: 1\n\ndata: 2\n\n");
    });
}

/// The client's credential is for us, the peer's is ours, and one peer's is not another's.
#[test]
fn a_peer_sees_its_own_credential_instead_of_the_clients() {
    run(async {
        let bearer = Credential::authorization(HeaderValue::from_static("Bearer of-the-group"));
        let key = Credential::new(name("x-api-key"), HeaderValue::from_static("of-the-peer"));
        let mut group = group("g", &[0, 1]);
        group.credential = Some(bearer);
        group.peers[1].credential = Some(key);
        let gate = Gate::of(group);
        let ask = |target| {
            let ask = Ask::get(target).field("authorization", "Bearer of-the-client");
            ask.field("x-api-key", "of-the-client")
        };
        gate.peers[0].next(Script::then(Step::Reset));
        let reply = gate.ask(&ask("/moved")).await;
        assert_eq!(reply.peer(), Some("1"));
        let entries = gate.ledger.entries();
        let seen = |at: usize, field| head(&entries[at]).all(field);
        assert_eq!(seen(0, "authorization"), ["Bearer of-the-group"]);
        assert_eq!(seen(0, "x-api-key"), ["of-the-client"]);
        assert!(seen(1, "authorization").is_empty());
        assert_eq!(seen(1, "x-api-key"), ["of-the-peer"]);
    });
}

#[test]
fn without_a_credential_of_ours_the_clients_passes() {
    run(async {
        let gate = Gate::of(group("g", &[0]));
        gate.ask(&Ask::get("/own").field("authorization", "Bearer own"))
            .await;
        let entry = gate.ledger.only("/own");
        assert_eq!(head(&entry).get("authorization"), Some("Bearer own"));
    });
}

#[test]
fn probes_carry_the_credential_too() {
    run(async {
        let mut group = group("g", &[0]);
        group.credential = Some(Credential::new(
            header::AUTHORIZATION,
            HeaderValue::from_static("Bearer of-the-group"),
        ));
        let probe = proxy::settings::HttpProbe::default();
        group.health_check.probe = Some(proxy::settings::Probe::Http(probe));
        let gate = Gate::of(group);
        crate::support::settle(Duration::from_secs(1)).await;
        let entries = gate.ledger.entries();
        assert_eq!(
            head(&entries[0]).get("authorization"),
            Some("Bearer of-the-group")
        );
    });
}

/// What a peer compresses arrives as it is, and who may compress is the client's to say.
#[test]
fn compression_is_passed_through() {
    let coded = b"\x1f\x8b\x08\x00 not really gzip \xff\x00".to_vec();
    for coding in ["gzip", "br", "zstd"] {
        run(async {
            let gate = Gate::of(group("g", &[0]));
            let answer = Answer::new(200, coded.clone()).field("content-encoding", coding);
            let answer = answer
                .field("vary", "accept-encoding")
                .field("etag", "\"7\"");
            gate.peers[0].next(Script::answer(answer));
            let mut client: Client = gate.client().await;
            let ask = Ask::get("/coded").field("accept-encoding", "br;q=1.0, gzip, zstd");
            let reply = client.ask(&ask).await.unwrap();
            assert!(reply.body == coded, "{coding}");
            assert_eq!(reply.head.get("content-encoding"), Some(coding));
            assert_eq!(
                reply.head.get("content-length"),
                Some(&*coded.len().to_string())
            );
            assert_eq!(reply.head.get("vary"), Some("accept-encoding"));
            assert_eq!(reply.head.get("etag"), Some("\"7\""));
            let entry = gate.ledger.only("/coded");
            let asked = head(&entry).get("accept-encoding");
            assert_eq!(asked, Some("br;q=1.0, gzip, zstd"));
        });
    }
}
