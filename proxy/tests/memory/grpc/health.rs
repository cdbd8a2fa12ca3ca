//! Health checks over HTTP/2: gRPC's own, and the others.

use super::call::{only_status, status};
use crate::support::h2_peer::{H2Peer, drain, hello};
use crate::support::{Plan, World, run, settle};
use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Response};
use lb::HealthView;
use proxy::settings::{HealthCheck, HttpProbe, Probe};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

fn probed_by(probe: Probe) -> World {
    let mut plan = Plan::http2(1);
    plan.group.health_check = HealthCheck {
        probe: Some(probe),
        ..HealthCheck::default()
    };
    plan.start()
}

/// A `HealthCheckResponse` in its frame.
fn says(mut respond: SendResponse<Bytes>, serving: u8, trailers: HeaderMap) {
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    body.send_data(vec![0, 0, 0, 0, 2, 8, serving].into(), false)
        .unwrap();
    body.send_trailers(trailers).unwrap();
}

#[test]
fn only_a_server_that_says_that_it_serves_is_healthy() {
    type Answer = fn(SendResponse<Bytes>);
    let rows: [(&str, Answer, bool); 9] = [
        ("serving", |respond| says(respond, 1, status(0)), true),
        ("unknown", |respond| says(respond, 0, status(0)), false),
        ("not serving", |respond| says(respond, 2, status(0)), false),
        (
            "no such service",
            |respond| says(respond, 3, status(0)),
            false,
        ),
        (
            "serving, and failed",
            |respond| says(respond, 1, status(13)),
            false,
        ),
        (
            "no such service either",
            |respond| only_status(respond, 5),
            false,
        ),
        (
            "no health service",
            |respond| only_status(respond, 12),
            false,
        ),
        ("an empty answer", |respond| only_status(respond, 0), false),
        ("no gRPC", |respond| hello(respond, "hello"), false),
    ];
    for (what, answer, healthy) in rows {
        run(async {
            let world = probed_by(Probe::Grpc(String::new()));
            H2Peer::start(&world, 0, move |_, respond| async move { answer(respond) });
            settle(Duration::from_secs(20)).await;
            let metrics = &world.group.peers[0].metrics;
            let (passed, failed) = (metrics.probes_passed.get(), metrics.probes_failed.get());
            assert_eq!((passed > 2, failed > 2), (healthy, !healthy), "{what}");
            let view = world.view().swap_remove(0);
            assert_eq!(view.health == HealthView::Healthy, healthy, "{what}");
        });
    }
}

#[test]
fn the_probe_asks_as_a_client_of_grpc_does() {
    run(async {
        let world = probed_by(Probe::Grpc("search.v1.Search".to_owned()));
        let asked = Rc::new(RefCell::new(Vec::new()));
        let told = Rc::clone(&asked);
        let peer = H2Peer::start(&world, 0, move |mut request, respond| {
            let told = Rc::clone(&told);
            async move {
                while let Some(piece) = request.body_mut().data().await {
                    told.borrow_mut().extend_from_slice(&piece.unwrap());
                }
                says(respond, 1, status(0));
            }
        });
        settle(Duration::from_secs(1)).await;
        let seen = peer.seen.borrow();
        assert_eq!(seen[0].method(), "POST");
        assert_eq!(seen[0].uri().path(), "/grpc.health.v1.Health/Check");
        assert_eq!(seen[0].headers()["content-type"], "application/grpc");
        assert_eq!(seen[0].headers()["te"], "trailers");
        let frame = b"\0\0\0\0\x12\x0a\x10search.v1.Search";
        assert!(asked.borrow().starts_with(frame));
    });
}

#[test]
fn probes_speak_the_http_that_requests_are_sent_in() {
    run(async {
        let world = probed_by(Probe::Http(HttpProbe::default()));
        let peer = H2Peer::start(&world, 0, |mut request, respond| async move {
            drain(request.body_mut()).await.unwrap();
            hello(respond, "well");
        });
        settle(Duration::from_secs(20)).await;
        let metrics = &world.group.peers[0].metrics;
        assert!(metrics.probes_passed.get() > 2);
        assert_eq!(metrics.probes_failed.get(), 0);
        // Each has a connection of its own, which ends with it.
        assert_eq!(peer.connections.get() as u64, metrics.probes_passed.get());
    });
}

#[test]
fn a_frozen_peer_of_http2_is_noticed() {
    for probe in [
        Probe::Http(HttpProbe::default()),
        Probe::Grpc(String::new()),
    ] {
        run(async {
            let world = probed_by(probe.clone());
            H2Peer::start(&world, 0, |request, respond| async move {
                if request.uri().path() == "/" {
                    hello(respond, "well");
                } else {
                    says(respond, 1, status(0));
                }
            });
            settle(Duration::from_secs(20)).await;
            assert_eq!(world.view()[0].health, HealthView::Healthy);
            world.network.freeze(world.peers[0].ip());
            settle(Duration::from_secs(20)).await;
            assert_ne!(world.view()[0].health, HealthView::Healthy, "{probe:?}");
            world.network.thaw(world.peers[0].ip());
            settle(Duration::from_secs(20)).await;
            assert_eq!(world.view()[0].health, HealthView::Healthy, "{probe:?}");
        });
    }
}
