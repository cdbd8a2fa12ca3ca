use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::mcp::fault::{
    Cause, Delivery, Ending, Fault, Position, Primed, reply, resumes_after_error, sse_error_event,
};
use crate::mcp::{Asked, Era, Id, Kind, Message, Mismatch};

const CAUSES: [Cause; 9] = [
    Cause::BadAnswer,
    Cause::Forbidden,
    Cause::Mismatch(Mismatch::Name),
    Cause::NoPeer,
    Cause::Overloaded,
    Cause::PeerLost,
    Cause::SessionLost,
    Cause::Timeout,
    Cause::UnknownSession,
];

fn asked(body: &str) -> Asked {
    Asked::of(Kind::Message, Some(&Message::peek(body.as_bytes())))
}

fn request() -> Asked {
    asked(r#"{"jsonrpc":"2.0","id":"\u0061","method":"tools/call"}"#)
}

fn batch() -> Asked {
    let ping = |id| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    asked(&format!("[{},{}]", ping(1), ping(2)))
}

fn fault(cause: Cause, delivery: Delivery) -> Fault {
    Fault {
        cause,
        delivery,
        retry_after: Some(Duration::from_millis(1500)),
    }
}

fn body(era: Era, asked: &Asked, fault: &Fault) -> String {
    String::from_utf8(reply(era, asked, fault).body.to_vec()).unwrap()
}

/// The statuses for the causes in the order of `CAUSES`.
fn statuses(era: Era, asked: &Asked) -> [u16; 9] {
    CAUSES.map(|cause| {
        reply(era, asked, &fault(cause, Delivery::Unknown))
            .status
            .as_u16()
    })
}

#[test]
fn every_cause_has_its_status() {
    for (era, asked, expected) in [
        // BadAnswer, Forbidden, Mismatch, NoPeer, Overloaded, PeerLost, SessionLost, Timeout, UnknownSession
        (
            Era::Legacy,
            request(),
            [200, 403, 400, 200, 200, 200, 404, 200, 404],
        ),
        (
            Era::Legacy,
            batch(),
            [200, 403, 400, 200, 200, 200, 404, 200, 404],
        ),
        (
            Era::Legacy,
            Asked::Moot,
            [503, 403, 400, 503, 429, 202, 202, 504, 404],
        ),
        (
            Era::Legacy,
            Asked::Notification,
            [503, 403, 400, 503, 429, 503, 404, 504, 404],
        ),
        (
            Era::Legacy,
            Asked::Unread,
            [503, 403, 400, 503, 429, 503, 404, 504, 404],
        ),
        (
            Era::Legacy,
            Asked::Other,
            [503, 403, 400, 503, 429, 503, 404, 504, 404],
        ),
        (
            Era::Legacy,
            Asked::Stream,
            [200, 403, 400, 200, 200, 200, 404, 200, 404],
        ),
        (
            Era::Legacy,
            Asked::End,
            [200, 403, 400, 200, 200, 200, 200, 200, 404],
        ),
        (
            Era::Modern,
            request(),
            [503, 403, 400, 503, 429, 503, 404, 504, 404],
        ),
        (
            Era::Modern,
            Asked::Notification,
            [503, 403, 400, 503, 429, 503, 404, 504, 404],
        ),
        (
            Era::Modern,
            Asked::Unread,
            [503, 403, 400, 503, 429, 503, 404, 504, 404],
        ),
        (Era::Modern, Asked::Stream, [405; 9]),
        (Era::Modern, Asked::End, [405; 9]),
    ] {
        assert_eq!(statuses(era, &asked), expected, "{era:?} {asked:?}");
    }
}

#[test]
fn an_error_echoes_its_id_and_says_what_is_known() {
    let not_sent = fault(Cause::NoPeer, Delivery::NotSent);
    assert_eq!(
        body(Era::Legacy, &request(), &not_sent),
        concat!(
            r#"{"jsonrpc":"2.0","id":"\u0061","error":{"code":-31001,"#,
            r#""message":"no server is available","#,
            r#""data":{"delivery":"not_sent","retryable":true,"retryAfterMs":1500}}}"#
        )
    );
    let unknown = fault(Cause::PeerLost, Delivery::Unknown);
    assert_eq!(
        body(Era::Modern, &request(), &unknown),
        concat!(
            r#"{"jsonrpc":"2.0","id":"\u0061","error":{"code":-31002,"#,
            r#""message":"the connection to the server broke","#,
            r#""data":{"delivery":"unknown","retryable":false}}}"#
        )
    );
}

#[test]
fn a_batch_gets_an_array_and_the_rest_no_id() {
    let lost = fault(Cause::PeerLost, Delivery::Unknown);
    let whole = body(Era::Legacy, &batch(), &lost);
    let Message::Batch(parts) = Message::peek(whole.as_bytes()) else {
        panic!("{whole}");
    };
    let ids: Vec<_> = parts
        .iter()
        .map(|part| match part {
            Message::Response { id: Some(id) } => id.json(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["1", "2"]);
    let unread = body(Era::Legacy, &Asked::Unread, &lost);
    assert!(matches!(
        Message::peek(unread.as_bytes()),
        Message::Response { id: None }
    ));
    assert!(!unread.contains("\"id\""));
}

#[test]
fn every_error_is_json_rpc_with_a_code_of_ours() {
    for cause in CAUSES {
        for delivery in [Delivery::NotSent, Delivery::Unknown] {
            let text = body(Era::Modern, &request(), &fault(cause, delivery));
            let error: serde_json::Value = serde_json::from_str(&text).unwrap();
            let code = error["error"]["code"].as_i64().unwrap();
            let is_ours = !(-32768..=-32000).contains(&code);
            assert_eq!(is_ours, code != -32020, "{text}");
            let retryable = error["error"]["data"]["retryable"].as_bool().unwrap();
            let temporary = matches!(
                cause,
                Cause::BadAnswer
                    | Cause::NoPeer
                    | Cause::Overloaded
                    | Cause::PeerLost
                    | Cause::Timeout
            );
            assert_eq!(
                retryable,
                temporary && delivery == Delivery::NotSent,
                "{text}"
            );
        }
    }
}

#[test]
fn every_reply_has_the_headers_of_a_synthesised_one() {
    for era in [Era::Legacy, Era::Modern] {
        for asked in [
            request(),
            batch(),
            Asked::Moot,
            Asked::Stream,
            Asked::End,
            Asked::Other,
        ] {
            for cause in CAUSES {
                let found = reply(era, &asked, &fault(cause, Delivery::NotSent));
                assert_eq!(found.headers["cache-control"], "no-store");
                let status = found.headers["proxy-status"].to_str().unwrap();
                assert!(status.starts_with("backstay; error="), "{status}");
                assert!(!found.headers.contains_key("mcp-session-id"));
                assert_eq!(
                    found.headers.contains_key("content-type"),
                    !found.body.is_empty()
                );
                let must_allow = found.status == StatusCode::METHOD_NOT_ALLOWED;
                assert_eq!(found.headers.contains_key("allow"), must_allow);
            }
        }
    }
}

#[test]
fn a_client_is_told_when_to_come_back_only_where_that_is_harmless() {
    for (era, cause, delivery, expected) in [
        (Era::Modern, Cause::NoPeer, Delivery::NotSent, Some("2")),
        (Era::Modern, Cause::Overloaded, Delivery::NotSent, Some("2")),
        (Era::Modern, Cause::PeerLost, Delivery::Unknown, None),
        (Era::Modern, Cause::UnknownSession, Delivery::NotSent, None),
        (Era::Legacy, Cause::NoPeer, Delivery::NotSent, None),
    ] {
        let found = reply(era, &request(), &fault(cause, delivery));
        let wait = found.headers.get("retry-after");
        assert_eq!(
            wait,
            expected.map(HeaderValue::from_static).as_ref(),
            "{cause:?}"
        );
    }
    let at_once = Fault {
        retry_after: Some(Duration::ZERO),
        ..fault(Cause::NoPeer, Delivery::NotSent)
    };
    assert_eq!(
        reply(Era::Modern, &request(), &at_once).headers["retry-after"],
        "1"
    );
    let never = Fault {
        retry_after: Some(Duration::MAX),
        ..at_once
    };
    assert!(
        reply(Era::Modern, &request(), &never)
            .headers
            .contains_key("retry-after")
    );
}

#[test]
fn a_stream_without_a_peer_is_a_comment_that_may_stay_open() {
    let found = reply(
        Era::Legacy,
        &Asked::Stream,
        &fault(Cause::NoPeer, Delivery::NotSent),
    );
    assert_eq!(found.headers["content-type"], "text/event-stream");
    assert_eq!(found.ending, Ending::MayStayOpen);
    assert!(found.body.starts_with(b":") && found.body.ends_with(b"\n\n"));
}

#[test]
fn a_cut_stream_ends_with_an_error_for_each_request() {
    let lost = fault(Cause::PeerLost, Delivery::Unknown);
    let ids: Vec<Id<'static>> = batch().ids().to_vec();
    let of = |position, primed| {
        String::from_utf8(sse_error_event(&ids, &lost, position, primed).to_vec()).unwrap()
    };
    let plain = of(Position::Boundary, Primed::No);
    let events: Vec<&str> = plain.split_terminator("\n\n").collect();
    assert_eq!(events.len(), 2);
    for (event, id) in events.iter().zip(["1", "2"]) {
        let data = event.strip_prefix("event: message\ndata: ").unwrap();
        let start = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":");
        assert!(data.starts_with(&start), "{data}");
    }
    assert_eq!(
        of(Position::InEvent, Primed::No),
        format!("event: incomplete\n\n{plain}")
    );
    assert_eq!(
        of(Position::InLine, Primed::No),
        format!("\nevent: incomplete\n\n{plain}")
    );
    let primed = of(Position::Boundary, Primed::Yes);
    assert_eq!(primed.matches("\nid: backstay-final\n").count(), 2);
}

#[test]
fn a_resume_after_our_error_is_known() {
    for (id, expected) in [
        ("backstay-final", true),
        ("backstay-final2", false),
        ("1", false),
    ] {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("last-event-id"),
            HeaderValue::from_static(id),
        )]);
        assert_eq!(resumes_after_error(&headers), expected, "{id}");
    }
    assert!(!resumes_after_error(&HeaderMap::new()));
}
