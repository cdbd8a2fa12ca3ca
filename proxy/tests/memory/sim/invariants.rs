//! What must have held, judged from the ledger, the clients and the reports.

use super::bodies::{ANSWER, body};
use super::clients::{Seen, What, target};
use super::watch::Watcher;
use crate::support::{Entry, Logged, Reply, World};
use lb::Delivery;
use proxy::session::End;
use std::collections::BTreeMap;

/// All that is known when a seed has ended.
pub(super) struct Evidence<'a> {
    pub(super) world: &'a World,
    pub(super) watcher: &'a Watcher,
    pub(super) seen: &'a [Seen],
}

impl Evidence<'_> {
    pub(super) fn judge(&self, broken: &mut Vec<String>) {
        broken.append(&mut self.watcher.seen().broken.clone());
        let mut received: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for entry in self.world.ledger.entries().iter() {
            if let Some(target) = entry.target() {
                received
                    .entry(target.to_owned())
                    .or_default()
                    .push(entry.clone());
            }
        }
        let mut logged: BTreeMap<String, Logged> = BTreeMap::new();
        for one in self.world.spy.logged() {
            logged.insert(one.target.clone(), one);
        }
        for (target, entries) in &received {
            if target != "/health" {
                self.requests(target, entries, broken);
            }
        }
        for one in logged.values() {
            self.attempts(one, broken);
        }
        for seen in self.seen {
            let target = target(seen.number);
            if let Some(what) = self.client(seen, logged.get(&target)) {
                broken.push(format!("{} {target}: {what}", seen.method));
            }
            if !matches!(seen.what, What::Left) && !logged.contains_key(&target) {
                broken.push(format!("{target} was never logged"));
            }
        }
        self.budget(broken);
    }

    /// One request as the peers saw it.
    fn requests(&self, target: &str, entries: &[Entry], broken: &mut Vec<String>) {
        let number: u64 = target.rsplit('/').next().unwrap().parse().unwrap();
        let method = entries[0].method().unwrap();
        if method == "POST" && entries.len() > 1 {
            let peers: Vec<_> = entries.iter().map(|entry| entry.peer).collect();
            broken.push(format!("POST {target} came to peers {peers:?}"));
        }
        for entry in entries {
            let expected = body(number, entry.body.len());
            if entry.body != expected {
                broken.push(format!(
                    "{target}: the body at peer {} is not the client's",
                    entry.peer
                ));
            }
        }
        let mut lengths: Vec<_> = entries
            .iter()
            .filter(|entry| entry.complete)
            .map(|entry| entry.body.len())
            .collect();
        lengths.dedup();
        if lengths.len() > 1 {
            broken.push(format!("{target}: bodies of {lengths:?} bytes"));
        }
        if self.world.spy.delivery(target) == Some(Delivery::NotSent) {
            broken.push(format!(
                "{target}: said to be not sent, but peer {} has it",
                entries[0].peer
            ));
        }
    }

    fn attempts(&self, logged: &Logged, broken: &mut Vec<String>) {
        // What counts of them is judged as they are made.
        let made = u32::try_from(logged.attempts.len()).unwrap();
        if made > self.world.group.lb.policy().retry.hard_cap {
            broken.push(format!("{}: {made} attempts", logged.target));
        }
    }

    /// One request as its client saw it.
    fn client(&self, seen: &Seen, logged: Option<&Logged>) -> Option<String> {
        match &seen.what {
            What::Left => None,
            What::Nothing(why) => {
                // A cut that comes with the head takes the head with it: hyper has not flushed it.
                let cut = logged.is_some_and(|logged| logged.end == End::Cut);
                (!cut).then(|| format!("no answer: {why:?} {logged:?}"))
            }
            What::Cut(reply, why) => {
                let entries = self.world.ledger.entries();
                let whole = answer(reply).and_then(|at| entries[at].whole_at);
                // What a frozen peer writes later comes too late.
                let whole = whole.is_some_and(|at| at <= seen.ended);
                let cut = logged.is_some_and(|logged| logged.end == End::Cut);
                (whole || !cut).then(|| format!("cut ({why:?}) without need: {logged:?}"))
            }
            What::Answer(reply) => self.whole(seen, reply),
        }
    }

    /// A whole answer is one that a peer gave whole, or the proxy's own.
    fn whole(&self, seen: &Seen, reply: &Reply) -> Option<String> {
        let Some((at, length)) = answer(reply).zip(length(reply)) else {
            let own = reply.proxy_error().is_some() && reply.status >= 400;
            return (!own).then(|| format!("whose answer is this? {reply:?}"));
        };
        let entries = self.world.ledger.entries();
        let entry = &entries[at];
        if entry.target() != Some(&target(seen.number)) {
            return Some(format!("the answer to {:?}", entry.target()));
        }
        if entry.answered != Some(reply.status) || entry.whole_at.is_none() {
            return Some(format!("whole, but the peer's was not: {reply:?}"));
        }
        let better = |entry: &Entry| {
            let in_time = entry.whole_at.is_some_and(|at| at <= seen.ended);
            in_time && entry.answered < Some(500) && entry.target() == Some(&target(seen.number))
        };
        if reply.status >= 500 && entries[at + 1..].iter().any(better) {
            return Some(format!("a worse answer than the last: {reply:?}"));
        }
        let expected = if seen.method == "HEAD" {
            Vec::new()
        } else {
            body(at as u64 | ANSWER, length)
        };
        (reply.body != expected).then(|| "not the bytes the peer sent".to_owned())
    }

    /// Charged retries within the budget of ten seconds. Looked at for eight, because the budget
    /// forgets by whole seconds and a charge is noted when the next attempt begins.
    fn budget(&self, broken: &mut Vec<String>) {
        let seen = self.watcher.seen();
        let budget = self.world.group.lb.policy().retry.budget;
        let peers = u64::try_from(self.world.peers.len()).unwrap();
        let reserve = u64::from(budget.reserve).max(3 * peers);
        for end in &seen.charges {
            let begin = end.as_micros().saturating_sub(8_000_000);
            let made = seen.charges.iter();
            let made = made.filter(|at| at.as_micros() >= begin && *at <= end);
            let made = made.count() as u64;
            let arrivals = seen
                .arrivals
                .iter()
                .filter(|at| at.as_micros() + 4_000_000 >= begin && *at <= end);
            let share = arrivals.count() as u64 * u64::from(budget.percent) / 100;
            let most = reserve + share + u64::from(budget.per_second) * 12;
            if made > most {
                let at = end.as_micros() / 1000;
                broken.push(format!(
                    "{made} charged retries before {at} ms, {most} allowed"
                ));
            }
        }
    }
}

/// Which entry of the ledger an answer belongs to; none: the proxy's own.
fn answer(reply: &Reply) -> Option<usize> {
    reply.head.get("x-answer")?.parse().ok()
}

/// How long the peer says its body is.
fn length(reply: &Reply) -> Option<usize> {
    reply.head.get("x-length")?.parse().ok()
}
