//! Listeners in the file system.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::process::Signal;

use super::program::{PATIENCE, Program};
use super::upstream::{MARK, Upstream};

fn file(socket: &Path, upstream: &Upstream, more: &str) -> String {
    format!(
        "threads: 2\nlisteners: [{{listen: 'unix:{}'{more}}}]\nreload: {{watch: false}}\n\
         access_log: {{format: text}}\n\
         groups: [{{protocol: http, peers: [{{name: a, url: 'http://{}'}}]}}]\n",
        socket.display(),
        upstream.address
    )
}

fn get(socket: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn mode(socket: &Path) -> u32 {
    let permissions = std::fs::metadata(socket).unwrap().permissions();
    permissions.mode() & 0o777
}

#[test]
fn a_socket_is_served_moved_and_taken_away() {
    let upstream = Upstream::start();
    let home = tempfile::tempdir().unwrap();
    let [first, second] = ["first.sock", "second.sock"].map(|name| home.path().join(name));
    // As a process leaves it that was killed.
    drop(UnixListener::bind(&first).unwrap());
    let mut program = Program::run(&file(&first, &upstream, ""), &[]);
    program.line(&format!("listening address=unix:{}", first.display()));
    assert_eq!(mode(&first), 0o660);
    // More than once, so that either thread serves one.
    for _ in 0..4 {
        assert!(get(&first).unwrap().contains(MARK));
    }
    let write = |text: String| std::fs::write(program.home.path().join("backstay.yaml"), text);
    write(file(&first, &upstream, ", mode: '0600'")).unwrap();
    program.signal(Signal::HUP);
    program.next_line("config_reloaded");
    assert_eq!(mode(&first), 0o600);
    let write = |text: String| std::fs::write(program.home.path().join("backstay.yaml"), text);
    write(file(&second, &upstream, ", mode: '0666'")).unwrap();
    program.signal(Signal::HUP);
    program.next_line(&format!("listening address=unix:{}", second.display()));
    assert_eq!(mode(&second), 0o666);
    assert!(get(&second).unwrap().contains(MARK));
    program.signal(Signal::TERM);
    let (status, _) = program.wait();
    assert_eq!(status.code(), Some(0));
    assert!(!first.exists() && !second.exists());
}

#[test]
fn a_socket_that_somebody_serves_is_left_alone() {
    let upstream = Upstream::start();
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("taken.sock");
    let _taken = UnixListener::bind(&socket).unwrap();
    let listen = format!("unix:{}", socket.display());
    let url = format!("http://{}", upstream.address);
    let output = super::program::output(&["proxy", &url, "--listen", &listen]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&format!("cannot listen on {listen}: ")),
        "{text}"
    );
    assert!(text.to_lowercase().contains("in use"), "{text}");
    assert!(UnixStream::connect(&socket).is_ok());
}
