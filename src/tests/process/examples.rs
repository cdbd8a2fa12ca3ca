//! Every example serves a request, and drains when it is told to end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::program::Program;
use super::request::{ask, json, send};
use super::upstream::{MARK, Upstream};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples")
}

/// The example on free ports, its peers ours.
fn prepared(text: &str, log: &Path) -> (String, Vec<Upstream>) {
    let certificates = super::secure::certificates();
    let mut upstreams = BTreeMap::new();
    let mut prepared = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        if let Some((before, after)) = line.split_once("listen: ") {
            let host = after.split(':').next().unwrap();
            line = format!("{before}listen: {}:0", host.replace("0.0.0.0", "127.0.0.1"));
        }
        // The file goes elsewhere, the certificates stay.
        line = line.replace(": tls/", &format!(": {}/", certificates.display()));
        let scheme = if line.contains("url: https://") {
            "https"
        } else {
            "http"
        };
        if let Some((before, after)) = line.split_once(&format!("url: {scheme}://")) {
            let end = after
                .find(|c: char| !matches!(c, '0'..='9' | '.' | ':'))
                .unwrap_or(after.len());
            let (authority, rest) = after.split_at(end);
            let upstream = upstreams
                .entry(authority.to_owned())
                .or_insert_with(|| match scheme {
                    "https" => Upstream::secure(super::secure::server()),
                    _ => Upstream::start(),
                });
            line = format!("{before}url: {scheme}://{}{rest}", upstream.address);
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
fn call(program: &mut Program, secure: bool, path: &str, host: &str) -> String {
    let body = serde_json::json!({
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
    let (address, body) = (program.address(), body.to_string());
    if secure {
        let client = super::secure::client();
        return super::secure::send(address, &client, ("POST", path), &headers, &body);
    }
    send(address, "POST", path, &headers, &body).unwrap()
}

#[test]
fn every_example_serves_a_request_and_drains() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        // Certificates have a folder.
        if path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let logs = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let (configuration, _upstreams) = prepared(&text, &logs.path().join("access.log"));
        let mut program = Program::run(&configuration, &[]);
        let (path, host) = match name.as_str() {
            "groups.yaml" => ("/search", "127.0.0.1"),
            "full.yaml" => ("/mcp?kind=image", "tools.example.com"),
            _ => ("/mcp", "127.0.0.1"),
        };
        let answer = call(
            &mut program,
            text.contains("    tls:\n      certs:"),
            path,
            host,
        );
        if name == "grpc.yaml" {
            // No upstream here speaks HTTP/2; those of the end-to-end suites do.
            assert!(answer.contains("backstay; error="), "{name}: {answer}");
        } else {
            assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {answer}");
            assert!(answer.contains(MARK), "{name}: {answer}");
        }
        program.signal(Signal::TERM);
        let (status, lines) = program.wait();
        assert_eq!(status.code(), Some(0), "{name}: {lines:#?}");
        assert!(lines.iter().any(|line| line.contains("draining")), "{name}");
        count += 1;
    }
    assert!(count >= 8, "only {count} examples");
}

#[test]
fn the_shaping_example_does_what_it_says() {
    let logs = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(folder().join("shaping.yaml")).unwrap();
    let (configuration, _upstreams) = prepared(&text, &logs.path().join("access.log"));
    let mut program = Program::run(&configuration, &[]);
    let address = program.address();
    for (method, target, expected) in [
        ("GET", "/api/v1/x?y=1", "\"GET /x?y=1 HTTP/1.1\""),
        ("GET", "/api/x?y=1", "\"GET /v2/x?y=1 HTTP/1.1\""),
        ("GET", "/x", "\"x-client: 127.0.0.1\""),
        ("GET", "/x", "\"x-asked-for: old.example\""),
        (
            "GET",
            "/x",
            "strict-transport-security: max-age=31536000\r\n",
        ),
        ("PUT", "/upload?kind=image", MARK),
        ("PUT", "/upload?kind=text", "HTTP/1.1 405 "),
        ("PUT", "/upload?kind=text", "\r\nallow: PUT, POST\r\n"),
        ("GET", "/old/a?b=c", "HTTP/1.1 301 "),
        (
            "GET",
            "/old/a?b=c",
            "\r\nlocation: https://old.example/new/a?b=c\r\n",
        ),
        ("GET", "/robots.txt", "\r\n\r\nUser-agent: *\nDisallow: /\n"),
    ] {
        let answer = ask(address, method, target, "Host: old.example:81\r\n").unwrap();
        assert!(answer.contains(expected), "{method} {target}: {answer}");
    }
    let headers = "Host: 127.0.0.1\r\nAuthorization: Bearer of-the-client\r\n";
    let answer = ask(address, "GET", "/search", headers).unwrap();
    assert!(answer.contains("x-served-by: search"), "{answer}");
    let seen = json(&answer)["result"]["seen"].to_string();
    assert!(
        seen.contains("\"authorization: bearer only-an-example\""),
        "{seen}"
    );
    assert!(!seen.contains("of-the-client"), "{seen}");
    program.signal(Signal::TERM);
    // Nothing that is logged has the credential.
    let (status, lines) = program.wait();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
    assert!(
        !lines.iter().any(|line| line.contains("only-an-example")),
        "{lines:#?}"
    );
}
