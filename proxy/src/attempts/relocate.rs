//! Another target for a request whose first one cannot serve it.

use super::{Attempts, Committed, Ended, Stopped};
use crate::error::{AttemptError, ProxyError};
use crate::hooks::{Hooks, Lost, Reply, Target};
use crate::network::Network;
use crate::thread::Thread;
use crate::transaction::Transaction;
use lb::{Delivery, Time};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What the attempts of a request have come to so far, whichever target they were for.
#[derive(Default)]
pub(crate) struct History {
    pub(super) made: u32,
    pub(super) free: u32,
    pub(super) first_failure: Option<Time>,
    /// The last failure of an attempt that may have reached its peer.
    pub(super) reached: Option<AttemptError>,
    /// From when on its time runs; none: from the beginning of the request.
    pub(super) since: Option<Time>,
}

/// Tries a target, then those that the hooks name because it cannot serve the request.
pub(crate) async fn answer<N: Network, H: Hooks>(
    thread: &Rc<Thread<N, H>>,
    target: &Target,
    transaction: &mut Transaction<H>,
) -> Result<Committed<N>, Ended> {
    let mut history = History::default();
    let mut ended = Attempts::new(thread, target, transaction, &mut history)
        .run()
        .await;
    for _ in 0..RELOCATIONS {
        let lost = match &ended {
            Err(Stopped::Ended(Ended::Error(error))) if may_move(error, transaction) => {
                Lost::Unanswered(error)
            }
            Err(Stopped::Refused(why, _)) => Lost::Refused(why),
            _ => break,
        };
        let Some(next) = relocate(transaction, lost).await else {
            break;
        };
        transaction.session.handed = None;
        ended = Attempts::new(thread, &next, transaction, &mut history)
            .run()
            .await;
    }
    ended.map_err(|stopped| match stopped {
        Stopped::Ended(ended) => ended,
        Stopped::Refused(_, Some(kept)) => {
            let mut attempts = Attempts::new(thread, target, transaction, &mut history);
            match attempts.kept(kept) {
                Ok(reply) => Ended::Reply(reply),
                Err(why) => Ended::Error(ProxyError::Hook(why)),
            }
        }
        Stopped::Refused(why, None) => Ended::Error(ProxyError::Hook(why)),
    })
}

/// Finds another peer's answer for a response that stopped short after its head had gone
/// downstream. None: the hooks know of no other place.
///
/// What is held across it is dropped with it, when the client leaves.
pub(crate) async fn go_on<N: Network, H: Hooks>(
    thread: Rc<Thread<N, H>>,
    mut transaction: Transaction<H>,
) -> (Transaction<H>, Option<Result<Committed<N>, Reply>>) {
    let mut failed = None;
    loop {
        let lost = failed.as_ref().map_or(Lost::Cut, Lost::Unanswered);
        let Some(next) = relocate(&mut transaction, lost).await else {
            return (transaction, None);
        };
        // An event stream may be hours old: what bounds a request counts anew for each place.
        let mut history = History {
            since: Some(thread.clock.now()),
            ..History::default()
        };
        let handed = transaction.session.handed.take();
        let attempts = Attempts::new(&thread, &next, &mut transaction, &mut history);
        let ended = match handed {
            Some(answer) => attempts.adopt(answer).await,
            None => attempts.run().await,
        };
        match ended {
            Ok(committed) => return (transaction, Some(Ok(committed))),
            Err(Stopped::Ended(Ended::Reply(reply))) => return (transaction, Some(Err(reply))),
            Err(Stopped::Ended(Ended::Client)) => return (transaction, None),
            Err(Stopped::Ended(Ended::Error(error))) => failed = Some(error),
            Err(Stopped::Refused(why, _)) => failed = Some(ProxyError::Hook(why)),
        }
        // However hasty the hooks are.
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks the hooks, and books the request on the group they name.
async fn relocate<H: Hooks>(transaction: &mut Transaction<H>, lost: Lost<'_>) -> Option<Target> {
    let Transaction {
        session,
        ctx,
        hooks,
        group,
        ..
    } = transaction;
    let next = hooks.relocate(session, lost, ctx).await?;
    if !group
        .as_ref()
        .is_some_and(|group| Arc::ptr_eq(group, &next.group))
    {
        next.group.metrics.active.increment();
        if let Some(before) = group.replace(Arc::clone(&next.group)) {
            before.metrics.active.decrement();
        }
    }
    Some(next)
}

/// Whether a request without an answer may go to another place.
fn may_move<H: Hooks>(error: &ProxyError, transaction: &mut Transaction<H>) -> bool {
    let Transaction {
        session,
        ctx,
        hooks,
        ..
    } = transaction;
    let unsent = error.delivery() == Delivery::NotSent;
    session.upload.is_replayable() && (unsent || hooks.repeat_safe(session, ctx))
}

/// How often a request may be sent to another place before its client has a head.
const RELOCATIONS: usize = 2;
/// Between two places for a response that goes on.
const PAUSE: Duration = Duration::from_millis(100);
