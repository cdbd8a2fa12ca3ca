//! A switch of protocols.

use super::super::connection::Connection;
use super::super::replay::{Script, drive};
use crate::settings::Limits;
use crate::upload::Upload;
use crate::upstream::{HeadLimits, UpstreamHead};
use http::{HeaderValue, Request, header};
use std::convert::Infallible;
use std::task::Poll;

#[test]
fn a_switch_that_was_asked_for_leaves_the_stream_and_what_follows_the_head() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nfirst words";
    let mut connection = Connection::new(Script::new(&[answer]));
    let request = Request::new(()).into_parts().0;
    let mut head = UpstreamHead::new(&request);
    head.set(header::UPGRADE, HeaderValue::from_static("x"));
    let limits = HeadLimits::new(&Limits::default());
    let body = Upload::EMPTY.body();
    let Ok(answered) =
        drive(connection.exchange(&head, body, limits, |_| Poll::<Infallible>::Pending));
    assert_eq!(answered.unwrap().status, 101);
    assert!(!connection.is_idle(), "it serves no other request");
    let (stream, rest) = connection.into_io().unwrap();
    assert_eq!(rest, "first words");
    assert!(
        stream
            .written
            .starts_with(b"GET / HTTP/1.1\r\nupgrade: x\r\n")
    );
}
