//! How long an attempt is waited for when it cannot be made elsewhere, or its client is the slow one.

use crate::support::{Answer, Ask, Client, Plan, Script, Step, run, settle};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Answers after two seconds.
fn slow() -> Script {
    let answer = Step::Answer(Answer::new(200, "slow"));
    Script(vec![Step::Body, Step::Wait(2 * SECOND), answer])
}

/// Two peers, and room for bodies of a thousand bytes.
fn plan() -> Plan {
    let mut plan = Plan::new(2);
    plan.limits.replay_body = 1000;
    plan
}

#[test]
fn a_request_that_has_outgrown_its_copy_stays_when_its_peer_is_lost() {
    for (length, peers) in [(1000, vec![0, 1]), (1001, vec![0])] {
        run(async move {
            let mut plan = plan();
            if let Some(breaker) = &mut plan.group.policy.breaker {
                breaker.failure_threshold = 1;
            }
            let world = plan.start();
            world.peers[0].next(slow()).next(Script::then(Step::Reset));
            let mut client = Client::new(&world).await;
            let put = Ask::new("PUT", "/put").body(vec![b'x'; length]);
            client.send(&put.bytes()).await;
            settle(SECOND / 2).await;
            let mut other = Client::new(&world).await;
            assert_eq!(other.ask(&Ask::get("/other")).await.unwrap().status, 200);
            assert_eq!(world.view()[0].losses, 1, "the breaker is open");
            assert_eq!(client.wire.reply("PUT").await.unwrap().status, 200);
            assert_eq!(world.ledger.peers_of("/put"), peers, "{length} bytes");
        });
    }
}

#[test]
fn the_bound_of_an_attempt_falls_when_it_has_become_the_last() {
    for (length, peers) in [(1000, vec![0, 1]), (1001, vec![0])] {
        run(async move {
            let mut plan = plan();
            plan.group.policy.retry.per_try = Some(SECOND / 2);
            let world = plan.start();
            world.peers[0].next(slow());
            let mut client = Client::new(&world).await;
            let put = Ask::new("PUT", "/put").body(vec![b'x'; length]);
            assert_eq!(client.ask(&put).await.unwrap().status, 200);
            assert_eq!(world.ledger.peers_of("/put"), peers, "{length} bytes");
        });
    }
}

#[test]
fn a_client_that_dawdles_over_its_body_is_no_fault_of_the_peer() {
    run(async {
        let mut plan = plan();
        plan.group.policy.retry.per_try = Some(SECOND / 2);
        let world = plan.start();
        let mut client = Client::new(&world).await;
        let bytes = Ask::new("PUT", "/put").body("0123456789").bytes();
        let (begin, end) = bytes.split_at(bytes.len() - 5);
        client.send(begin).await;
        settle(2 * SECOND).await;
        client.send(end).await;
        assert_eq!(client.wire.reply("PUT").await.unwrap().status, 200);
        assert_eq!(world.ledger.peers_of("/put"), [0]);
        assert_eq!(world.view()[0].failures, 0);
    });
}

#[test]
fn a_peer_that_is_late_after_the_upload_is_left_in_time() {
    run(async {
        let mut plan = plan();
        plan.group.policy.retry.per_try = Some(SECOND / 2);
        let world = plan.start();
        world.peers[0].next(Script::then(Step::Hang));
        let mut client = Client::new(&world).await;
        let bytes = Ask::new("PUT", "/put").body("0123456789").bytes();
        let (begin, end) = bytes.split_at(bytes.len() - 5);
        client.send(begin).await;
        settle(2 * SECOND).await;
        client.send(end).await;
        assert_eq!(client.wire.reply("PUT").await.unwrap().status, 200);
        assert_eq!(world.ledger.peers_of("/put"), [0, 1]);
        assert_eq!(world.metrics.limits.body_timeout.get(), 0);
    });
}
