//! What the failure hooks may ask for, and what bounds it.

use crate::support::{Ask, Client, Plan, Script, Step, run};
use proxy::hooks::RetryDecision;
use proxy::memory::Connecting;
use std::time::Duration;
use tokio::time::Instant;

#[test]
fn what_a_failure_hook_asks_for_is_done_within_bounds() {
    let next = |backoff| RetryDecision::NextPeer { backoff };
    let forced = RetryDecision::Unsafe {
        why: "it counts nothing",
    };
    let get = || Ask::get("/r");
    let post = || Ask::post("/r", "x");
    let large = || Ask::post("/r", vec![b'x'; 2000]);
    for (decision, ask, peers) in [
        (RetryDecision::Policy, get(), vec![0, 1]),
        (RetryDecision::Policy, post(), vec![0]),
        (RetryDecision::Stop, get(), vec![0]),
        (next(None), get(), vec![0, 1]),
        (next(None), post(), vec![0]),
        (RetryDecision::SamePeerFresh, get(), vec![0, 0]),
        (RetryDecision::SamePeerFresh, post(), vec![0]),
        (forced, get(), vec![0, 1]),
        (forced, post(), vec![0, 1]),
        // Its body was not kept, so nobody can send it again.
        (forced, large(), vec![0]),
    ] {
        run(async {
            let mut plan = Plan::new(3);
            plan.limits.replay_body = 1000;
            plan.wish.error_while_proxy = Some(Box::new(move |_| decision));
            let world = plan.start();
            world.peers[0].next(Script::then(Step::Reset));
            let mut client = Client::new(&world).await;
            let answer = client.ask(&ask).await.unwrap();
            let row = format!("{decision:?} {}", ask.method);
            assert_eq!(world.ledger.peers_of("/r"), peers, "{row}");
            let status = if peers.len() > 1 { 200 } else { 502 };
            assert_eq!(answer.status, status, "{row}");
        });
    }
}

#[test]
fn a_hook_may_ask_for_what_the_policy_does_not_list() {
    for decision in [
        RetryDecision::NextPeer { backoff: None },
        RetryDecision::SamePeerFresh,
        RetryDecision::Unsafe { why: "a test" },
    ] {
        run(async {
            let mut plan = Plan::new(2);
            let when = &mut plan.group.policy.retry.when;
            (when.connect, when.reset) = (false, false);
            plan.wish.error_while_proxy = Some(Box::new(move |_| decision));
            plan.wish.fail_to_connect = Some(Box::new(move |_| decision));
            let world = plan.start();
            world.peers[0].next(Script::then(Step::Reset));
            let mut client = Client::new(&world).await;
            let answer = client.ask(&Ask::get("/reset")).await.unwrap();
            assert_eq!(answer.status, 200, "{decision:?}");
            if decision != RetryDecision::SamePeerFresh {
                world.network.kill(world.peers[0].ip());
                let answer = client.ask(&Ask::post("/refused", "x")).await.unwrap();
                assert_eq!(answer.status, 200, "{decision:?}");
            }
        });
    }
}

#[test]
fn no_decision_exceeds_the_attempts() {
    for decision in [
        RetryDecision::NextPeer {
            backoff: Some(Duration::ZERO),
        },
        RetryDecision::SamePeerFresh,
        RetryDecision::Unsafe { why: "a test" },
    ] {
        run(async {
            let mut plan = Plan::new(5);
            plan.wish.error_while_proxy = Some(Box::new(move |_| decision));
            plan.wish.fail_to_connect = Some(Box::new(move |_| decision));
            let world = plan.start();
            for peer in &world.peers {
                peer.always(Script::then(Step::Reset));
            }
            let mut client = Client::new(&world).await;
            assert_eq!(client.ask(&Ask::get("/r")).await.unwrap().status, 502);
            assert_eq!(world.ledger.peers_of("/r").len(), 3, "{decision:?}");
            for peer in &world.peers {
                world.network.set_connecting(peer.ip(), Connecting::Refuse);
            }
            assert_eq!(client.ask(&Ask::post("/c", "x")).await.unwrap().status, 502);
            assert_eq!(
                world.spy.only_logged("/c").attempts.len(),
                3,
                "{decision:?}"
            );
        });
    }
}

#[test]
fn a_hook_s_wait_is_waited_for() {
    run(async {
        let mut plan = Plan::new(2);
        let decision = RetryDecision::NextPeer {
            backoff: Some(Duration::from_secs(3)),
        };
        plan.wish.fail_to_connect = Some(Box::new(move |_| decision));
        let world = plan.start();
        world.network.kill(world.peers[0].ip());
        let mut client = Client::new(&world).await;
        let began = Instant::now();
        assert_eq!(
            client.ask(&Ask::post("/wait", "x")).await.unwrap().status,
            200
        );
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    });
}

#[test]
fn no_hook_s_wait_outlives_the_request() {
    run(async {
        let mut plan = Plan::new(2);
        plan.group.timeouts.total = Some(Duration::from_secs(5));
        let decision = RetryDecision::NextPeer {
            backoff: Some(Duration::from_secs(3600)),
        };
        plan.wish.fail_to_connect = Some(Box::new(move |_| decision));
        let world = plan.start();
        world.network.kill(world.peers[0].ip());
        let mut client = Client::new(&world).await;
        let began = Instant::now();
        assert_eq!(
            client.ask(&Ask::get("/for-ever")).await.unwrap().status,
            502
        );
        assert_eq!(began.elapsed(), Duration::ZERO);
    });
}
