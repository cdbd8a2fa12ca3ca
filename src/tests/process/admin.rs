//! The admin listener.

use rustix::process::Signal;
use serde_json::json;

use super::program::Program;
use super::request::{ask, get, json as body};
use super::upstream::{Upstream, nobody};

fn configuration(upstream: &Upstream) -> String {
    format!(
        "listeners: [{{listen: 127.0.0.1:0}}]\n\
         admin: {{listen: 127.0.0.1:0, health_listen: 127.0.0.1:0}}\n\
         groups: [{{protocol: http, strategy: priority, health_check: {{probe: none}}, peers: [\
         {{name: eu, url: 'http://{}', region: eu-west}}, {{name: us, url: 'http://{}', priority: 2}}]}}]\n",
        upstream.address,
        nobody(),
    )
}

#[test]
fn it_says_how_the_groups_are() {
    let upstream = Upstream::start();
    let mut program = Program::run(&configuration(&upstream), &[]);
    let (address, admin) = (program.address(), program.admin());
    get(address, "/");
    assert_eq!(body(&get(admin, "/livez")), json!({"live": true}));
    assert_eq!(body(&get(admin, "/readyz"))["ready"], true);
    let list = body(&get(admin, "/api/v1/groups"));
    let group = body(&get(admin, "/api/v1/groups/default"));
    assert_eq!(list["count"], 1);
    assert_eq!(list["groups"][0]["name"], group["name"]);
    for (key, expected) in [
        ("name", json!("default")),
        ("mode", json!("active-passive")),
        ("strategy", json!("priority")),
        ("state", json!("ready")),
        ("primary_key", json!("eu")),
        ("primary_healthy", json!(true)),
        ("total_backends", json!(2)),
        ("healthy_backends", json!(2)),
        ("last_failover", json!(null)),
        ("active_tier", json!(1)),
    ] {
        assert_eq!(group[key], expected, "{key}");
    }
    let peer = &group["peers"][0];
    assert_eq!(peer["url"], format!("http://{}", upstream.address));
    assert_eq!(peer["region"], "eu-west");
    assert_eq!(peer["breaker"]["state"], "closed");
}

#[test]
fn metrics_have_every_family_and_end_as_the_format_wants() {
    let upstream = Upstream::start();
    let mut program = Program::run(&configuration(&upstream), &[]);
    let (address, admin) = (program.address(), program.admin());
    get(address, "/");
    let text = get(admin, "/metrics");
    for sample in [
        "backstay_requests_total{group=\"default\",code=\"2xx\"} 1\n",
        "backstay_request_duration_seconds_count{group=\"default\"} 1\n",
        "backstay_request_duration_seconds_bucket{le=\"+Inf\",group=\"default\"} 1\n",
        "backstay_attempts_total{group=\"default\",peer=\"eu\",outcome=\"answered\"} 1\n",
        "backstay_retries_total{group=\"default\",kind=\"not_sent\"} 0\n",
        "backstay_upstream_connections_opened_total{group=\"default\",peer=\"eu\",by=\"request\"} 1\n",
        "backstay_upstream_connections_opened_total{group=\"default\",peer=\"eu\",by=\"probe\"} ",
        "backstay_requests_answered_total 0\n",
        "backstay_limit_hits_total{limit=\"max_body\"} 0\n",
        "backstay_peer_healthy{group=\"default\",peer=\"us\"} 1.0\n",
        "backstay_breaker_state{group=\"default\",peer=\"eu\",state=\"closed\"} 1.0\n",
        "backstay_breaker_opened_total{group=\"default\",peer=\"eu\"} 0\n",
        "backstay_failovers_total{group=\"default\"} 0\n",
        "backstay_healthy_peers{group=\"default\"} 2.0\n",
        "backstay_unhealthy_peers{group=\"default\"} 0.0\n",
        "backstay_primary{group=\"default\",peer=\"eu\"} 1.0\n",
        "backstay_primary{group=\"default\",peer=\"us\"} 0.0\n",
        "backstay_limit_hits_total{limit=\"head_timeout\"} 0\n",
        "backstay_connections_total 1\n",
    ] {
        assert!(text.contains(sample), "{sample} is not in {text}");
    }
    assert!(text.contains("content-type: application/openmetrics-text; version=1.0.0"));
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn what_is_not_there_is_a_problem_document() {
    let upstream = Upstream::start();
    let mut program = Program::run(&configuration(&upstream), &[]);
    let admin = program.admin();
    for (method, path, headers, status) in [
        ("GET", "/", "", 404),
        ("GET", "/api/v1/groups/nobody", "", 404),
        ("POST", "/api/v1/groups", "", 405),
        ("DELETE", "/livez", "", 405),
        ("GET", "/livez", "Host: rebound.example\r\n", 403),
        ("GET", "/livez", "Origin: https://rebound.example\r\n", 403),
    ] {
        let answer = ask(admin, method, path, headers).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path} {answer}"
        );
        assert!(
            answer.contains("content-type: application/problem+json"),
            "{answer}"
        );
        assert_eq!(
            answer.contains("allow: GET, HEAD"),
            status == 405,
            "{answer}"
        );
        assert_eq!(body(&answer)["status"], status);
    }
}

#[test]
fn the_health_listener_has_health_alone_and_takes_any_host() {
    let upstream = Upstream::start();
    let mut program = Program::run(&configuration(&upstream), &[]);
    let admin = program.admin();
    // The second of the two lines.
    let line = {
        program.signal(Signal::HUP);
        program.line("config_reloaded");
        let all = program.log();
        let mut found = all.iter().filter(|line| line.contains("admin_listening"));
        found.next_back().unwrap().clone()
    };
    let health = line.split_once("address=").unwrap().1.parse().unwrap();
    assert_ne!(health, admin);
    for (path, status) in [
        ("/livez", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/api/v1/groups", 404),
    ] {
        let answer = ask(health, "GET", path, "Host: pod.example\r\n").unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path} {answer}"
        );
    }
}

#[test]
fn while_it_drains_it_lives_but_is_not_ready() {
    let upstream = Upstream::start();
    let mut program = Program::run(&configuration(&upstream), &[]);
    let (address, admin) = (program.address(), program.admin());
    let client = std::thread::spawn(move || ask(address, "GET", "/hold", ""));
    let held = upstream.hold();
    program.signal(Signal::TERM);
    program.line("draining");
    assert!(get(admin, "/livez").starts_with("HTTP/1.1 200 "));
    let ready = get(admin, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert_eq!(body(&ready)["draining"], true);
    drop(held);
    client.join().unwrap().unwrap();
    assert_eq!(program.wait().0.code(), Some(0));
}
