//! What the proxy answers in place of a peer, in a form that no client dies of.

mod cause;
mod error;
mod event;
mod reply;

pub use cause::{Cause, Delivery, Fault};
pub use event::{Position, Primed, cancelled, resumes_after_error, sse_error_event};
pub use reply::{Ending, FaultReply, reply, resume_reply};
