//! What an error of h2 says of the request it ended.

use crate::upstream::ExchangeError;
use ::h2::{Error, Reason};
use lb::Cause;

/// What happened. `written` says whether the connection wrote anything since the request was
/// handed to it: if not, no byte of the request has left.
pub(super) fn explain(error: Error, written: bool) -> ExchangeError {
    let cause = cause(&error);
    // The peer says that it has not looked at the request: its stream is beyond the last of a
    // GOAWAY, or was refused (RFC 9113 §6.8, §8.7).
    let said = matches!(cause, Cause::Refused | Cause::Unprocessed);
    let cause = if written || said {
        cause
    } else {
        Cause::Unprocessed
    };
    ExchangeError::Peer {
        cause,
        unsent: said || !written,
        source: Some(Box::new(error)),
    }
}

fn cause(error: &Error) -> Cause {
    // h2 gives this error to no other streams than those beyond the last.
    if error.is_remote() && error.is_go_away() {
        return Cause::Unprocessed;
    }
    if error.is_remote() && error.is_reset() {
        return match error.reason() {
            Some(Reason::REFUSED_STREAM) => Cause::Refused,
            _ => Cause::Reset,
        };
    }
    if error.is_library() {
        // Frames that are none, a field that may not be, more bytes than were announced.
        return Cause::Malformed;
    }
    match error.get_io().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionReset) => Cause::Reset,
        _ => Cause::Closed,
    }
}
