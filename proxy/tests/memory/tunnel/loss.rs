//! Tunnels whose peer turns unhealthy, or is taken out by a reload.

use super::support::{SECOND, mirrored, rest, switch, switched};
use crate::support::{
    CLIENT, Client, Plan, Renewed, Script, Step, listener, run, settings, settle,
};
use proxy::memory::Connecting;
use proxy::session::End;
use proxy::settings::{Probe, TunnelLoss};
use tokio::time::Instant;

#[test]
fn one_whose_peer_turns_unhealthy_is_closed_if_so_configured() {
    for loss in [TunnelLoss::Keep, TunnelLoss::Close] {
        run(async {
            let mut plan = Plan::new(2);
            plan.group.tunnel_loss = loss;
            plan.group.health_check.probe = Some(Probe::Tcp);
            let world = plan.start();
            world.peers[0].next(Script::switch(&[Step::Mirror]));
            let mut client = switched(&world, "/socket").await;
            settle(10 * SECOND).await;
            let host = world.peers[0].ip();
            // What stands goes on; what is new, such as a probe, is refused.
            world.network.set_connecting(host, Connecting::Refuse);
            settle(30 * SECOND).await;
            assert!(!world.view()[0].usable);
            let active = world.group.metrics.tunnels.active.get();
            if loss == TunnelLoss::Keep {
                assert_eq!(active, 1);
                assert_eq!(mirrored(&mut client, "here").await, "here");
                return;
            }
            assert_eq!(active, 0);
            assert!(rest(&mut client).await.0.is_empty());
            assert_eq!(world.spy.only_logged("/socket").end, End::Lost);
            assert_eq!(world.group.metrics.tunnels.lost.get(), 1);
            world.assert_idle();
            world.peers[1].next(Script::switch(&[Step::Mirror]));
            let mut client = switched(&world, "/again").await;
            assert_eq!(mirrored(&mut client, "there").await, "there");
        });
    }
}

#[test]
fn one_whose_peer_is_taken_out_has_the_time_of_streams_or_none() {
    for (loss, seconds) in [(TunnelLoss::Keep, 300), (TunnelLoss::Close, 0)] {
        run(async {
            let mut first = settings(&[0, 1]);
            first.groups[0].tunnel_loss = loss;
            let gate = Renewed::start(&first);
            gate.peers[0].next(Script::switch(&[Step::Mirror]));
            let mut client = Client::from(&gate.network, listener(8080), CLIENT).await;
            switch(&mut client, "/socket").await;
            let tunnels = &gate.group().metrics.tunnels;
            let mut second = settings(&[1]);
            second.groups[0].tunnel_loss = loss;
            let began = Instant::now();
            gate.reload(&second).await.unwrap();
            assert!(rest(&mut client).await.0.is_empty());
            assert_eq!(began.elapsed().as_secs(), seconds);
            drop(client);
            settle(SECOND).await;
            assert!(gate.gateway.departed().is_empty());
            let ends = (tunnels.drained.get(), tunnels.lost.get());
            assert_eq!(ends, if seconds > 0 { (1, 0) } else { (0, 1) });
        });
    }
}

#[test]
fn a_reload_that_keeps_the_peer_keeps_the_tunnel() {
    run(async {
        let mut settings = settings(&[0, 1]);
        settings.groups[0].tunnel_loss = TunnelLoss::Close;
        let gate = Renewed::start(&settings);
        gate.peers[0].next(Script::switch(&[Step::Mirror]));
        let mut client = Client::from(&gate.network, listener(8080), CLIENT).await;
        switch(&mut client, "/socket").await;
        for _ in 0..10 {
            gate.reload(&settings).await.unwrap();
            settle(60 * SECOND).await;
            assert_eq!(mirrored(&mut client, "here").await, "here");
        }
        assert_eq!(gate.view()[0].in_flight, 1);
    });
}

#[test]
fn a_route_has_rules_of_its_own() {
    run(async {
        let mut gate = settings(&[0]);
        let mut route = crate::support::route("/plain", 0);
        route.upgrades = Some(std::sync::Arc::new([]));
        gate.routes = vec![route, crate::support::route("/", 0)];
        let gate = Renewed::start(&gate);
        let mut client = Client::from(&gate.network, listener(8080), CLIENT).await;
        let reply = client.ask(&super::support::ask("/plain")).await.unwrap();
        assert_eq!(reply.status, 200);
        let head = gate.ledger.only("/plain").head.unwrap();
        assert_eq!(head.get("upgrade"), None);
        gate.peers[0].next(Script::switch(&[Step::Mirror]));
        switch(&mut client, "/socket").await;
    });
}
