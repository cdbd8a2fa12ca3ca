//! An answer that the hooks have asked for themselves.

use super::{Attempts, Committed, Ended, Stopped, Turn};
use crate::error::ProxyError;
use crate::exchange::Exchanged;
use crate::hooks::Hooks;
use crate::network::Network;
use lb::Outcome;

impl<N: Network, H: Hooks> Attempts<'_, N, H> {
    /// Relays an answer that the hooks have asked for and looked into: it is settled already, and
    /// shaped like any other.
    pub(super) async fn adopt(mut self, answer: Exchanged) -> Result<Committed<N>, Stopped> {
        let Some((answer, pick, read)) = answer.into_answer::<N, H>() else {
            return Err(failed("the answer has ended"));
        };
        let now = self.thread.clock.now();
        let outcome = Outcome::Answered {
            status: answer.head.status.as_u16(),
            retry_after: None,
        };
        let class = lb::classify(&outcome);
        match self.shape(answer, pick, now, class, false).await {
            Turn::Commit(committed) => Ok(Committed {
                prefix: [&read[..], &committed.prefix[..]].concat().into(),
                ..*committed
            }),
            Turn::End(ended) => Err(Stopped::Ended(ended)),
            Turn::Refused(why, kept) => Err(Stopped::Refused(why, kept)),
            Turn::Again(_) => Err(failed("what was handed over cannot be asked again")),
        }
    }
}

fn failed(why: &'static str) -> Stopped {
    Stopped::Ended(Ended::Error(ProxyError::Hook(why)))
}
