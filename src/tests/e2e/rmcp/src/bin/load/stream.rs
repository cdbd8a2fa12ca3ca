//! One request and its answer on a stream of HTTP/2.

use std::io::{Error, Result};

use bytes::Bytes;
use h2::Reason;
use http::{Request, Uri};

use crate::door::Door;
use crate::exchange::Answer;
use crate::request::Call;

/// Sends the request and reads the whole answer; `seen` is set when its head has come.
///
/// What the other side says that it has not looked at is sent again, as any client does (RFC 9113 section 8.7).
pub async fn exchange(door: &Door, call: &Call, seen: &mut bool) -> Result<Answer> {
    for _ in 0..REFUSALS {
        let place = door.place().await?;
        match once(place, door.scheme(), call, seen).await {
            Err(error) if is_refused(&error) => {}
            other => return other.map_err(Error::other),
        }
    }
    Err(Error::other("refused over and over"))
}

async fn once(
    mut place: h2::client::SendRequest<Bytes>,
    scheme: &str,
    call: &Call,
    seen: &mut bool,
) -> std::result::Result<Answer, h2::Error> {
    let (head, body) = parts(scheme, &call.bytes);
    let (answer, mut upload) = place.send_request(head, body.is_empty())?;
    if !body.is_empty() {
        upload.send_data(body, true)?;
    }
    let answer = answer.await?;
    *seen = true;
    let (head, mut body) = answer.into_parts();
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        whole.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    let session = head.headers.get("mcp-session-id");
    Ok(Answer {
        status: head.status.as_u16(),
        body: String::from_utf8_lossy(&whole).into_owned(),
        session: session.and_then(|id| id.to_str().ok()).map(str::to_owned),
        ..Answer::default()
    })
}

/// The request that was written for HTTP/1.1 in the words of HTTP/2.
fn parts(scheme: &str, bytes: &Bytes) -> (Request<()>, Bytes) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("every request has a head");
    let head = std::str::from_utf8(&bytes[..end]).expect("heads are ASCII");
    let (start, fields) = head.split_once("\r\n").expect("every head has a Host");
    let mut words = start.split(' ');
    let (method, path) = (words.next(), words.next().expect("a target follows"));
    let uri = Uri::builder().scheme(scheme).authority("127.0.0.1");
    let uri = uri.path_and_query(path).build().expect("it is a path");
    let mut request = Request::builder().uri(uri);
    request = request.method(method.expect("a method begins it"));
    for line in fields.split("\r\n") {
        let (name, value) = line.split_once(": ").expect("it is a field");
        if !name.eq_ignore_ascii_case("host") {
            request = request.header(name.to_ascii_lowercase(), value);
        }
    }
    let request = request.body(()).expect("it was a request before");
    (request, bytes.slice(end + 4..))
}

/// Whether that says that the request was not looked at.
fn is_refused(error: &h2::Error) -> bool {
    let reason = error.reason();
    (error.is_reset() && reason == Some(Reason::REFUSED_STREAM))
        || (error.is_go_away() && error.is_remote() && reason == Some(Reason::NO_ERROR))
}

/// More in a row than connections can end during one request.
const REFUSALS: usize = 5;
