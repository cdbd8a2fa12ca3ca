//! All that happened in a run, as text.

use super::clients::{Askers, What};
use crate::support::World;
use std::fmt::Write as _;
use tokio::time::Instant;

/// All that happened since `origin`, in order.
pub(super) fn tell(world: &World, askers: &Askers, origin: Instant) -> String {
    let mut text = String::new();
    let at = |instant: Instant| instant.duration_since(origin).as_micros();
    for entry in world.ledger.entries().iter() {
        let start = entry.head.as_ref().map_or("", |head| &head.start);
        let (peer, connection, bytes) = (entry.peer, entry.connection, entry.body.len());
        let hash = lb::hash64(&entry.body);
        let (complete, refused, answered) = (entry.complete, entry.refused, entry.answered);
        let whole = entry.whole_at.map(at);
        writeln!(
            text,
            "{:>9} peer {peer} on {connection}: {start} {bytes} {hash:x} complete={complete} refused={refused} answered={answered:?} whole={whole:?}",
            at(entry.at)
        )
        .unwrap();
    }
    for seen in askers.seen.borrow().iter() {
        let what = match &seen.what {
            What::Answer(reply) | What::Cut(reply, _) => {
                let mut fields = reply.head.fields.clone();
                // The only thing in a run that is of the real world.
                fields.retain(|(name, _)| name != "date");
                let hash = lb::hash64(&reply.body);
                let cut = if matches!(seen.what, What::Cut(..)) {
                    "cut "
                } else {
                    ""
                };
                format!(
                    "{cut}{} {} {hash:x} {fields:?}",
                    reply.status,
                    reply.body.len()
                )
            }
            other => format!("{other:?}"),
        };
        writeln!(
            text,
            "{:>9} {:>9} client: {} {} {} {:?} -> {what}",
            at(seen.began),
            at(seen.ended),
            seen.method,
            seen.number,
            seen.body,
            seen.habit,
        )
        .unwrap();
    }
    for logged in world.spy.logged() {
        writeln!(text, "{logged:?}").unwrap();
    }
    for change in world.spy.changes() {
        writeln!(text, "{change:?}").unwrap();
    }
    text
}
