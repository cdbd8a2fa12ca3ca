//! HTTPS on real sockets, with certificates from files.

use std::io::{Read as _, Write as _};

use rustix::process::Signal;

use super::program::{Program, output};
use super::request::get;
use super::secure::{certificates, client, connect, send, server};
use super::upstream::{MARK, Upstream};

/// HTTPS for clients and towards the peer, on two threads.
fn configuration(upstream: &Upstream) -> String {
    let folder = certificates();
    let folder = folder.display();
    format!(
        "threads: 2\n\
         listeners:\n  - listen: 127.0.0.1:0\n    tls:\n      certs:\n        \
         - {{cert: {folder}/localhost.pem, key: {folder}/localhost-key.pem}}\n\
         admin: {{listen: 127.0.0.1:0}}\n\
         groups:\n  - peers: [{{url: https://{}}}]\n    \
         tls: {{ca: {folder}/localhost.pem}}\n",
        upstream.address
    )
}

#[test]
fn requests_pass_over_tls_on_both_sides_and_on_every_thread() {
    let upstream = Upstream::secure(server());
    let mut program = Program::run(&configuration(&upstream), &[]);
    let address = program.address();
    // Each open connection goes to the thread with the fewest.
    let held: Vec<_> = (0..4)
        .map(|_| {
            let mut held = connect(address, &client());
            held.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
            held.read_exact(&mut [0]).unwrap();
            held
        })
        .collect();
    for _ in 0..4 {
        let host = "Host: localhost\r\n";
        let answer = send(address, &client(), ("POST", "/x"), host, "{}");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains(MARK), "{answer}");
    }
    drop(held);
    let metrics = get(program.admin(), "/metrics");
    for line in [
        "backstay_tls_handshakes_total{result=\"succeeded\"} 8",
        // 2126-01-01.
        "name=\"localhost\"} 4922899200",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // Cleartext is told what to do.
    let answer = get(address, "/");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    program.signal(Signal::TERM);
    let (status, lines) = program.wait();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
}

#[test]
fn a_proxy_does_not_start_with_a_key_of_another_certificate() {
    let home = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    std::fs::write(home.path().join("key.pem"), &key).unwrap();
    let file = home.path().join("backstay.yaml");
    let cert = certificates().join("localhost.pem");
    let text = format!(
        "listeners:\n  - listen: 127.0.0.1:0\n    tls:\n      certs:\n        \
         - cert: {}\n          key: key.pem\n\
         groups: [{{peers: [{{url: http://127.0.0.1:1}}]}}]\n",
        cert.display()
    );
    std::fs::write(&file, text).unwrap();
    let path = file.display().to_string();
    for verb in [&["check", &path][..], &["run", "-c", &path]] {
        let output = output(verb);
        assert_eq!(output.status.code(), Some(1));
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("error[E0204]"), "{said}");
        // The caret is at the key, which is read beside the file.
        assert!(said.contains("backstay.yaml:6:16"), "{said}");
        assert!(!said.contains(key.lines().nth(1).unwrap()), "{said}");
    }
}
