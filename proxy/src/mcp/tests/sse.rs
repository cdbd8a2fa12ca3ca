use proptest::prelude::*;

use crate::mcp::fault::{Cause, Delivery, Fault, Position, Primed};
use crate::mcp::sse::{End, Scanner};
use crate::mcp::{Asked, Era, Id, Kind, Message};

const FAULT: Fault = Fault {
    cause: Cause::PeerLost,
    delivery: Delivery::Unknown,
    retry_after: None,
};

fn ids(json: &[&str]) -> Vec<Id<'static>> {
    let body = json
        .iter()
        .map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#))
        .collect::<Vec<_>>()
        .join(",");
    let body = format!("[{body}]");
    let asked = Asked::of(Kind::Message, Some(&Message::peek(body.as_bytes())));
    asked.ids().to_vec()
}

/// What a scanner knows at the end.
type Seen = (Vec<String>, Position, Primed, Option<Vec<u8>>);

fn seen(scanner: &Scanner) -> Seen {
    let open = scanner.unanswered().iter();
    (
        open.map(|id| id.json().to_owned()).collect(),
        scanner.position(),
        scanner.primed(),
        scanner.last_event_id().map(<[u8]>::to_vec),
    )
}

fn scan(awaited: &[&str], stream: &str) -> Scanner {
    let mut scanner = Scanner::new(ids(awaited));
    scanner.scan(stream.as_bytes());
    scanner
}

fn unanswered(awaited: &[&str], stream: &str) -> Vec<String> {
    seen(&scan(awaited, stream)).0
}

fn response(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// As TypeScript servers write it: the id comes last.
fn response_id_last(id: &str, result: &str) -> String {
    format!(r#"{{"result":{result},"jsonrpc":"2.0","id":{id}}}"#)
}

fn long() -> String {
    format!("\"{}\"", "x".repeat(10_000))
}

#[test]
fn a_response_is_noticed() {
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}"#;
    let note =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"id":1,"result":1}}"#;
    for (data, answered) in [
        (response("1", "{}"), true),
        (response("1.0", "{}"), true),
        (response_id_last("1", "{}"), true),
        (response("1", &long()), true),
        (response_id_last("1", &long()), true),
        (r#"{"jsonrpc":"2.0","id":1,"error":{}}"#.to_owned(), true),
        (r#"{"jsonrpc":"2.0","id":null,"error":{}}"#.to_owned(), true),
        (format!("[{},1]", response("1", "{}")), true),
        (format!("[{}]", response("1", &long())), true),
        (response("2", "{}"), false),
        (response("2", &long()), false),
        (request.to_owned(), false),
        (note.to_owned(), false),
        (String::new(), false),
        ("x".to_owned(), false),
        ("x".repeat(10_000), false),
    ] {
        for head in [
            "",
            "event: message\n",
            "event:\n",
            "id: 7\nevent: message\n",
        ] {
            let stream = format!("{head}data: {data}\n\n");
            let found = unanswered(&["1"], &stream);
            assert_eq!(found.is_empty(), answered, "{stream:.200}");
        }
        let foreign = format!("event: other\ndata: {data}\n\n");
        assert_eq!(unanswered(&["1"], &foreign), ["1"], "{foreign:.200}");
        let incomplete = format!("data: {data}\n");
        assert_eq!(unanswered(&["1"], &incomplete), ["1"], "{incomplete:.200}");
    }
}

#[test]
fn data_may_come_in_lines() {
    let stream = "data: {\"jsonrpc\":\"2.0\",\ndata:\"id\":1,\ndata: \"result\":{}}\n\n";
    assert!(unanswered(&["1"], stream).is_empty());
    let long = "data: [],\n".repeat(100);
    let many = format!("data: {{\"id\":1,\"result\":[\n{long}data: []]}}\n\n");
    assert!(unanswered(&["1"], &many).is_empty());
    let broken = "data: {\"jsonrpc\":\"2\ndata:.0\",\"id\":1,\"result\":{}}\n\n";
    assert_eq!(unanswered(&["1"], broken), ["1"]);
}

#[test]
fn each_request_of_a_batch_needs_its_response() {
    let event = |data: &str| format!("data: {data}\n\n");
    let (one, two) = (event(&response("1", "{}")), event(&response("2", &long())));
    assert_eq!(unanswered(&["1", "2"], &one), ["2"]);
    assert!(unanswered(&["1", "2"], &format!("{one}{two}")).is_empty());
    // An id behind a long result is not seen: as long as one is open, both are named.
    let unseen = event(&response_id_last("1", &long()));
    assert_eq!(unanswered(&["1", "2"], &unseen), ["1", "2"]);
    assert!(unanswered(&["1", "2"], &format!("{unseen}{unseen}")).is_empty());
    assert!(unanswered(&["1", "2"], &format!("{two}{unseen}")).is_empty());
    let both = event(&format!(
        "[{},{}]",
        response("1", &long()),
        response("2", "{}")
    ));
    assert!(unanswered(&["1", "2"], &both).is_empty());
}

#[test]
fn event_ids_prime_a_stream() {
    let long_id = format!("id: {}\ndata:\n\n", "x".repeat(300));
    for (stream, primed, last) in [
        ("", Primed::No, None),
        ("data: x\n\n", Primed::No, None),
        ("id: 7\ndata: \n\n", Primed::Yes, Some("7")),
        ("id:7\ndata\n\n", Primed::Yes, Some("7")),
        (
            "id: 7\ndata: x\n\nid: 8\ndata: y\n\n",
            Primed::Yes,
            Some("8"),
        ),
        ("id: 7\ndata: x\n\ndata: y\n\n", Primed::Yes, Some("7")),
        ("id: 7\ndata: x\n\nid: 8\ndata: y\n", Primed::Yes, Some("7")),
        ("id: 7\n\n", Primed::No, None),
        ("id: 7\nretry: 100\n\ndata: x\n\n", Primed::No, None),
        ("id\ndata: x\n\n", Primed::No, None),
        ("id: a\0b\ndata: x\n\n", Primed::No, None),
        (": id: 7\ndata: x\n\n", Primed::No, None),
        (&long_id, Primed::Yes, None),
    ] {
        let found = seen(&scan(&["1"], stream));
        let last = last.map(|id| id.as_bytes().to_vec());
        assert_eq!((found.2, found.3), (primed, last), "{stream}");
    }
}

#[test]
fn the_position_is_known() {
    for (stream, expected) in [
        ("", Position::Boundary),
        (": comment\n", Position::Boundary),
        ("data: x\n\n", Position::Boundary),
        ("data: x\r\n\r\n", Position::Boundary),
        ("data: x\r\n\r", Position::Boundary),
        ("data: x\r\r", Position::Boundary),
        ("data: x\n", Position::InEvent),
        ("data: x\r", Position::InEvent),
        ("data: x\r\n", Position::InEvent),
        ("id: 7\n: comment\n", Position::InEvent),
        ("d", Position::InLine),
        ("data: x\n\nda", Position::InLine),
        (": comm", Position::InLine),
        ("\u{feff}", Position::InLine),
        ("\u{feff}\n", Position::Boundary),
        ("\u{feff}data: x\n\n", Position::Boundary),
    ] {
        assert_eq!(scan(&[], stream).position(), expected, "{stream:?}");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let stream = format!("\u{feff}data: {}\n\n", response("1", "{}"));
    assert!(unanswered(&["1"], &stream).is_empty());
    let second = format!("\n\u{feff}data: {}\n\n", response("1", "{}"));
    assert_eq!(unanswered(&["1"], &second), ["1"]);
}

#[test]
fn last_words_are_said_where_a_client_would_wait_for_ever() {
    let answered = format!("data: {}\n\n", response("1", "{}"));
    let primed = "id: 7\ndata:\n\n";
    let unprimed = "data: x\n\n";
    for (era, stream, end, speaks) in [
        (Era::Legacy, answered.as_str(), End::Broken, false),
        (Era::Legacy, &answered, End::Clean, false),
        (Era::Legacy, unprimed, End::Broken, true),
        (Era::Legacy, unprimed, End::Clean, true),
        (Era::Legacy, "", End::Clean, true),
        (Era::Legacy, primed, End::Broken, true),
        // The server polls, or the client resumes.
        (Era::Legacy, primed, End::Clean, false),
        (Era::Modern, primed, End::Clean, true),
    ] {
        let scanner = scan(&["1"], stream);
        let words = scanner.last_words(era, end, &FAULT);
        assert_eq!(words.is_some(), speaks, "{era:?} {end:?} {stream}");
        let tagged = era == Era::Legacy && stream == primed && speaks;
        let has_id = words.is_some_and(|words| words.starts_with(b"event: message\nid: "));
        assert_eq!(has_id, tagged, "{era:?} {end:?} {stream}");
    }
    assert_eq!(
        scan(&[], unprimed).last_words(Era::Legacy, End::Broken, &FAULT),
        None
    );
}

#[test]
fn last_words_answer_wherever_the_stream_was_cut() {
    let whole = format!(
        "id: 1\r\ndata: {{\"a\":1}}\r\n\r\n: c\nevent: message\ndata: {}\n\n",
        response("2", &long())
    );
    for at in 0..whole.len() {
        let mut scanner = scan(&["1"], &whole[..at]);
        let words = scanner
            .last_words(Era::Modern, End::Broken, &FAULT)
            .unwrap();
        scanner.scan(&words);
        assert!(scanner.unanswered().is_empty(), "cut at {at}");
        assert_eq!(scanner.position(), Position::Boundary, "cut at {at}");
    }
}

/// Lines that matter, and ends of every kind.
fn stream() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just(String::new()),
        Just("\u{feff}".to_owned()),
        Just(": comment".to_owned()),
        Just("event: message".to_owned()),
        Just("event: endpoint".to_owned()),
        Just("retry: 5".to_owned()),
        "id: ?[a-c]{0,3}",
        Just(format!("data: {}", response("1", "{}"))),
        Just(format!("data: {}", response("2", &"[],".repeat(100)))),
        Just(format!(
            "data:{}",
            response_id_last("3", &"[],".repeat(100))
        )),
        ".{0,20}",
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    proptest::collection::vec((line, end), 0..12)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
}

proptest! {
    #[test]
    fn any_split_sees_the_same(stream in stream(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let awaited = ["1", "2", "3"];
        let whole = seen(&scan(&awaited, &stream));
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.push(stream.len());
        at.sort_unstable();
        let mut pieces = Scanner::new(ids(&awaited));
        let mut from = 0;
        for to in at {
            pieces.scan(&stream.as_bytes()[from..to]);
            from = to;
        }
        prop_assert_eq!(seen(&pieces), whole.clone());
        let mut bytes = Scanner::new(ids(&awaited));
        for byte in stream.as_bytes() {
            bytes.scan(std::slice::from_ref(byte));
        }
        prop_assert_eq!(seen(&bytes), whole);
    }

    #[test]
    fn no_bytes_break_it(chunks in any::<Vec<Vec<u8>>>()) {
        let mut scanner = Scanner::new(ids(&["1"]));
        for chunk in chunks {
            scanner.scan(&chunk);
        }
        scanner.last_words(Era::Legacy, End::Broken, &FAULT);
    }
}
