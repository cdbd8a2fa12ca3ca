//! Peers that have a name, or a socket in the file system.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::program::Program;
use super::request::get;
use super::upstream::{MARK, Upstream};

fn file(url: &str, more: &str) -> String {
    format!(
        "listeners: [{{listen: 127.0.0.1:0}}]\nreload: {{watch: false}}\n{more}\
         groups: [{{protocol: http, peers: [{{name: a, url: '{url}'}}]}}]\n"
    )
}

#[test]
fn a_name_is_found_by_either_resolver() {
    let upstream = Upstream::start();
    let url = format!("http://localhost:{}", upstream.address.port());
    for more in ["", "dns: {resolver: system}\n"] {
        let mut program = Program::run(&file(&url, more), &[]);
        assert!(get(program.address(), "/").contains(MARK), "{more}");
        program.line("peer_resolved group=default peer=a host=localhost");
    }
}

/// Answers one request after another, each on a connection of its own.
fn serve(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut path = String::new();
            let mut lines = BufReader::new(&stream);
            // A probe sends nothing.
            drop(lines.read_line(&mut path));
            while !path.is_empty() && !path.ends_with("\r\n\r\n") {
                lines.read_line(&mut path).unwrap();
            }
            let length = path.len();
            drop(write!(
                &stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{path}"
            ));
        }
    });
}

#[test]
fn a_peer_may_be_behind_a_unix_socket() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("app.sock");
    serve(&socket);
    let url = format!("unix:{}:/inside", socket.display());
    let routes = "routes: [{match: {path: /outside}, group: default}]\n";
    let mut program = Program::run(&file(&url, routes), &[]);
    let address = program.address();
    let answer = get(address, "/outside/x");
    assert!(answer.contains("GET /inside/x HTTP/1.1"), "{answer}");
}
