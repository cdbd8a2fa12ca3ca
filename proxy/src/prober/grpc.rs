//! The `grpc` probe: `grpc.health.v1.Health/Check`, as gRPC's health checking protocol has it.

use super::{Failed, Finding, exchange::hear};
use crate::group::Peer;
use crate::grpc::{CONTENT_TYPE, Serving, Status, check, serving};
use crate::hooks::Hooks;
use crate::network::Network;
use crate::settings::HttpVersion;
use crate::thread::Thread;
use http::{Request, StatusCode, header};

/// Asks whether a service is served; an empty one is the server as a whole.
pub(super) async fn probe<N: Network, H: Hooks>(
    thread: &Thread<N, H>,
    peer: &Peer,
    service: &str,
) -> Result<Finding, Failed> {
    let request = Request::post("/grpc.health.v1.Health/Check")
        .header(header::CONTENT_TYPE, CONTENT_TYPE)
        .header(header::USER_AGENT, "backstay-probe")
        .body(check(service))
        .map_err(|error| Failed(error.to_string()))?;
    let answer = hear(thread, peer, HttpVersion::Http2, request).await?;
    let (head, message) = answer.response.into_parts();
    if head.status != StatusCode::OK {
        return Err(Failed(format!("status {}", head.status.as_u16())));
    }
    // It is in the head if there is no message.
    let status = Status::of(&answer.trailers).or_else(|| Status::of(&head.headers));
    let why = match status {
        None => "no gRPC".to_owned(),
        Some(Status::OK) => match serving(&message) {
            Some(Serving::Yes) => return Ok(Finding::Passed),
            Some(Serving::No) => "it says that it does not serve".to_owned(),
            Some(Serving::Unknown) => format!("it does not know the service `{service}`"),
            None => "no answer of grpc.health.v1.Health".to_owned(),
        },
        Some(Status::NOT_FOUND) => format!("it does not know the service `{service}`"),
        Some(Status::UNIMPLEMENTED) => "it has no grpc.health.v1.Health".to_owned(),
        Some(status) => format!("gRPC status {}", status.name()),
    };
    Err(Failed(why))
}
