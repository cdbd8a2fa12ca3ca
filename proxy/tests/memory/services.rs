//! Peers whose addresses and ports are in SRV records (RFC 2782).

use crate::support::{Renewed, ask, from, run, settings, settle};
use proxy::network::ServiceTarget;
use proxy::settings::Settings;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const NAME: &str = "_mcp._tcp.example";

/// One peer called `a`, wherever the service is; each request connects anew.
fn service() -> Settings {
    let mut settings = settings(&[0]);
    let group = &mut settings.groups[0];
    group.pool_size = 0;
    group.policy.breaker = None;
    let url = &mut group.peers[0].url;
    (url.host, url.port) = (NAME.to_owned(), 0);
    "example".clone_into(&mut url.authority);
    settings
}

/// A target on the host of a peer, which is called like it.
fn target(priority: u16, weight: u16, peer: u8, port: u16) -> ServiceTarget {
    ServiceTarget {
        priority,
        weight,
        host: format!("host-{peer}"),
        port,
    }
}

fn start(targets: Vec<ServiceTarget>) -> Renewed {
    let gate = Renewed::start(&service());
    for peer in 0..3 {
        let ip = IpAddr::from([10, 0, 0, peer + 1]);
        gate.network
            .set_answer(&format!("host-{peer}"), &[ip], 10 * SECOND);
    }
    gate.network.set_service(NAME, targets, 10 * SECOND);
    gate
}

#[test]
fn the_lowest_priority_that_can_be_reached_serves() {
    run(async {
        let gate = start(vec![
            target(20, 65535, 2, 80),
            target(10, 1, 1, 80),
            // The record says the port, where nobody listens.
            target(5, 1, 0, 81),
        ]);
        assert_eq!(ask(&gate).await, from(1));
        gate.network.kill([10, 0, 0, 2].into());
        assert_eq!(ask(&gate).await, from(2));
        gate.network.restart([10, 0, 0, 2].into());
        assert_eq!(ask(&gate).await, from(1));
        assert_eq!(gate.view()[0].losses, 0, "one target is not the peer");
    });
}

#[test]
fn connections_go_by_weight() {
    run(async {
        let gate = start(vec![target(1, 30, 0, 80), target(1, 10, 1, 80)]);
        let mut shares = BTreeMap::new();
        for _ in 0..200 {
            *shares.entry(ask(&gate).await).or_insert(0) += 1;
        }
        let (most, least) = (shares[&from(0)], shares[&from(1)]);
        assert_eq!(most + least, 200);
        assert!((130..170).contains(&most), "{shares:?}");
    });
}

#[test]
fn records_are_asked_for_again_and_the_last_good_ones_are_kept() {
    run(async {
        let gate = start(vec![target(1, 1, 0, 80)]);
        assert_eq!(ask(&gate).await, from(0));
        gate.network
            .set_service(NAME, vec![target(1, 1, 1, 80)], SECOND);
        assert_eq!(ask(&gate).await, from(0), "the answer is still good");
        settle(11 * SECOND).await;
        assert_eq!(ask(&gate).await, from(1));
        gate.network.forget_name(NAME);
        settle(100 * SECOND).await;
        assert_eq!(ask(&gate).await, from(1));
        assert!(gate.metrics.names.failed.get() > 0);
        // A name server that says nothing at all changes nothing either.
        gate.network.silence_name(NAME);
        settle(100 * SECOND).await;
        assert_eq!(ask(&gate).await, from(1));
        assert!(gate.network.lookups(NAME) < 40, "no request asks");
    });
}

/// RFC 2782 "Target": a target of `.` says that there is decidedly no such service.
#[test]
fn a_service_that_is_withdrawn_is_gone() {
    run(async {
        let gate = start(vec![target(1, 1, 0, 80)]);
        assert_eq!(ask(&gate).await, from(0));
        let mut none = target(0, 0, 0, 0);
        ".".clone_into(&mut none.host);
        gate.network.set_service(NAME, vec![none], SECOND);
        settle(11 * SECOND).await;
        assert_eq!(ask(&gate).await.0, 502);
        gate.network
            .set_service(NAME, vec![target(1, 1, 2, 80)], SECOND);
        settle(31 * SECOND).await;
        assert_eq!(ask(&gate).await, from(2));
    });
}

#[test]
fn a_target_without_an_address_is_left_out() {
    run(async {
        let gate = start(vec![target(1, 1, 9, 80), target(2, 1, 1, 80)]);
        assert_eq!(ask(&gate).await, from(1));
        assert_eq!(gate.metrics.names.failed.get(), 0);
        gate.network.forget_name("host-1");
        settle(11 * SECOND).await;
        assert_eq!(ask(&gate).await, from(1), "the last good answer");
        assert!(gate.metrics.names.failed.get() > 0);
    });
}

#[test]
fn the_addresses_of_targets_age_on_their_own() {
    run(async {
        let gate = start(Vec::new());
        let targets = vec![target(1, 1, 0, 80)];
        gate.network.set_service(NAME, targets, 1_000 * SECOND);
        assert_eq!(ask(&gate).await, from(0));
        let elsewhere = [IpAddr::from([10, 0, 0, 2])];
        gate.network.set_answer("host-0", &elsewhere, 10 * SECOND);
        settle(11 * SECOND).await;
        assert_eq!(ask(&gate).await, from(1));
    });
}

#[test]
fn a_name_server_may_say_too_much() {
    run(async {
        // The best comes last.
        let many = (0..5_000).map(|before| target(5_000 - before, 1, 1, 80));
        let gate = start(many.chain([target(0, 1, 2, 80)]).collect());
        assert_eq!(ask(&gate).await, from(2));
        assert_eq!(gate.network.lookups("host-1"), 15);
    });
}
