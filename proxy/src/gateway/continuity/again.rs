//! How often an event stream goes on elsewhere.

use crate::mcp::Kind;
use lb::Time;
use std::time::Duration;

/// How often an event stream has gone on elsewhere. A peer that takes every request and cuts every
/// answer would otherwise be asked for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::gateway) struct Again {
    times: u32,
    last: Option<Time>,
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// It answers a request.
    Answer,
    /// It carries what the server has to say, for as long as its client listens.
    Standing,
}

impl Purpose {
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Stream => Self::Standing,
            Kind::End | Kind::Message | Kind::Other => Self::Answer,
        }
    }
}

impl Again {
    /// Whether it has gone on elsewhere at all.
    pub(super) fn has_begun(&self) -> bool {
        self.times > 0
    }

    /// How long to wait before it goes on once more; none: often enough. An answer goes on as often
    /// as its request may be tried, since it is tried again; a request that is the death of every
    /// peer ends there. A stream that answers nothing goes on for ever, but not in haste.
    pub(super) fn after(&mut self, purpose: Purpose, attempts: u32, now: Time) -> Option<Duration> {
        let calm = self.last.is_some_and(|last| now.since(last) > LASTED);
        let before = if calm && purpose == Purpose::Standing {
            0
        } else {
            self.times
        };
        self.times = before.saturating_add(1);
        self.last = Some(now);
        match purpose {
            Purpose::Answer => (self.times < attempts).then(|| pause(ANSWER_PAUSE, before)),
            Purpose::Standing => Some(pause(FIRST_PAUSE, before)),
        }
    }
}

/// Nothing, then twice as long each time.
fn pause(first: Duration, before: u32) -> Duration {
    let doublings = before.saturating_sub(1).min(16);
    if before == 0 {
        Duration::ZERO
    } else {
        (first * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
    }
}

/// Before an answer goes on for the second time.
const ANSWER_PAUSE: Duration = Duration::from_millis(100);
/// Between two tries for the sake of a stream.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A stream that was sound for so long, and not only waited for, begins to count anew.
const LASTED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_on_as_often_as_its_request_may_be_tried() {
        let mut again = Again::default();
        let mut after = || again.after(Purpose::Answer, 3, Time::default());
        assert_eq!(after(), Some(Duration::ZERO));
        assert_eq!(after(), Some(ANSWER_PAUSE));
        assert_eq!(after(), None);
        assert_eq!(after(), None);
        let once = Again::default().after(Purpose::Answer, 1, Time::default());
        assert_eq!(once, None);
    }

    #[test]
    fn a_stream_goes_on_for_ever_but_not_in_haste() {
        let mut again = Again::default();
        let mut now = Time::default();
        let mut waited = Vec::new();
        for _ in 0..100 {
            let pause = again.after(Purpose::Standing, 1, now).unwrap();
            waited.push(pause.as_secs());
            now = now + pause;
        }
        assert_eq!(waited[..7], [0, 1, 2, 4, 8, 16, 30]);
        assert!(waited[7..].iter().all(|seconds| *seconds == 30));
        now = now + LASTED + Duration::from_secs(1);
        assert_eq!(again.after(Purpose::Standing, 1, now), Some(Duration::ZERO));
    }
}
