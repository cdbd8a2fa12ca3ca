//! What values come to, and what is never shown of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use config::{Code, Loaded, Problems, parse};
use proxy::settings::{HashKey, HostPolicy, Probe, SessionBinding};

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    owned.collect()
}

fn loaded(text: &str, variables: &[(&str, &str)]) -> Loaded {
    parse("values.yaml", text, &environment(variables)).unwrap()
}

fn refused(text: &str, variables: &[(&str, &str)]) -> Problems {
    parse("values.yaml", text, &environment(variables)).unwrap_err()
}

const PEERS: &str =
    "listeners: [{listen: \"127.0.0.1:80\"}]\ngroups:\n  - peers: [{url: http://a}]\n";

/// One group with these lines, indented as its keys are.
fn group(lines: &str) -> Loaded {
    loaded(&format!("{PEERS}{lines}"), &[])
}

#[test]
fn what_is_learned_of_mcp_is_bounded_as_the_file_says() {
    let loaded = group(
        "    mcp_limits: {answer: 2KiB, document: 1KiB, list: 3KiB, discoveries: 4, exchanges: 5}\n",
    );
    let limits = loaded.settings.groups[0].mcp_limits;
    let sizes = (limits.answer, limits.document, limits.list);
    assert_eq!(sizes, (2 * 1024, 1024, 3 * 1024));
    assert_eq!((limits.discoveries, limits.exchanges), (4, 5));
    let text = format!("{PEERS}    mcp_limits: {{document: 5MiB}}\n");
    let problems = refused(&text, &[]);
    let problem = problems.iter().next().unwrap();
    assert_eq!(problem.code, Code::OutOfRange, "{problems}");
}

#[test]
fn a_variable_is_a_number_where_a_number_belongs() {
    let text = format!("threads: ${{THREADS}}\n{PEERS}    min_healthy: \"${{MIN:-1}}\"\n");
    assert_eq!(loaded(&text, &[("THREADS", "7")]).settings.threads, 7);
    let problems = refused(&text, &[("THREADS", "many")]);
    let problem = problems.iter().next().unwrap();
    assert_eq!(
        (problem.code, problem.path.as_str()),
        (Code::WrongType, "threads")
    );
    assert!(!problems.to_string().contains("many"));
    assert_eq!(
        refused(&text, &[("THREADS", "0")])
            .iter()
            .next()
            .unwrap()
            .code,
        Code::OutOfRange
    );
}

#[test]
fn a_text_in_quotes_is_no_number() {
    let problems = refused(&format!("threads: \"7\"\n{PEERS}"), &[]);
    assert_eq!(problems.iter().next().unwrap().code, Code::WrongType);
}

#[test]
fn none_is_no_bound() {
    let text = "    timeouts: {first_byte: none, idle: none, total: none}\n    sse: {keepalive: none}\n    retry: {per_try: none}\n    circuit_breaker: none\n    health_check: {probe: none}\n";
    let group = group(text).settings.groups.remove(0);
    assert_eq!(group.timeouts.first_byte, None);
    assert!(group.timeouts.first_byte_for_tools);
    assert_eq!(group.timeouts.idle.or(group.timeouts.total), None);
    assert_eq!(group.sse_keepalive, None);
    assert_eq!(group.policy.retry.per_try, None);
    assert_eq!(group.policy.breaker, None);
    assert_eq!(group.health_check.probe, Some(Probe::None));
}

#[test]
fn hash_keys_name_a_part_of_the_request() {
    for (text, expected) in [
        ("client_ip", HashKey::ClientIp),
        (
            "header:X-Tenant",
            HashKey::Header("x-tenant".parse().unwrap()),
        ),
        ("cookie:sid", HashKey::Cookie("sid".to_owned())),
        ("query:q", HashKey::Query("q".to_owned())),
        ("mcp:session", HashKey::McpSession),
        ("mcp:name", HashKey::McpName),
        (
            "mcp:param:Region",
            HashKey::McpParam("mcp-param-region".parse().unwrap()),
        ),
        ("mcp:param:param:", HashKey::ClientIp),
    ] {
        let lines = format!("    strategy: consistent_hash\n    hash: {{key: \"{text}\"}}\n");
        match parse("values.yaml", &format!("{PEERS}{lines}"), &environment(&[])) {
            Ok(loaded) => assert_eq!(loaded.settings.groups[0].hash, Some(expected), "{text}"),
            Err(problems) => assert_eq!(text, "mcp:param:param:", "{problems}"),
        }
    }
}

#[test]
fn host_and_binding_take_words_and_names() {
    for (text, expected) in [
        ("auto", HostPolicy::Auto),
        ("preserve", HostPolicy::Preserve),
        ("upstream", HostPolicy::Upstream),
        (
            "example.com:8080",
            HostPolicy::Fixed("example.com:8080".parse().unwrap()),
        ),
    ] {
        let host = group(&format!("    host: {text}\n"))
            .settings
            .groups
            .remove(0)
            .host;
        assert_eq!(host, expected, "{text}");
    }
    assert_eq!(
        refused(&format!("{PEERS}    host: a/b\n"), &[])
            .iter()
            .count(),
        1
    );
    for (text, expected) in [
        ("auto", SessionBinding::Auto),
        ("none", SessionBinding::None),
        (
            "header:x-user",
            SessionBinding::Header("x-user".parse().unwrap()),
        ),
    ] {
        let loaded = group(&format!("session_binding: {text}\n"));
        assert_eq!(loaded.settings.session.binding, expected, "{text}");
    }
}

#[test]
fn retry_conditions_are_exactly_those_given() {
    let group = group("    retry: {when: [504, reset, 502, 504], attempts: 9, budget: 0%}\n");
    let retry = group.settings.groups[0].policy.retry.clone();
    assert!(retry.when.reset && !retry.when.connect && !retry.when.timeout);
    assert_eq!(retry.when.statuses, [502, 504]);
    assert_eq!(
        (retry.attempts, retry.hard_cap, retry.budget.percent),
        (9, 9, 0)
    );
}

#[test]
fn an_alias_stands_for_a_whole_value() {
    let text = "listeners: [{listen: \"127.0.0.1:80\"}]\ngroups:\n  - name: a\n    peers: &peers [{url: http://a}]\n    timeouts: &t {connect: 3s}\n  - name: b\n    peers: *peers\n    timeouts: *t\nroutes:\n  - {group: a, match: {path: /a}}\n  - {group: b}\n";
    let settings = loaded(text, &[]).settings;
    assert_eq!(settings.groups[1].timeouts.connect, Duration::from_secs(3));
    assert_eq!(settings.groups[1].peers[0].url.host, "a");
}

#[test]
fn json_is_a_configuration_too() {
    let text = r#"{"listeners":[{"listen":"127.0.0.1:80"}],"groups":[{"peers":[{"url":"http://a","weight":3}]}]}"#;
    assert_eq!(loaded(text, &[]).settings.groups[0].peers[0].peer.weight, 3);
}

#[test]
fn an_address_that_was_reported_does_not_hide_other_problems() {
    let text = "listeners: [{listen: nowhere}]\ngroups: [{peers: [{url: nowhere}], min_healthy: 0}]\nroutes: [{group: nowhere}]\n";
    let problems = refused(text, &[]);
    let paths: Vec<_> = problems
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    let expected = [
        "listeners[0].listen",
        "groups[0].peers[0].url",
        "groups[0].min_healthy",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn a_secret_is_shown_nowhere() {
    let secret = "correct-horse-battery-staple-and-more";
    let keys = format!("{PEERS}session:\n  keys:\n    - {{id: a, secret: {secret}}}\n");
    let good = loaded(&keys, &[]);
    assert_eq!(good.settings.session.keys.len(), 1);
    assert!(!format!("{good:?}").contains("horse"));
    for wrong in [
        "    oops: 1\n",
        "    - {id: a, secret: [correct-horse]}\n",
        "    - {id: a, secret: {a: correct-horse}}\n",
        "    - {id: a, secrets: correct-horse}\n",
        "    - {id: a, secret: \"correct-horse}\n",
        "    - {id: a, secret: correct-horse: staple}\n",
        "    - correct-horse\n",
        "  keys: correct-horse\n",
        "  password: correct-horse\n",
        "  keys: [{id: a, secret: \"${NONE:?correct}-horse\"}]\n",
    ] {
        let problems = refused(&format!("{keys}{wrong}"), &[]);
        let shown = format!("{problems}{problems:?}{}", problems.to_json());
        assert!(!shown.contains("horse"), "{wrong}{problems}");
    }
    let variables = [("SECRET", "horse")];
    let short = refused(
        &format!("{PEERS}session: {{keys: [{{id: a, secret: \"${{SECRET}}\"}}]}}\n"),
        &variables,
    );
    assert!(!format!("{short}{short:?}").contains("horse"));
}

#[test]
fn a_problem_as_json_has_what_the_text_has() {
    let problems = refused(&format!("{PEERS}    wieght: 1\n"), &[]);
    let json = problems.to_json();
    assert_eq!(
        json,
        serde_json::json!([{
            "code": "E0101",
            "severity": "error",
            "path": "groups[0].wieght",
            "file": "values.yaml",
            "line": 4,
            "column": 5,
            "message": "unknown key `wieght`",
            "help": json[0]["help"],
        }])
    );
}
