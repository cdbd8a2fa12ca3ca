//! The JSON-RPC error that stands for an answer.

use std::fmt::Write as _;

use super::{Delivery, Fault};
use crate::mcp::Id;

/// Appends a JSON-RPC error. Without an id it has none, which MCP allows in the body of an HTTP
/// error (2025-03-26 "Sending Messages to the Server").
pub(super) fn put_error(text: &mut String, id: Option<&Id<'static>>, fault: &Fault) {
    text.push_str("{\"jsonrpc\":\"2.0\",");
    if let Some(id) = id {
        text.push_str("\"id\":");
        text.push_str(id.json());
        text.push(',');
    }
    let delivery = match fault.delivery {
        Delivery::NotSent => "not_sent",
        Delivery::Unknown => "unknown",
    };
    let (code, message) = (fault.cause.code(), fault.cause.message());
    let retryable = fault.is_retryable();
    // Writing to a string cannot fail.
    let _infallible = write!(
        text,
        "\"error\":{{\"code\":{code},\"message\":\"{message}\",\
         \"data\":{{\"delivery\":\"{delivery}\",\"retryable\":{retryable}"
    );
    if retryable && let Some(wait) = fault.retry_after {
        let _infallible = write!(text, ",\"retryAfterMs\":{}", wait.as_millis());
    }
    text.push_str("}}}");
}
