//! The file changes while it serves.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use super::program::{PATIENCE, Program};
use super::request::{get, json};
use super::upstream::{MARK, Upstream, nobody};

/// A file with these listeners and these peers. Nothing but a signal reloads it.
fn file(listeners: &[&str], peers: &[SocketAddr]) -> String {
    watched(listeners, peers) + "reload: {watch: false}\n"
}

fn watched(listeners: &[&str], peers: &[SocketAddr]) -> String {
    let mut text = "listeners:\n".to_owned();
    for listener in listeners {
        writeln!(text, "  - listen: {listener}").unwrap();
    }
    text += "admin: {listen: 127.0.0.1:0}\n";
    text += "groups:\n  - protocol: http\n    health_check: {probe: none}\n    peers:\n";
    for (index, peer) in peers.iter().enumerate() {
        let priority = index + 1;
        writeln!(
            text,
            "      - {{name: p{}, url: 'http://{peer}', priority: {priority}}}",
            peer.port()
        )
        .unwrap();
    }
    text
}

fn write(program: &Program, text: &str) {
    std::fs::write(program.home.path().join("backstay.yaml"), text).unwrap();
}

fn metric(program: &mut Program, sample: &str) -> Option<String> {
    let text = get(program.admin(), "/metrics");
    let line = text.lines().find(|line| line.starts_with(sample))?;
    line.rsplit_once(' ').map(|(_, value)| value.to_owned())
}

/// A request whose answer the peer holds back, on a connection of its own.
fn held(program: &mut Program, upstream: &Upstream) -> (TcpStream, std::sync::mpsc::Sender<()>) {
    let mut client = TcpStream::connect(program.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(client, "GET /hold HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let held = upstream.hold();
    (client, held)
}

/// The answer on a connection that goes on.
fn answer(client: &TcpStream) -> String {
    let mut reader = BufReader::new(client);
    let mut text = String::new();
    while !text.contains(MARK) {
        assert!(reader.read_line(&mut text).unwrap() > 0, "{text}");
        // The body has no line end, so it is read up to its last brace.
        if text.ends_with("\r\n\r\n") {
            let mut body = Vec::new();
            reader.read_until(b'}', &mut body).unwrap();
            text += &String::from_utf8(body).unwrap();
        }
    }
    text
}

#[test]
fn a_signal_reads_the_file_again_and_cuts_nothing() {
    let (one, two) = (Upstream::start(), Upstream::start());
    let mut program = Program::run(&file(&["127.0.0.1:0"], &[one.address]), &[]);
    let (client, release) = held(&mut program, &one);
    write(&program, &file(&["127.0.0.1:0"], &[two.address]));
    program.signal(Signal::HUP);
    program.line("config_reloaded");
    let address = program.address();
    let (_other, other) = held(&mut program, &two);
    drop(other);
    assert!(get(address, "/").contains(MARK));

    let groups = json(&get(program.admin(), "/api/v1/groups"));
    let peers = groups["groups"][0]["peers"].as_array().unwrap();
    assert_eq!(peers.len(), 2, "{groups}");
    assert_eq!(peers[1]["admin"], "draining");
    assert_eq!(peers[1]["in_flight"], 1);
    assert_eq!(groups["groups"][0]["total_backends"], 1);
    let gone = format!(
        "backstay_peer_state{{group=\"default\",peer=\"p{}\",state=\"draining\"}}",
        one.address.port()
    );
    assert_eq!(metric(&mut program, &gone).as_deref(), Some("1.0"));
    drop(release);
    assert!(answer(&client).contains(MARK));
    assert_eq!(
        metric(
            &mut program,
            "backstay_config_reloads_total{result=\"succeeded\"}"
        )
        .as_deref(),
        Some("1")
    );
}

#[test]
fn a_bad_file_changes_nothing_and_says_all_that_is_wrong() {
    let upstream = Upstream::start();
    let good = file(&["127.0.0.1:0"], &[upstream.address]);
    let mut program = Program::run(&good, &[]);
    let address = program.address();
    let (client, release) = held(&mut program, &upstream);
    let hash = metric(&mut program, "backstay_config_info");
    let bad = [
        (
            format!("{good}thread: 1\nlimits: {{headers: x}}\n"),
            "config_reload_failed problems=2",
        ),
        ("a: [".to_owned(), "config_reload_failed problems=1"),
        (String::new(), "config_reload_failed problems="),
        (
            file(&["127.0.0.1:0", "192.0.2.1:1"], &[upstream.address]),
            "cannot listen on 192.0.2.1:1",
        ),
        (good.replace("priority: 1", "priority: 0"), "problem="),
    ];
    for (at, (text, message)) in bad.iter().enumerate() {
        write(&program, text);
        program.signal(Signal::HUP);
        program.next_line(message);
        let failed = metric(
            &mut program,
            "backstay_config_reloads_total{result=\"failed\"}",
        );
        assert_eq!(failed, Some((at + 1).to_string()), "{text}");
        let good = metric(&mut program, "backstay_config_last_reload_successful");
        assert_eq!(good.as_deref(), Some("0.0"));
        assert!(get(address, "/").contains(MARK));
    }
    assert_eq!(metric(&mut program, "backstay_config_info"), hash);
    drop(release);
    assert!(answer(&client).contains(MARK));
    write(&program, &good);
    program.signal(Signal::HUP);
    program.next_line("config_reloaded");
    let good = metric(&mut program, "backstay_config_last_reload_successful");
    assert_eq!(good.as_deref(), Some("1.0"));
}

#[test]
fn a_change_is_noticed_however_it_is_made() {
    let (one, two) = (Upstream::start(), Upstream::start());
    let text = |peer: &Upstream| watched(&["127.0.0.1:0"], &[peer.address]);
    // As Kubernetes lays out a mounted ConfigMap.
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let lay = |name: &str, text: &str| {
        std::fs::create_dir(path(name)).unwrap();
        std::fs::write(path(name).join("backstay.yaml"), text).unwrap();
    };
    let swap = |name: &str| {
        symlink(Path::new(name), path("..data_tmp")).unwrap();
        std::fs::rename(path("..data_tmp"), path("..data")).unwrap();
    };
    lay("..1", &text(&one));
    swap("..1");
    symlink(Path::new("..data/backstay.yaml"), path("backstay.yaml")).unwrap();
    let file = path("backstay.yaml");
    let mut program = Program::start(&["run", "-c", file.to_str().unwrap()]);
    let address = program.address();
    assert!(get(address, "/").contains(MARK));

    lay("..2", &text(&two));
    swap("..2");
    program.next_line("config_reloaded");
    std::fs::remove_dir_all(path("..1")).unwrap();
    let draining = format!("peer_draining group=default peer=p{}", one.address.port());
    program.line(&draining);

    // As an editor saves: a new file in the place of the old.
    std::fs::write(path("new"), text(&one)).unwrap();
    std::fs::rename(path("new"), &file).unwrap();
    program.next_line("config_reloaded");
    // In place.
    std::fs::write(&file, text(&two)).unwrap();
    program.next_line("config_reloaded");
    assert!(get(address, "/").contains(MARK));
}

#[test]
fn listeners_come_and_go() {
    let upstream = Upstream::start();
    let (first, second) = (nobody().to_string(), nobody().to_string());
    let peers = [upstream.address];
    let mut program = Program::run(&file(&[&first], &peers), &[]);
    let (client, release) = held(&mut program, &upstream);
    write(&program, &file(&[&second], &peers));
    program.signal(Signal::HUP);
    program.line(&format!("listening address={second}"));
    program.line(&format!("listener_closed address={first}"));
    assert!(get(second.parse().unwrap(), "/").contains(MARK));
    drop(release);
    let last = answer(&client);
    assert!(
        last.contains(MARK) && last.contains("connection: close"),
        "{last}"
    );
    assert!(TcpStream::connect(&first).is_err());
}

#[test]
fn what_needs_a_restart_is_said() {
    let upstream = Upstream::start();
    let text = file(&["127.0.0.1:0"], &[upstream.address]);
    let mut program = Program::run(&format!("{text}threads: 1\n"), &[]);
    program.address();
    write(
        &program,
        &format!("{text}threads: 2\nlog: {{format: json}}\n"),
    );
    program.signal(Signal::HUP);
    let line = program.line("restart_needed");
    assert!(
        line.contains("\"threads\""),
        "the format has changed: {line}"
    );
}

/// Clients that ask on connections that go on, until told to stop; how many answers were wrong.
fn load(address: SocketAddr, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<(usize, usize)> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let (mut asked, mut failed) = (0, 0);
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        while !stop.load(Ordering::Relaxed) {
            write!(&client, "GET / HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
            let text = answer(&client);
            asked += 1;
            failed += usize::from(!text.starts_with("HTTP/1.1 200 "));
        }
        (asked, failed)
    })
}

#[test]
fn twenty_reloads_under_load_fail_nothing_though_peers_come_and_go() {
    let peers = [Upstream::start(), Upstream::start(), Upstream::start()];
    let all: Vec<_> = peers.iter().map(|peer| peer.address).collect();
    let mut program = Program::run(&file(&["127.0.0.1:0"], &all), &[]);
    let (client, release) = held(&mut program, &peers[0]);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|_| load(program.address(), &stop)).collect();
    for turn in 0..20 {
        let left: Vec<_> = (0..3)
            .filter(|peer| peer % 3 != turn % 3)
            .map(|peer| all[peer])
            .collect();
        write(&program, &file(&["127.0.0.1:0"], &left));
        program.signal(Signal::HUP);
        program.next_line("config_reloaded");
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let (asked, failed) = client.join().unwrap();
        assert!(asked > 0);
        assert_eq!(failed, 0, "of {asked}");
    }
    drop(release);
    assert!(answer(&client).contains(MARK));
    let cut = metric(
        &mut program,
        "backstay_failures_total{group=\"default\",reason=\"cut\"}",
    );
    assert_eq!(cut.as_deref(), Some("0"));
}
