//! What it writes while it runs.

use rustix::process::Signal;
use serde_json::Value;

use super::program::Program;
use super::request::ask;
use super::upstream::Upstream;

fn configuration(upstream: &Upstream, more: &str) -> String {
    format!(
        "listeners: [{{listen: 127.0.0.1:0}}]\nadmin: {{listen: 127.0.0.1:0}}\n{more}\n\
         groups: [{{protocol: http, health_check: {{probe: none}}, peers: [{{url: 'http://{}'}}]}}]\n",
        upstream.address,
    )
}

#[test]
fn where_it_listens_is_said_at_every_level() {
    let upstream = Upstream::start();
    for level in ["off", "error"] {
        let arguments = ["--log-level", level];
        let mut program = Program::run(&configuration(&upstream, ""), &arguments);
        let (address, admin) = (program.address(), program.admin());
        program.signal(Signal::TERM);
        let (_, lines) = program.wait();
        let expected = [
            format!("INFO  listening address={address}"),
            format!("INFO  admin_listening address={admin}"),
        ];
        assert_eq!(lines, expected, "{level}");
    }
}

#[test]
fn the_groups_are_named_before_it_listens() {
    let upstream = Upstream::start();
    let url = format!("http://{}", upstream.address);
    let mut program = Program::start(&["proxy", &url, "--listen", "127.0.0.1:0"]);
    let address = program.address();
    let peer = upstream.address;
    let expected = [
        "INFO  group_created group=default strategy=p2c".to_owned(),
        format!("INFO  member_added group=default peer={peer} priority=1 weight=1"),
        "INFO  background_worker_started task=health_check group=default interval_s=5.0".to_owned(),
        format!("INFO  listening address={address}"),
    ];
    assert_eq!(program.log(), expected);
}

#[test]
fn the_format_is_what_the_arguments_say_and_else_what_the_file_says() {
    let upstream = Upstream::start();
    let file = configuration(&upstream, "log: {format: json}");
    for (arguments, name) in [
        (&[][..], "event"),
        (&["--log-format", "ecs"], "event.action"),
    ] {
        let mut program = Program::run(&file, arguments);
        let line = program.line("\"listening\"");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line[name], "listening", "{arguments:?}");
    }
}

#[test]
fn the_access_log_has_a_line_for_each_request_when_it_ends() {
    let upstream = Upstream::start();
    let logs = tempfile::tempdir().unwrap();
    let file = logs.path().join("access.log");
    let access_log = format!("access_log: {{file: {}}}", file.display());
    let mut program = Program::run(&configuration(&upstream, &access_log), &[]);
    let address = program.address();
    let trace = "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    for path in ["/one?secret=1", "/two"] {
        ask(address, "GET", path, trace).unwrap();
    }
    program.signal(Signal::TERM);
    program.wait();
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(!text.contains("secret"), "{text}");
    let first = &lines[0];
    assert_eq!(first["url.path"], "/one");
    assert_eq!(first["http.response.status_code"], 200);
    assert_eq!(first["group"], "default");
    assert_eq!(first["peer"], upstream.address.to_string());
    assert_eq!(first["attempts"], 1);
    assert_eq!(first["trace.id"], "0af7651916cd43dd8448eb211c80319c");
    assert!(first["http.request.id"].is_string());
}

#[test]
fn the_key_of_mcp_sessions_is_kept() {
    let upstream = Upstream::start();
    let url = format!("http://{}", upstream.address);
    let mut program = Program::start(&["proxy", &url, "--listen", "127.0.0.1:0"]);
    program.address();
    assert!(program.home.path().join("session.key").is_file());
}
