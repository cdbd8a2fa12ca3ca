//! Peers that have a name.

use crate::support::{Renewed, ask, from, run, settings, settle};
use proxy::memory::{Connecting, MemoryNetwork};
use proxy::network::Network as _;
use proxy::settings::{Probe, Settings};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// One peer called `a`, named `peer`.
fn named() -> Settings {
    let mut settings = settings(&[0]);
    settings.groups[0].peers[0].url.host = "peer".to_owned();
    settings
}

fn ip(peer: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, peer + 1])
}

#[test]
fn a_name_is_looked_up_again_when_its_answer_has_aged() {
    run(async {
        let mut named = named();
        named.groups[0].pool_size = 0;
        let gate = Renewed::start(&named);
        gate.network.set_answer("peer", &[ip(0)], 10 * SECOND);
        assert_eq!(ask(&gate).await, from(0));
        gate.network.set_answer("peer", &[ip(1)], 10 * SECOND);
        settle(8 * SECOND).await;
        assert_eq!(ask(&gate).await, from(0), "the answer is still good");
        settle(3 * SECOND).await;
        assert_eq!(ask(&gate).await, from(1));
        assert_eq!(gate.network.lookups("peer"), 2, "no request asks");
        assert_eq!(gate.metrics.names.answered.get(), 2);
    });
}

#[test]
fn the_life_of_an_answer_has_bounds() {
    for (ttl, within, lookups) in [(Duration::ZERO, 10, 11), (3600 * SECOND, 900, 4)] {
        run(async {
            let gate = Renewed::start(&named());
            gate.network.set_answer("peer", &[ip(0)], ttl);
            settle(within * SECOND + SECOND / 2).await;
            assert_eq!(gate.network.lookups("peer"), lookups);
        });
    }
}

#[test]
fn the_last_good_answer_is_kept() {
    run(async {
        let mut named = named();
        named.groups[0].pool_size = 0;
        let gate = Renewed::start(&named);
        gate.network.set_answer("peer", &[ip(0)], SECOND);
        assert_eq!(ask(&gate).await, from(0));
        gate.network.forget_name("peer");
        settle(600 * SECOND).await;
        assert_eq!(ask(&gate).await, from(0));
        let failed = gate.metrics.names.failed.get();
        assert!((20..60).contains(&failed), "at most every 30 s: {failed}");
        gate.network.set_answer("peer", &[ip(2)], SECOND);
        settle(31 * SECOND).await;
        assert_eq!(ask(&gate).await, from(2));
    });
}

#[test]
fn a_name_that_is_not_there_at_the_start_may_come() {
    run(async {
        let mut named = named();
        named.groups[0].health_check.probe = Some(Probe::Tcp);
        let gate = Renewed::start(&named);
        settle(SECOND).await;
        assert_eq!(gate.view()[0].health, lb::HealthView::Unhealthy);
        assert_eq!(ask(&gate).await.0, 502);
        gate.network.set_name("peer", &[ip(0)]);
        settle(40 * SECOND).await;
        assert_eq!(gate.view()[0].health, lb::HealthView::Healthy);
        assert_eq!(ask(&gate).await, from(0));
    });
}

#[test]
fn a_reload_looks_up_what_is_new_and_forgets_what_is_gone() {
    run(async {
        let gate = Renewed::start(&named());
        gate.network.set_answer("peer", &[ip(0)], SECOND);
        gate.network.set_answer("other", &[ip(1)], SECOND);
        assert_eq!(ask(&gate).await, from(0));
        let mut second = named();
        second.groups[0].peers[0].url.host = "other".to_owned();
        gate.reload(&second).await.unwrap();
        assert_eq!(ask(&gate).await, from(1));
        let before = gate.network.lookups("peer");
        settle(60 * SECOND).await;
        assert_eq!(gate.network.lookups("peer"), before);
        assert!(gate.network.lookups("other") > 50);
        let kept = gate.network.lookups("other");
        gate.reload(&second).await.unwrap();
        settle(SECOND / 4).await;
        assert!(gate.network.lookups("other") <= kept + 1, "it goes on");
    });
}

/// How long it takes to be answered when the addresses of a name behave like this.
async fn answered_within(behaviour: &[(u8, Connecting)]) -> (Duration, (u16, Option<String>)) {
    let gate = Renewed::start(&named());
    let addresses: Vec<_> = behaviour.iter().map(|(peer, _)| ip(*peer)).collect();
    for (peer, connecting) in behaviour {
        gate.network.set_connecting(ip(*peer), *connecting);
    }
    gate.network.set_name("peer", &addresses);
    let began = Instant::now();
    let answer = ask(&gate).await;
    (began.elapsed(), answer)
}

#[test]
fn addresses_race_and_the_first_to_connect_wins() {
    let ms = Duration::from_millis;
    let delay = |millis| Connecting::Delay(ms(millis));
    let rows = [
        (
            vec![(0, Connecting::Hang), (1, Connecting::Accept)],
            250,
            from(1),
        ),
        (
            vec![(0, Connecting::Refuse), (1, Connecting::Accept)],
            0,
            from(1),
        ),
        (vec![(0, delay(300)), (1, delay(300))], 300, from(0)),
        (vec![(0, delay(600)), (1, delay(100))], 350, from(1)),
        (
            vec![
                (0, Connecting::Hang),
                (1, Connecting::Hang),
                (2, Connecting::Accept),
            ],
            500,
            from(2),
        ),
        (
            vec![(0, Connecting::Refuse), (1, Connecting::Refuse)],
            0,
            (502, None),
        ),
    ];
    for (at, (behaviour, millis, answer)) in rows.into_iter().enumerate() {
        run(async {
            let (took, by) = answered_within(&behaviour).await;
            assert_eq!(by, answer, "row {at}");
            // The last one is tried again.
            if answer.0 == 200 {
                assert_eq!(took.as_millis() / 10, millis / 10, "row {at}");
            }
        });
    }
}

#[test]
fn a_peer_behind_a_unix_socket_is_one_like_any_other() {
    run(async {
        let mut settings = settings(&[0]);
        settings.groups[0].peers[0].url.host = "/run/a.sock".to_owned();
        settings.groups[0].policy.breaker = None;
        let gate = Renewed::start(&settings);
        assert_eq!(ask(&gate).await.0, 502, "nobody listens");
        gate.network.set_name("/run/a.sock", &[ip(0)]);
        assert_eq!(ask(&gate).await, from(0));
        assert_eq!(gate.network.lookups("/run/a.sock"), 0, "it is no name");
    });
}

#[test]
fn who_loses_the_race_is_given_up() {
    run(async {
        let gate = Renewed::start(&named());
        gate.network
            .set_connecting(ip(0), Connecting::Delay(SECOND / 2));
        gate.network.set_name("peer", &[ip(0), ip(1)]);
        assert_eq!(ask(&gate).await, from(1));
        settle(5 * SECOND).await;
        assert_eq!(gate.network.connections(ip(0)), 0);
        assert_eq!(gate.network.connections(ip(1)), 1);
    });
}

#[test]
fn running_out_of_descriptors_counts_against_no_peer() {
    run(async {
        let gate = Renewed::start(&settings(&[0, 1]));
        gate.network.set_connecting(ip(0), Connecting::Exhaust);
        for _ in 0..10 {
            let (status, peer) = ask(&gate).await;
            assert!(status >= 500, "nobody is asked: {status} {peer:?}");
        }
        let view = gate.view();
        assert_eq!((view[0].failures, view[0].losses), (0, 0));
        assert_eq!(view[0].breaker, lb::BreakerView::Closed);
        gate.network.set_connecting(ip(0), Connecting::Accept);
        assert_eq!(ask(&gate).await, from(0));
    });
}

#[test]
fn the_network_counts_who_asks() {
    run(async {
        let network = MemoryNetwork::new(ip(9));
        let by = proxy::settings::DnsResolver::default();
        network.set_answer("x", &[ip(1)], SECOND);
        assert_eq!(network.resolve("x", 1, by).await.unwrap().ttl, SECOND);
        network.forget_name("x");
        assert!(network.resolve("x", 1, by).await.is_err());
        assert_eq!(network.lookups("x"), 2);
    });
}
