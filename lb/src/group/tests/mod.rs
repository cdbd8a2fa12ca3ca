//! Groups as a whole: what requests, results, checks and operators do to each other.

mod breakers;
mod checks;
mod operators;
mod order;
mod pins;
mod probes;
mod reload;
mod retries;
mod serves;
mod tiers;

use std::sync::Arc;
use std::time::Duration;

use crate::hash::mix;
use crate::{
    Admin, BreakerView, Change, Group, GroupPolicy, NoPeer, Peer, PeerIndex, PeerView, Pick,
    PickRequest, PinLoss, Probed, Strategy, Time, Tried, Trip, Verdict,
};

/// A group, its clock, and entropy that differs from call to call.
struct World {
    group: Arc<Group>,
    now: Time,
    draws: u64,
}

impl World {
    /// Peers named a, b, c … of the given priorities.
    fn new(priorities: &[u32]) -> Self {
        Self::with(priorities, |_| ())
    }

    /// The same in turn order, so that what is picked is plain, with the policy changed.
    fn with(priorities: &[u32], change: impl Fn(&mut GroupPolicy)) -> Self {
        let mut policy = GroupPolicy {
            strategy: Strategy::RoundRobin,
            ..GroupPolicy::default()
        };
        change(&mut policy);
        Self::of(peers(priorities), policy)
    }

    fn of(peers: Vec<Peer>, policy: GroupPolicy) -> Self {
        Self {
            group: Group::new("group", peers, policy).unwrap(),
            now: Time::from_secs(1_000),
            draws: 0,
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    /// An idempotent request.
    fn pick(&mut self) -> Result<Pick, NoPeer> {
        let request = PickRequest {
            repeatable: true,
            ..PickRequest::default()
        };
        self.ask(&request)
    }

    fn ask(&mut self, request: &PickRequest<'_>) -> Result<Pick, NoPeer> {
        self.draws += 1;
        self.group.pick(request, self.now, mix(self.draws))
    }

    /// Who serves the next requests, each ended at once with success.
    fn serve(&mut self, times: usize) -> String {
        (0..times).map(|_| self.end(Verdict::Succeed)).collect()
    }

    /// Who served one request that ended so; `-` for nobody.
    fn end(&mut self, verdict: Verdict) -> char {
        match self.pick() {
            Ok(mut pick) => {
                pick.settle(verdict, self.now, 0);
                letter(pick.peer())
            }
            Err(_) => '-',
        }
    }

    /// Fails requests at the peer until its breaker opens.
    fn break_(&mut self, peer: u16) {
        let losses = self.group.losses(PeerIndex(peer));
        let mut held = Vec::new();
        while self.group.losses(PeerIndex(peer)) == losses {
            let pin = Some(PeerIndex(peer));
            let mut pick = self
                .ask(&PickRequest {
                    pin,
                    ..PickRequest::default()
                })
                .unwrap();
            pick.settle(Verdict::ConnectFail, self.now, 0);
            held.push(pick);
        }
    }

    fn check(&mut self, peer: u16, probed: Probed) {
        self.group.probed(PeerIndex(peer), probed, self.now, 0);
    }

    /// Makes checks say that the peer is down.
    fn down(&mut self, peer: u16) {
        (0..3).for_each(|_| self.check(peer, Probed::Failed));
    }

    /// Makes checks say that it is up.
    fn up(&mut self, peer: u16) {
        (0..2).for_each(|_| self.check(peer, Probed::Passed));
    }

    fn peer(&self, peer: usize) -> PeerView {
        self.group.view(self.now).peers.swap_remove(peer)
    }

    fn changes(&self) -> Vec<Change> {
        self.group.take_changes()
    }
}

fn peers(priorities: &[u32]) -> Vec<Peer> {
    let peer = |(name, priority): (char, &u32)| Peer {
        priority: *priority,
        ..Peer::new(name)
    };
    ('a'..='z').zip(priorities).map(peer).collect()
}

fn letter(peer: PeerIndex) -> char {
    char::from_u32(u32::from('a') + u32::from(peer.0)).unwrap()
}

fn tried(peers: &[u16]) -> Tried {
    let mut tried = Tried::new();
    for peer in peers {
        tried.insert(PeerIndex(*peer));
    }
    tried
}

const A: PeerIndex = PeerIndex(0);
const B: PeerIndex = PeerIndex(1);
const C: PeerIndex = PeerIndex(2);
