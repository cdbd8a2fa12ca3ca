//! The verb `status`, for people and monitors.

use std::net::SocketAddr;

use super::program::{Program, output};
use super::upstream::{Upstream, nobody};

fn group(name: &str, peers: &[SocketAddr]) -> String {
    let peer =
        |address: &SocketAddr| format!("{{name: p{}, url: 'http://{address}'}}", address.port());
    let peers: Vec<String> = peers.iter().map(peer).collect();
    format!(
        "  - {{name: {name}, protocol: http, strategy: round_robin, peers: [{}], \
         health_check: {{probe: tcp, unhealthy_threshold: 1}}}}\n",
        peers.join(", "),
    )
}

fn program(groups: &[String]) -> Program {
    let route = |index: usize| format!("  - {{match: {{path: /{index}}}, group: g{index}}}\n");
    let routes: Vec<String> = (0..groups.len()).map(route).collect();
    let file = format!(
        "listeners: [{{listen: 127.0.0.1:0}}]\nadmin: {{listen: 127.0.0.1:0}}\n\
         groups:\n{}routes:\n{}",
        groups.concat(),
        routes.concat(),
    );
    Program::run(&file, &[])
}

fn status(program: &mut Program, arguments: &[&str]) -> (Option<i32>, String) {
    let admin = format!("http://{}", program.admin());
    let mut all = vec!["status", "--admin", &admin];
    all.extend(arguments);
    let output = output(&all);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

fn rows(text: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

#[test]
fn all_is_well() {
    let (one, two) = (Upstream::start(), Upstream::start());
    let mut program = program(&[group("g0", &[one.address, two.address])]);
    let (code, text) = status(&mut program, &[]);
    assert_eq!(code, Some(0), "{text}");
    let row = "g0 group ready strategy=round_robin members=2/2 healthy";
    assert_eq!(rows(&text)[1], row, "{text}");
    let (code, text) = status(&mut program, &["--json"]);
    assert_eq!(code, Some(0));
    let list: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(list["groups"][0]["healthy_backends"], 2);
}

#[test]
fn a_lost_peer_is_4_and_a_group_without_any_is_5() {
    let upstream = Upstream::start();
    let (dead, gone) = (nobody(), nobody());
    let partial = group("g0", &[upstream.address, dead]);
    let mut degraded = program(std::slice::from_ref(&partial));
    degraded.line(&format!(
        "member_removed_from_rotation group=g0 peer=p{}",
        dead.port()
    ));
    let (code, text) = status(&mut degraded, &[]);
    assert_eq!(code, Some(4), "{text}");
    let row = "g0 group partial strategy=round_robin members=1/2 healthy";
    assert_eq!(rows(&text)[1], row, "{text}");

    let mut lost = program(&[partial, group("g1", &[gone])]);
    lost.line(&format!(
        "member_removed_from_rotation group=g1 peer=p{}",
        gone.port()
    ));
    let (code, text) = status(&mut lost, &[]);
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("unavailable"), "{text}");
}

#[test]
fn nobody_there_is_3() {
    let output = output(&["status", "--admin", &nobody().to_string()]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("cannot be reached: "), "{text}");
}
