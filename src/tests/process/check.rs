//! The verbs that only read: `check`, `schema`, `completions`, and wrong usage.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::program::output;
use super::upstream::{Upstream, nobody};

const BROKEN: &str = "listeners:\n  - listen: 127.0.0.1:8080\n\
     groups:\n  - peers:\n      - ulr: http://127.0.0.1:9001\n    strategy: fastest\n";

fn check(text: &str, arguments: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backstay.yaml");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let mut all = vec!["check", file];
    all.extend(arguments);
    (output(&all), file.to_owned())
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_sound_file_is_summed_up() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/groups.yaml");
    let output = output(&["check", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let expected = "ok: 1 listener, 4 groups, 7 peers, 4 routes\n";
    assert_eq!(text(output.stdout), expected);
}

#[test]
fn every_problem_of_a_broken_file_is_told_with_its_place() {
    let (output, file) = check(BROKEN, &[]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(output.stderr);
    for place in [format!("{file}:5:9"), format!("{file}:6:15")] {
        assert!(told.contains(&place), "{place} is not in {told}");
    }
    assert!(told.contains("ulr") && told.contains("fastest"), "{told}");
    assert!(output.stdout.is_empty());
}

#[test]
fn scripts_get_the_problems_as_json() {
    let (output, file) = check(BROKEN, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let problems: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problems = problems.as_array().unwrap();
    assert!(problems.len() >= 2, "{problems:#?}");
    assert!(
        problems
            .iter()
            .all(|problem| problem["file"] == file.as_str())
    );
    assert!(
        problems
            .iter()
            .any(|problem| problem["line"] == 5 && problem["column"] == 9)
    );
}

#[test]
fn running_a_broken_file_is_1_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backstay.yaml");
    std::fs::write(&file, BROKEN).unwrap();
    let output = output(&["run", "-c", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(output.stderr).contains("backstay.yaml:5:9"));
}

#[test]
fn a_missing_file_is_1_and_wrong_usage_is_2() {
    for (arguments, code) in [
        (&["check", "/does/not/exist.yaml"][..], 1),
        (&["run", "-c", "/does/not/exist.yaml"], 1),
        (&["proxy", "not-a-url"], 1),
        (&["proxy"], 2),
        (&["run"], 2),
        (&["fly"], 2),
        (&["status", "--admin", "https://127.0.0.1:9900"], 2),
        (&[], 2),
    ] {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_admin_listener_stays_on_this_machine() {
    let arguments = [
        "proxy",
        "http://127.0.0.1:9",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "0.0.0.0:0",
    ];
    let output = output(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let told = text(output.stderr);
    assert!(told.contains("loopback"), "{told}");
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for arguments in [
        &["proxy", "http://127.0.0.1:9", "--listen", &address][..],
        &[
            "proxy",
            "http://127.0.0.1:9",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            &address,
        ],
    ] {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(1));
        let told = text(output.stderr);
        assert!(told.contains(&address) && told.contains("in use"), "{told}");
    }
}

#[test]
fn the_schema_is_the_one_in_the_tree() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/schema.json");
    let expected = std::fs::read_to_string(path).unwrap();
    assert_eq!(text(output(&["schema"]).stdout), expected);
}

#[test]
fn shells_get_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let output = output(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(output.stdout).contains("backstay"), "{shell}");
    }
}

fn live(peers: &[SocketAddr], arguments: &[&str]) -> (Option<i32>, String) {
    live_of("auto", peers, arguments)
}

fn live_of(protocol: &str, peers: &[SocketAddr], arguments: &[&str]) -> (Option<i32>, String) {
    let peer = |address: &SocketAddr| format!("{{url: 'http://{address}/mcp'}}");
    let peers: Vec<_> = peers.iter().map(peer).collect();
    let file = format!(
        "listeners: [{{listen: 127.0.0.1:0}}]\ngroups:\n  - {{name: g, protocol: {protocol}, peers: [{}]}}\n",
        peers.join(", ")
    );
    let mut all = vec!["--live"];
    all.extend(arguments);
    let (output, _) = check(&file, &all);
    (output.status.code(), text(output.stdout))
}

#[test]
fn peers_that_work_are_looked_at_and_told_of() {
    let (one, two) = (Upstream::start(), Upstream::start());
    let (code, told) = live(&[one.address, two.address], &[]);
    assert_eq!(code, Some(0), "{told}");
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines[0], "ok: 1 listener, 1 group, 2 peers");
    assert!(
        lines[2].contains("ready") && lines[2].contains("members=2/2"),
        "{told}"
    );
    assert!(
        lines[3].contains("passed") && lines[3].contains("http=1.1"),
        "{told}"
    );
}

#[test]
fn what_mcp_servers_speak_and_show_is_told() {
    let server = |versions: &[&str], tools: &[&str]| {
        let tools: Vec<Value> = tools.iter().map(|name| json!({"name": name})).collect();
        Upstream::saying(json!({
            "supportedVersions": versions,
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "s", "version": "1"},
            "tools": tools,
        }))
    };
    let both = server(&["2026-07-28", "2025-06-18"], &["find", "read"]);
    let legacy = server(&["2025-06-18"], &["read"]);
    let peers = [both.address, legacy.address];
    let (code, told) = live_of("mcp", &peers, &["--format", "json"]);
    assert_eq!(code, Some(0), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let group = &told["groups"][0];
    assert_eq!(group["eras_differ"], true, "{told:#}");
    assert_eq!(group["tools_differ"], true, "{told:#}");
    let [one, two] = [&group["peers"][0], &group["peers"][1]];
    assert_eq!(one["lacks"], json!([]), "{told:#}");
    assert_eq!(two["lacks"], json!(["find"]), "{told:#}");
    assert_eq!(two["mcp"]["eras"], json!(["legacy"]), "{told:#}");
    assert_eq!(one["mcp"]["tools"], 2, "{told:#}");
    assert!(one["connect_ms"].is_number(), "{told:#}");
}

#[test]
fn peers_that_fail_are_4_and_a_group_without_any_is_5() {
    let upstream = Upstream::start();
    let (code, told) = live(&[upstream.address, nobody()], &["--format", "json"]);
    assert_eq!(code, Some(4), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let peers = &told["groups"][0]["peers"];
    assert_eq!(peers[0]["health"], "passed", "{told:#}");
    assert_eq!(peers[1]["health"], "failed", "{told:#}");
    assert!(peers[1]["error"].is_string(), "{told:#}");
    let (code, told) = live(&[nobody()], &[]);
    assert_eq!(code, Some(5), "{told}");
    assert!(
        told.contains("unavailable") && told.contains("error="),
        "{told}"
    );
}
