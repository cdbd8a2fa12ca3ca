//! What ends a tunnel from outside: silence, the loss of its peer, and a drain.

use super::ended::Ended;
use crate::clock::Clock;
use crate::drain::{Drain, Step};
use crate::group::Group;
use crate::hooks::Hooks;
use crate::network::Network;
use crate::settings::TunnelLoss;
use crate::thread::Thread;
use crate::ticker::{Alarm, Ring};
use lb::{PeerIndex, Time};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What ends a tunnel from outside.
pub(super) struct Watch {
    clock: Rc<Clock>,
    alarm: Alarm,
    idle: Option<Duration>,
    /// When something last moved.
    last: Time,
    loss: TunnelLoss,
    /// How far the peer is with leaving, and the server.
    peer: Arc<Drain>,
    server: Arc<Drain>,
}

impl Watch {
    pub(super) fn new<N: Network, H: Hooks>(
        thread: &Thread<N, H>,
        group: Option<&Arc<Group>>,
        peer: PeerIndex,
        idle: Option<Duration>,
    ) -> Self {
        let last = thread.clock.recent();
        let first = idle.map(|idle| last + idle);
        let server = Arc::clone(&thread.drain);
        let loss = group.map_or(TunnelLoss::Keep, |group| group.settings.tunnel_loss);
        let drain = group.map_or(&server, |group| &group.peer(peer).drain);
        let drain = Arc::clone(drain);
        let alarm = match group {
            Some(group) if loss == TunnelLoss::Close => {
                thread.ticker.alarm_or_loss(first, &group.lb, peer)
            }
            _ => thread.ticker.alarm(first),
        };
        alarm.until(
            &drain,
            match loss {
                TunnelLoss::Close => Step::Begun,
                // As event streams: what is under way has the time of streams.
                TunnelLoss::Keep => Step::Over,
            },
        );
        Self {
            clock: Rc::clone(&thread.clock),
            alarm,
            idle,
            last,
            loss,
            peer: drain,
            server,
        }
    }

    /// Something moved.
    pub(super) fn moved(&mut self) {
        self.last = self.clock.recent();
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Ended> {
        loop {
            match ready!(self.alarm.poll(cx)) {
                Ring::Lost => return Poll::Ready(Ended::Lost),
                Ring::Left => {
                    if self.loss == TunnelLoss::Close && !self.peer.is_serving() {
                        return Poll::Ready(Ended::Lost);
                    }
                    if self.peer.step().max(self.server.step()) == Step::Over {
                        return Poll::Ready(Ended::Drained);
                    }
                    // The server has begun to leave, which is no loss of a peer: there is the time
                    // of streams.
                    self.alarm.until(&self.peer, Step::Over);
                }
                Ring::Time => {
                    let due = self.idle.map(|idle| self.last + idle);
                    if due.is_some_and(|due| due <= self.clock.now()) {
                        return Poll::Ready(Ended::Idle);
                    }
                    // Something moved since the alarm was set.
                    self.alarm.set(due);
                }
            }
        }
    }
}
