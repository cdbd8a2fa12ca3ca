//! How things are, as lines for a terminal.

use super::stage::Picture;
use super::tally::millis;
use crate::admin::PeerStatus;

/// Whether there are colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Style {
    /// There are.
    Coloured,
    /// There are none.
    Plain,
}

impl Style {
    fn paint(self, colour: &str, text: &str) -> String {
        match self {
            Self::Coloured => format!("\x1b[{colour}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// At most `rows` lines; the timeline gets what the rest leaves.
pub(super) fn picture(
    seen: &Picture<'_>,
    timeline: &[String],
    rows: usize,
    style: Style,
) -> Vec<String> {
    let tally = seen.tally;
    let mut lines = vec![
        format!(
            "{}   http://{}/mcp   {:.0} s",
            style.paint("1", "backstay demo"),
            seen.proxy,
            seen.after.as_secs_f64()
        ),
        "Three MCP servers; a client calls a read-only tool; the one that serves is killed."
            .to_owned(),
        String::new(),
        style.paint(
            "2",
            "    PEER  TIER  SERVER  HEALTH     BREAKER          CALLS",
        ),
    ];
    let peers = seen.group.peers.iter().zip(&seen.up);
    lines.extend(peers.map(|(peer, up)| {
        let serving = tally.serving() == Some(&peer.name);
        row(peer, *up, serving, tally.served(&peer.name), style)
    }));
    let (median, slow) = tally.latency();
    let failed = format!("failed {}", tally.failed());
    lines.push(String::new());
    lines.push(format!(
        "calls {}   {}   failovers {}   p50 {:.1} ms   p99 {:.1} ms",
        tally.calls(),
        style.paint(if tally.failed() == 0 { "1;32" } else { "1;31" }, &failed),
        tally.failovers(),
        millis(median),
        millis(slow),
    ));
    if let Some(why) = tally.last_failure() {
        let shown: String = why.chars().filter(|c| !c.is_control()).collect();
        lines.push(style.paint("31", &format!("the last failure: {shown}")));
    }
    lines.push(String::new());
    let mut footer = vec![String::new()];
    if let Some(admin) = seen.admin {
        footer.push(format!(
            "look inside: backstay status --watch --admin {admin}"
        ));
    }
    footer.push("Ctrl-C ends it".to_owned());
    let room = rows.saturating_sub(lines.len() + footer.len());
    let newest = timeline.len().saturating_sub(room);
    lines.extend(timeline.iter().skip(newest).map(|line| event(line, style)));
    lines.extend(footer);
    lines
}

fn row(peer: &PeerStatus, up: bool, serving: bool, calls: u64, style: Style) -> String {
    let mark = if serving {
        style.paint("1;32", ">>")
    } else {
        "  ".to_owned()
    };
    let (server, colour) = if up { ("up", "32") } else { ("dead", "1;31") };
    let server = style.paint(colour, &format!("{server:<6}"));
    let breaker = match peer.breaker.reopens_in_ms {
        // Its time has come; only a request or a check is missing.
        Some(0) | None => peer.breaker.state.clone(),
        Some(wait) => format!("{} {:.1} s", peer.breaker.state, wait_seconds(wait)),
    };
    let colour = match peer.breaker.state.as_str() {
        "closed" => "32",
        "open" => "31",
        _ => "33",
    };
    let breaker = style.paint(colour, &format!("{breaker:<12}"));
    format!(
        "{mark}  {:<4}  {:<4}  {server}  {:<9}  {breaker}  {calls:>8}",
        peer.name, peer.priority, peer.health,
    )
}

fn wait_seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}

fn event(line: &str, style: Style) -> String {
    if line.contains("s  * ") {
        style.paint("1;33", line)
    } else if line.contains("WARN") || line.contains("ERROR") {
        style.paint("31", line)
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::caller::Call;
    use super::super::tally::Tally;
    use super::*;
    use crate::admin::{BreakerStatus, GroupStatus};
    use std::time::Duration;

    fn peer(name: &str, breaker: &str) -> PeerStatus {
        PeerStatus {
            name: name.to_owned(),
            priority: 1,
            health: "healthy".to_owned(),
            breaker: BreakerStatus {
                state: breaker.to_owned(),
                reopens_in_ms: (breaker == "open").then_some(900),
                last_trip: None,
            },
            ..PeerStatus::default()
        }
    }

    #[test]
    fn it_says_who_serves_and_never_has_more_rows_than_the_terminal() {
        let mut tally = Tally::new(["eu", "us"]);
        tally.add(Call {
            took: Duration::from_millis(2),
            answer: Ok("us".to_owned()),
        });
        let seen = Picture {
            after: Duration::from_secs(7),
            tally: &tally,
            group: GroupStatus {
                peers: vec![peer("eu", "open"), peer("us", "closed")],
                ..GroupStatus::default()
            },
            up: vec![false, true],
            proxy: "127.0.0.1:8080".parse().unwrap(),
            admin: Some("127.0.0.1:9900".parse().unwrap()),
        };
        let timeline: Vec<_> = (0..100).map(|n| format!("{n}.0s  event")).collect();
        let lines = picture(&seen, &timeline, 20, Style::Plain);
        assert_eq!(lines.len(), 20);
        assert_eq!(
            lines[4],
            "    eu    1     dead    healthy    open 0.9 s           0"
        );
        assert_eq!(
            lines[5],
            ">>  us    1     up      healthy    closed               1"
        );
        assert!(lines[7].starts_with("calls 1   failed 0   failovers 0"));
        assert_eq!(lines[16], "99.0s  event");
        assert!(!lines.concat().contains('\x1b'));
    }
}
