use bytes::Bytes;
use proptest::prelude::*;

use crate::mcp::endpoint::{EndpointStage, Step, event};

/// What goes downstream, and the address that was found.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<String>) {
    let mut stage = EndpointStage::new();
    let (mut out, mut found) = (Vec::new(), None);
    for piece in pieces {
        match stage.push(Bytes::copy_from_slice(piece)) {
            Step::Endpoint { before, uri, after } => {
                assert_eq!(found, None, "found once");
                out.extend_from_slice(&before);
                out.extend_from_slice(&event("/ours"));
                out.extend_from_slice(&after);
                found = Some(uri);
            }
            Step::Pass(bytes) => out.extend_from_slice(&bytes),
        }
    }
    out.extend_from_slice(&stage.finish());
    (out, found)
}

#[test]
fn the_first_event_is_replaced() {
    let ours = "event: endpoint\ndata: /ours\n\n";
    for (stream, uri, out) in [
        (
            "event: endpoint\ndata: /m?s=1\n\n",
            "/m?s=1",
            String::new() + ours,
        ),
        (
            "event:endpoint\r\ndata:/m\r\n\r\nx",
            "/m",
            format!("{ours}x"),
        ),
        ("event: endpoint\rdata: /m\r\rx", "/m", format!("{ours}x")),
        (
            "data: /m\nevent: endpoint\nid: 1\n\n",
            "/m",
            String::new() + ours,
        ),
        (
            "event: endpoint\n: c\ndata: /m\n\n",
            "/m",
            String::new() + ours,
        ),
        (
            ": c\r\n\r\n\revent: endpoint\ndata: /m\n\n\n",
            "/m",
            format!(": c\r\n\r\n\r{ours}\n"),
        ),
        (
            "\u{feff}event: endpoint\ndata: /m\n\n",
            "/m",
            format!("\u{feff}{ours}"),
        ),
        (
            "event: endpoint\ndata: /a\ndata: b\n\n",
            "/a\nb",
            String::new() + ours,
        ),
    ] {
        let found = run([stream.as_bytes()]);
        assert_eq!(
            found,
            (out.into_bytes(), Some(uri.to_owned())),
            "{stream:?}"
        );
    }
}

#[test]
fn other_streams_pass_unchanged() {
    let long = format!("event: endpoint\ndata: {}\n\n", "x".repeat(5000));
    for stream in [
        "",
        "\u{feff}",
        "\u{fe}",
        "data: x\n\nevent: endpoint\ndata: /m\n\n",
        "event: message\ndata: x\n\n",
        "id: 1\ndata:\n\nevent: endpoint\ndata: /m\n\n",
        "event: endpoint\n\ndata: x\n\n",
        "event: endpoint\ndata: /m\n",
        "event: endpoints\ndata: /m\n\n",
        "retry: 1\n\nevent: endpoint\ndata: /m\n\n",
        ": only\n\n: comments\n",
        "\n\n\r\n\r",
        "not an event stream",
        &long,
    ] {
        assert_eq!(
            run([stream.as_bytes()]),
            (stream.as_bytes().to_vec(), None),
            "{stream:?}"
        );
    }
}

#[test]
fn only_the_first_event_waits() {
    let mut stage = EndpointStage::new();
    let mut push = |text: &'static str| stage.push(Bytes::from_static(text.as_bytes()));
    let pass = |text: &'static str| Step::Pass(Bytes::from_static(text.as_bytes()));
    assert_eq!(push(": hello\n\n"), pass(": hello\n\n"));
    assert_eq!(push(": hel"), pass(""));
    assert_eq!(push("lo\r"), pass(": hello\r"));
    assert_eq!(push("\nevent: mess"), pass("\n"));
    assert_eq!(push("age\ndata"), pass("event: message\ndata"));
    assert_eq!(
        push("event: endpoint\ndata: /m\n\n"),
        pass("event: endpoint\ndata: /m\n\n")
    );
}

#[test]
fn a_late_line_feed_belongs_to_the_event() {
    let crlf = "event: endpoint\r\ndata: /m\r\n\r";
    let whole = run([crlf.as_bytes(), b"\nx"]);
    assert_eq!(run([crlf.as_bytes(), b"", b"\nx"]), whole);
    assert_eq!(whole.0, [&event("/ours")[..], b"x"].concat());
}

#[test]
fn what_is_held_is_bounded() {
    let mut stage = EndpointStage::new();
    let (mut held, mut sent) = (0_usize, 0_usize);
    for _ in 0..10_000 {
        let Step::Pass(bytes) = stage.push(Bytes::from_static(b"data: x\n")) else {
            panic!("no endpoint");
        };
        (held, sent) = (held + 8, sent + bytes.len());
        assert!(held - sent <= 4096 + 8);
    }
    assert_eq!(sent + stage.finish().len(), held);
}

#[test]
fn a_line_without_end_is_not_held() {
    let mut stage = EndpointStage::new();
    let piece = Bytes::from(vec![b'x'; 4000]);
    assert_eq!(stage.push(piece.clone()), Step::Pass(Bytes::new()));
    assert_eq!(stage.push(piece), Step::Pass(Bytes::from(vec![b'x'; 8000])));
}

/// Beginnings of streams, with ends of every kind: an endpoint event, or any lines.
fn stream() -> impl Strategy<Value = String> {
    let end = || prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    let preamble = prop_oneof![
        Just(""),
        Just("\u{feff}"),
        Just(": c\r"),
        Just(": c\r\n\r\n")
    ];
    let endpoint =
        (preamble, end(), end(), end(), lines()).prop_map(|(preamble, one, two, three, rest)| {
            format!("{preamble}event: endpoint{one}data: /m?s=1{two}{three}{rest}")
        });
    prop_oneof![endpoint, lines()]
}

fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just(""),
        Just("\u{feff}"),
        Just(": c"),
        Just("event: endpoint"),
        Just("event: message"),
        Just("data: /m?s=1"),
        Just("id: 1"),
        Just("x"),
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just("")];
    proptest::collection::vec((line, end), 0..8).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(line, end)| [line, end])
            .collect()
    })
}

proptest! {
    #[test]
    fn any_split_gives_the_same(stream in stream(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..5)) {
        let bytes = stream.as_bytes();
        let whole = run([bytes]);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(run(pieces), whole.clone());
        prop_assert_eq!(run(bytes.chunks(1)), whole.clone());
        if whole.1.is_none() {
            prop_assert_eq!(whole.0, bytes);
        }
    }
}
