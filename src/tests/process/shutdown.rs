//! How it ends.

use std::thread::JoinHandle;

use rustix::process::Signal;

use super::program::Program;
use super::request::{ask, get};
use super::upstream::{MARK, Upstream};

/// A proxy without a file, with a request in flight that the server holds.
fn with_a_request_in_flight() -> (Program, Upstream, JoinHandle<std::io::Result<String>>) {
    let upstream = Upstream::start();
    let url = format!("http://{}", upstream.address);
    let mut program = Program::start(&["proxy", &url, "--listen", "127.0.0.1:0"]);
    let address = program.address();
    let client = std::thread::spawn(move || ask(address, "GET", "/hold", ""));
    (program, upstream, client)
}

#[test]
fn sigterm_finishes_what_is_in_flight() {
    let (mut program, upstream, client) = with_a_request_in_flight();
    let held = upstream.hold();
    program.signal(Signal::TERM);
    program.line("draining");
    drop(held);
    let answer = client.join().unwrap().unwrap();
    assert!(answer.contains(MARK), "{answer}");
    let (status, _) = program.wait();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_second_sigterm_closes_at_once() {
    let (mut program, upstream, client) = with_a_request_in_flight();
    let held = upstream.hold();
    program.signal(Signal::TERM);
    program.line("draining");
    program.signal(Signal::TERM);
    let (status, lines) = program.wait();
    assert_eq!(status.code(), Some(0));
    assert!(lines.iter().any(|line| line.contains("closing")));
    drop(held);
    let answer = client.join().unwrap().unwrap_or_default();
    assert!(!answer.contains(MARK), "{answer}");
}

#[test]
fn sigint_closes_at_once() {
    let (program, upstream, client) = with_a_request_in_flight();
    let held = upstream.hold();
    program.signal(Signal::INT);
    let (status, lines) = program.wait();
    assert_eq!(status.code(), Some(0));
    assert!(!lines.iter().any(|line| line.contains("draining")));
    drop(held);
    let answer = client.join().unwrap().unwrap_or_default();
    assert!(!answer.contains(MARK), "{answer}");
}

#[test]
fn without_a_file_sighup_is_logged_and_changes_nothing() {
    let upstream = Upstream::start();
    let url = format!("http://{}", upstream.address);
    let mut program = Program::start(&["proxy", &url, "--listen", "127.0.0.1:0"]);
    let address = program.address();
    program.signal(Signal::HUP);
    program.line("reload_ignored");
    assert!(get(address, "/").contains(MARK));
}
