//! The answer of an MCP peer, whichever of its two forms it came in.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header};

use super::Message;
use super::sse::split_field;

/// The JSON-RPC response in a body: the body itself, or the data of the first event of a stream
/// that is one. None if there is none, complete.
pub fn response<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let is = |what: &[u8]| {
        kind.get(..what.len())
            .is_some_and(|kind| kind.eq_ignore_ascii_case(what))
    };
    let answers = |text: &[u8]| matches!(Message::peek(text), Message::Response { .. });
    if is(b"text/event-stream") {
        return messages(body)
            .into_iter()
            .find(|data| answers(data))
            .map(Cow::Owned);
    }
    answers(body).then_some(Cow::Borrowed(body))
}

/// The data of the complete events of a stream (WHATWG HTML §9.2.6).
fn messages(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let mut data: Option<Vec<u8>> = None;
    let mut rest = stream;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        let (line, tail) = rest.split_at(end);
        let tail = tail
            .strip_prefix(b"\r\n")
            .unwrap_or_else(|| tail.get(1..).unwrap_or_default());
        rest = tail;
        if line.is_empty() {
            messages.extend(data.take());
        } else if let (b"data", value) = split_field(line) {
            let data = match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data
                }
                None => data.insert(Vec::new()),
            };
            data.extend_from_slice(value);
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;

    fn found(kind: &str, body: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        let found = response(&headers, body.as_bytes())?;
        Some(String::from_utf8(found.into_owned()).unwrap())
    }

    #[test]
    fn an_answer_is_found_in_either_form() {
        let notified = r#"{"jsonrpc":"2.0","method":"notifications/message"}"#;
        for body in [
            format!("data: {ANSWER}\n\n"),
            format!(": hello\r\n\r\nid: 1\r\ndata:\r\n\r\nevent: message\r\ndata:{ANSWER}\r\n\r\n"),
            format!("data: {notified}\r\rdata: {ANSWER}\r\rdata: {{"),
        ] {
            let found = found("Text/Event-Stream; charset=utf-8", &body);
            assert_eq!(found.as_deref(), Some(ANSWER), "{body}");
        }
        let whole = found("application/json", ANSWER);
        assert_eq!(whole.as_deref(), Some(ANSWER));
        let parts = found(
            "text/event-stream",
            "data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":1}\n\n",
        );
        assert_eq!(
            parts.as_deref(),
            Some("{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":1}")
        );
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for (kind, body) in [
            ("text/html", "<html>\"result\" \"jsonrpc\"</html>"),
            (
                "application/json",
                r#"{"jsonrpc":"2.0","method":"ping","id":1}"#,
            ),
            ("application/json", r#"{"result":{}}"#),
            ("text/event-stream", ANSWER),
            (
                "text/event-stream",
                "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n",
            ),
            ("text/event-stream", ""),
        ] {
            assert_eq!(found(kind, body), None, "{body}");
        }
    }
}
