//! What must have held, judged from the ledger, the clients and the reports.

use super::bodies::{ANSWER, body, events};
use super::clients::{Habit, Seen, What, target};
use super::plan::{Cast, Speaks};
use super::watch::Watcher;
use crate::support::{Broken, Entry, Logged, Reply, World};
use lb::Delivery;
use proxy::session::End;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// All that is known when a seed has ended.
pub(super) struct Evidence<'a> {
    pub(super) world: &'a World,
    pub(super) cast: &'a Cast,
    pub(super) watcher: &'a Watcher,
    pub(super) seen: &'a [Seen],
    /// When the proxy's machine stood still.
    pub(super) jumps: &'a [Instant],
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
            let logged = logged.get(&target);
            for what in [
                self.client(seen, logged),
                self.deadline(seen),
                self.rock(seen, logged),
            ] {
                let what = what.map(|what| format!("{} {target}: {what}", seen.method));
                broken.extend(what);
            }
            if matches!(seen.what, What::Answer(_) | What::Cut(..)) && logged.is_none() {
                broken.push(format!("{target} was never logged"));
            }
        }
        self.budget(broken);
    }

    /// One request as the peers saw it.
    fn requests(&self, target: &str, entries: &[Entry], broken: &mut Vec<String>) {
        let number: u64 = target.rsplit('/').next().unwrap().parse().unwrap();
        let method = entries[0].method().unwrap();
        let looked_at: Vec<_> = entries.iter().filter(|entry| !entry.refused).collect();
        if method == "POST" && looked_at.len() > 1 {
            let peers: Vec<_> = looked_at.iter().map(|entry| entry.peer).collect();
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
        let sent = self.seen.iter().find(|seen| seen.number == number);
        lengths.extend(sent.map(|seen| seen.body).filter(|_| !lengths.is_empty()));
        lengths.dedup();
        if lengths.len() > 1 {
            broken.push(format!("{target}: bodies of {lengths:?} bytes"));
        }
        if self.world.spy.delivery(target) == Some(Delivery::NotSent)
            && let Some(entry) = looked_at.first()
        {
            broken.push(format!(
                "{target}: said to be not sent, but peer {} has it",
                entry.peer
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
        let excused = seen.troubled || self.jumped(seen);
        // A cut that comes with the head takes the head with it: hyper has not flushed it.
        let cut = logged.is_some_and(|logged| logged.end == End::Cut);
        match &seen.what {
            What::Left => None,
            What::Answer(reply) => self.whole(seen, reply),
            _ if excused => None,
            What::Stuck => Some(format!("neither answer nor end: {logged:?}")),
            // A connection may end after an answer that came before the request was read.
            What::Nothing(Broken::Ended) if logged.is_none() => None,
            What::Nothing(why) => (!cut).then(|| format!("no answer: {why:?} {logged:?}")),
            What::Cut(reply, why) => {
                let entries = self.world.ledger.entries();
                // Who closes before all was read resets; what a frozen peer writes comes too late.
                let entry = answer(reply).map(|at| &entries[at]);
                let entry = entry.filter(|entry| self.strict() && entry.complete);
                let whole = entry.and_then(|entry| entry.whole_at);
                let whole = whole.is_some_and(|at| at <= seen.ended);
                (whole || !cut).then(|| format!("cut ({why:?}) without need: {logged:?}"))
            }
        }
    }

    /// What peers write arrives, and at once.
    fn strict(&self) -> bool {
        self.cast.calm && self.cast.speaks == Speaks::Http1
    }

    /// Whether the proxy's machine stood still while this was on its way, or shortly before.
    fn jumped(&self, seen: &Seen) -> bool {
        let after = Duration::from_secs(10);
        self.jumps
            .iter()
            .any(|at| *at <= seen.ended && seen.began <= *at + LONGEST_JUMP + after)
    }

    /// Every request comes to an end within its deadline.
    fn deadline(&self, seen: &Seen) -> Option<String> {
        let slow = matches!(seen.habit, Habit::Lingers(_) | Habit::Dribbles(_))
            || matches!(seen.what, What::Left);
        let endless = match &seen.what {
            What::Answer(reply) | What::Cut(reply, _) => is_stream(reply),
            _ => false,
        };
        if slow || endless || seen.troubled || self.jumped(seen) {
            return None;
        }
        let took = seen.ended.duration_since(seen.began);
        (took > self.cast.total + TARDINESS).then(|| format!("took {took:?}"))
    }

    /// With one healthy peer, and a policy that is up to it, no request fails that may be
    /// repeated; but an answer that has begun may be cut.
    fn rock(&self, seen: &Seen, logged: Option<&Logged>) -> Option<String> {
        self.cast.rock?;
        // What is longer than what is kept cannot be sent again.
        let dribbles = matches!(seen.habit, Habit::Dribbles(_));
        if seen.method == "POST" || seen.troubled || dribbles || seen.body > self.cast.replay {
            return None;
        }
        let failed = match &seen.what {
            What::Answer(reply) => {
                reply.proxy_error().is_some() || matches!(reply.status, 429 | 502..=504)
            }
            What::Nothing(_) => logged.is_none_or(|logged| logged.end != End::Cut),
            _ => false,
        };
        failed.then(|| format!("failed beside a healthy peer: {:?} {logged:?}", seen.what))
    }

    /// A whole answer is one that a peer gave whole, or the proxy's own.
    fn whole(&self, seen: &Seen, reply: &Reply) -> Option<String> {
        let Some((at, length)) = answer(reply).zip(length(reply)) else {
            // A client that is too slow with its body is told so without a reason of the proxy's.
            let slow = reply.status == 408 && matches!(seen.habit, Habit::Dribbles(_));
            let own = slow || reply.proxy_error().is_some() && reply.status >= 400;
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
        if self.strict() && reply.status >= 500 && entries[at + 1..].iter().any(better) {
            return Some(format!("a worse answer than the last: {reply:?}"));
        }
        if seen.trailers && seen.method != "HEAD" && reply.status == 200 {
            let announced = reply.head.get("trailer").is_some();
            let came = reply.trailers == [("x-end".to_owned(), at.to_string())];
            if announced && !came {
                return Some(format!("its trailers are {:?}", reply.trailers));
            }
        }
        let expected = if seen.method == "HEAD" {
            Vec::new()
        } else if is_stream(reply) {
            events(at as u64 | ANSWER, length as u64).concat()
        } else {
            body(at as u64 | ANSWER, length)
        };
        (without_comments(reply) != expected).then(|| "not the bytes the peer sent".to_owned())
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

fn is_stream(reply: &Reply) -> bool {
    reply.head.get("content-type") == Some("text/event-stream")
}

/// A body without the comments that keep a stream of events alive.
fn without_comments(reply: &Reply) -> Vec<u8> {
    if !is_stream(reply) {
        return reply.body.clone();
    }
    reply.text().replace("\n\n:\n\n", "\n\n").into_bytes()
}

/// What a whole answer may take longer than its deadline: a tick, and the way to the client.
const TARDINESS: Duration = Duration::from_secs(1);
/// The longest time for which the proxy's machine stands still.
const LONGEST_JUMP: Duration = Duration::from_secs(100);
