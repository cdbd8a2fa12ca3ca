//! Every example serves a request, and drains when it is told to end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::json;

use super::program::Program;
use super::request::send;
use super::upstream::{MARK, Upstream};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples")
}

/// The example on free ports, its peers ours.
fn prepared(text: &str, log: &Path) -> (String, Vec<Upstream>) {
    let mut upstreams = BTreeMap::new();
    let mut prepared = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        if let Some((before, after)) = line.split_once("listen: ") {
            let host = after.split(':').next().unwrap();
            line = format!("{before}listen: {}:0", host.replace("0.0.0.0", "127.0.0.1"));
        }
        if let Some((before, after)) = line.split_once("url: http://") {
            let end = after
                .find(|c: char| !matches!(c, '0'..='9' | '.' | ':'))
                .unwrap_or(after.len());
            let (authority, rest) = after.split_at(end);
            let upstream = upstreams
                .entry(authority.to_owned())
                .or_insert_with(Upstream::start);
            line = format!("{before}url: http://{}{rest}", upstream.address);
        }
        if line.trim_start().starts_with("file: ") {
            line = format!("  file: {}", log.display());
        }
        prepared.push_str(&line);
        prepared.push('\n');
    }
    (prepared, upstreams.into_values().collect())
}

/// A call that every example has a route for: MCP of the modern era.
fn call(program: &mut Program, path: &str, host: &str) -> String {
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "find",
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    let headers = format!(
        "Host: {host}\r\nContent-Type: application/json\r\nX-Tenant: a\r\n\
         Accept: application/json, text/event-stream\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: find\r\n"
    );
    send(program.address(), "POST", path, &headers, &body.to_string()).unwrap()
}

#[test]
fn every_example_serves_a_request_and_drains() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let logs = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let (configuration, _upstreams) = prepared(&text, &logs.path().join("access.log"));
        let mut program = Program::run(&configuration, &[]);
        let (path, host) = match name.as_str() {
            "groups.yaml" => ("/search", "127.0.0.1"),
            "full.yaml" => ("/mcp", "tools.example.com"),
            _ => ("/mcp", "127.0.0.1"),
        };
        let answer = call(&mut program, path, host);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {answer}");
        assert!(answer.contains(MARK), "{name}: {answer}");
        program.signal(Signal::TERM);
        let (status, lines) = program.wait();
        assert_eq!(status.code(), Some(0), "{name}: {lines:#?}");
        assert!(lines.iter().any(|line| line.contains("draining")), "{name}");
        count += 1;
    }
    assert!(count >= 7, "only {count} examples");
}
