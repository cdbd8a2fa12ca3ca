//! Interim (1xx) responses: bounded, and passed over.

use super::super::connection::HeadLimits;
use super::decode::Head;
use super::fault::Fault;

/// The interim responses of one exchange (RFC 9110 §15.2).
#[derive(Debug, Default)]
pub(super) struct Interim {
    count: u32,
    size: usize,
}

impl Interim {
    /// An interim response has come. 100 is hop by hop, since ours answers the client's `Expect`;
    /// 103 and others could be forwarded from here.
    pub(super) fn passed(&mut self, head: &Head, limits: HeadLimits) -> Result<(), Fault> {
        self.count += 1;
        self.size += head.size;
        if self.count > limits.interim || self.size > limits.head_size {
            return Err(Fault::Interim);
        }
        Ok(())
    }
}
