//! Headers, credentials, and what routes have of their own.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use config::{Loaded, parse};
use http::StatusCode;
use proxy::settings::{FieldValue, HostPolicy, RouteAnswer};

fn loaded(text: &str) -> Loaded {
    match parse("test.yaml", text, &BTreeMap::new()) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{problems}"),
    }
}

fn said(text: &str) -> String {
    match parse("test.yaml", text, &BTreeMap::new()) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => problems.to_string(),
    }
}

fn with(credentials: &str) -> String {
    format!(
        "listeners: [{{listen: 127.0.0.1:8080}}]\n\
         groups: [{{peers: [{{url: \"http://10.0.0.1\"}}], credentials: {credentials}}}]"
    )
}

#[test]
fn a_credential_is_the_header_that_peers_see() {
    for (text, name, value) in [
        ("{bearer: abc}", "authorization", "Bearer abc"),
        // RFC 7617 §2.
        (
            "{basic: {user: Aladdin, password: open sesame}}",
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (
            "{header: {name: X-Api-Key, value: abc}}",
            "x-api-key",
            "abc",
        ),
    ] {
        let loaded = loaded(&with(text));
        let credential = loaded.settings.groups[0].credential.as_ref().unwrap();
        assert_eq!(credential.name().as_str(), name, "{text}");
        assert_eq!(credential.value(), value, "{text}");
        assert!(credential.value().is_sensitive(), "{text}");
        assert!(!format!("{loaded:?}").contains(value), "{text}");
    }
}

/// A file that only its owner may read, or anybody.
fn file(text: &str, open: bool) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if open { 0o604 } else { 0o640 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let name = path.display().to_string();
    (folder, name)
}

#[test]
fn a_secret_comes_from_its_file_without_the_end_of_its_line() {
    for (text, secret) in [
        ("abc", "abc"),
        ("abc\n", "abc"),
        ("abc\r\n", "abc"),
        (" abc ", " abc "),
    ] {
        let (_folder, name) = file(text, false);
        let loaded = loaded(&with(&format!("{{bearer: {{file: {name}}}}}")));
        assert!(loaded.warnings.is_empty());
        let credential = loaded.settings.groups[0].credential.as_ref().unwrap();
        assert_eq!(credential.value(), &format!("Bearer {secret}"), "{text:?}");
    }
}

#[test]
fn a_secret_that_is_none_is_refused_and_never_shown() {
    for (text, problem) in [
        ("", "the secret is empty"),
        ("\n", "the secret is empty"),
        ("hunter2\nhunter2\n", "no header can have this value"),
        ("hunter2\u{7}", "no header can have this value"),
    ] {
        let (_folder, name) = file(text, false);
        let said = said(&with(&format!("{{bearer: {{file: {name}}}}}")));
        assert!(said.contains(problem), "{text:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let (_folder, name) = file(&"x".repeat(70_000), false);
    let said = said(&with(&format!("{{bearer: {{file: {name}}}}}")));
    assert!(said.contains("not a file of at most 64 KiB"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_secret_that_everybody_may_read_gets_a_warning() {
    let (_folder, name) = file("abc", true);
    let said = said(&with(&format!("{{bearer: {{file: {name}}}}}")));
    assert!(said.starts_with("warning[W0002]: every user"), "{said}");
}

#[test]
fn a_secret_in_a_header_is_not_shown() {
    let text = "groups: [{peers: [{url: \"http://10.0.0.1\"}], headers: {request: {set: {authorization: hunter2, x-a: \"{hots}\"}}}}]";
    let problems = said(text);
    assert!(
        problems.contains("{hots}") && !problems.contains("hunter2"),
        "{problems}"
    );
    let loaded = loaded(&text.replace("{hots}", "{host}"));
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

const ROUTES: &str = r#"
listeners: [{listen: 127.0.0.1:8080}]
groups:
  - name: g
    peers: [{url: "http://10.0.0.1"}]
    timeouts: {total: 60s, idle: 20s}
    retry: {attempts: 4, when: [connect], per_try: 3s}
    max_body: 1KiB
routes:
  - {match: {path: /a}, group: g, timeouts: {total: 10s}, retry: {attempts: 7}, max_body: 2KiB}
  - {match: {path: /b}, group: g, retry: none, max_body: none, host: upstream, strip_prefix: true}
  - {match: {path: /c}, group: g, retry: {when: [503]}, rewrite: {prefix: /v2/}}
  - {match: {path: /d}, group: g, strip_prefix: false}
  - {match: {path: /e}, redirect: {to: "https://{host}{path}"}}
  - {match: {path: /f}, respond: {body: "x"}, headers: {response: {set: {x-a: "1"}}}}
"#;

#[test]
fn a_route_has_what_it_says_and_the_rest_of_its_group() {
    let loaded = loaded(ROUTES);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let routes = &loaded.settings.routes;
    let seconds = |secs| Some(Duration::from_secs(secs));
    let a = routes[0].timeouts.unwrap();
    assert_eq!((a.total, a.idle), (seconds(10), seconds(20)));
    let retry = |at: usize| routes[at].retry.as_deref().unwrap();
    assert_eq!((retry(0).attempts, retry(0).hard_cap), (7, 7));
    assert!(retry(0).when.connect && retry(0).when.statuses.is_empty());
    assert_eq!(retry(0).per_try, seconds(3));
    assert_eq!(routes[0].max_body, Some(2048));
    assert_eq!(retry(1).attempts, 1);
    assert_eq!(routes[1].max_body, Some(u64::MAX));
    assert_eq!(routes[1].host, Some(HostPolicy::Upstream));
    assert_eq!(routes[1].rewrite.as_deref(), Some(""));
    assert_eq!(
        (retry(2).attempts, &*retry(2).when.statuses),
        (4, &[503][..])
    );
    assert_eq!(routes[2].rewrite.as_deref(), Some("/v2"));
    let plain = &routes[3];
    let unchanged = plain.rewrite.is_none() && plain.timeouts.is_none() && plain.retry.is_none();
    assert!(unchanged && plain.max_body.is_none());
    let RouteAnswer::Redirect(redirect) = &routes[4].answer else {
        panic!("{:?}", routes[4]);
    };
    assert_eq!(redirect.status, StatusCode::PERMANENT_REDIRECT);
    let RouteAnswer::Respond(fixed) = &routes[5].answer else {
        panic!("{:?}", routes[5]);
    };
    assert_eq!((fixed.status, &fixed.body[..]), (StatusCode::OK, &b"x"[..]));
    let set = &routes[5].headers.response.set;
    assert!(matches!(&set[..], [(_, FieldValue::Fixed(value))] if value == "1"));
}

/// No client can choose the site that others are sent to.
#[test]
fn a_redirect_goes_where_the_operator_says() {
    for (to, sound) in [
        ("https://{host}{path}", true),
        ("https://a.example", true),
        ("https://a.example{path}", true),
        ("https://a.example/{client_ip}", true),
        ("http://a.example:81{rest}{query}", true),
        ("/", true),
        ("/a{rest}", true),
        ("/?to={path}", true),
        ("", false),
        ("a", false),
        ("{path}", false),
        ("/{rest}", false),
        ("//a.example", false),
        ("/\\\\a.example", false),
        ("https://{client_ip}/", false),
        ("https://{path}", false),
        ("https:///{path}", false),
        ("https:/{path}", false),
        ("https://a.example{request_id}", false),
        ("https://user@{host}{path}", false),
        ("ftp://a.example", false),
        ("javascript:x", false),
        ("/a b", false),
    ] {
        let text = format!(
            "listeners: [{{listen: 127.0.0.1:8080}}]\n\
             groups: [{{peers: [{{url: \"http://10.0.0.1\"}}]}}]\n\
             routes: [{{match: {{path: /a}}, redirect: {{to: \"{to}\"}}}}, {{group: default}}]"
        );
        let problems = said(&text);
        assert_eq!(problems.is_empty(), sound, "{to}: {problems}");
    }
}
