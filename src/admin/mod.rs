//! The listener for operators and their monitoring: `/livez`, `/readyz`, `/metrics`, and the
//! read-only API. It has a thread of its own and never touches the path of a request; all it shows
//! it reads at that moment.

mod answer;
mod door;
mod endpoints;
mod group_status;
mod metrics;
mod observed;
mod visitor;

pub(crate) use door::bind;
#[cfg(test)]
pub(crate) use group_status::BreakerStatus;
pub(crate) use group_status::{GroupList, GroupStatus, McpStatus, PeerStatus};
pub(crate) use observed::Observed;
