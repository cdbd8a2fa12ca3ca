//! Other settings while it serves: what changes, what stays, and that nothing is cut.

use crate::support::{
    Answer, Ask, CLIENT, Client, Form, Renewed, Script, Step, listener, run, settings, settle,
};
use lb::{BreakerView, HealthView};
use proxy::gateway::NotReloaded;
use proxy::network::Network as _;
use proxy::server::ReloadError;
use proxy::settings::{
    Cidr, ListenerSettings, Probe, RouteAnswer, RouteMatch, RouteSettings, TrustedProxy,
};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn client(gate: &Renewed, port: u16) -> Client {
    Client::from(&gate.network, listener(port), CLIENT).await
}

#[test]
fn peers_keep_their_breakers_their_counters_and_their_connections() {
    run(async {
        let first = settings(&[0, 1]);
        let gate = Renewed::start(&first);
        gate.network.kill(gate.peers[0].ip());
        let mut asking = client(&gate, 8080).await;
        for n in 0..5 {
            let reply = asking.ask(&Ask::get(&format!("/{n}"))).await.unwrap();
            assert_eq!(reply.peer(), Some("1"));
        }
        let before = gate.view();
        assert!(matches!(before[0].breaker, BreakerView::Open { .. }));
        let old = gate.group();
        let answered = old.peers[1].metrics.attempts.answered.get();
        let mut second = settings(&[2, 1, 0]);
        second.groups[0].pool_size = 7;
        gate.reload(&second).await.unwrap();

        let group = gate.group();
        assert!(!Arc::ptr_eq(&old, &group));
        assert_eq!(gate.view()[2].breaker, before[0].breaker);
        assert_eq!(gate.view()[2].losses, before[0].losses);
        assert_eq!(group.peers[1].metrics.attempts.answered.get(), answered);
        assert_eq!(group.metrics.responses[2].get(), 5);
        // The tier in use is still the second, and the connection that was idle is taken again.
        let reply = asking.ask(&Ask::get("/after")).await.unwrap();
        assert_eq!(reply.peer(), Some("1"));
        let entries = gate.ledger.entries();
        assert_eq!(entries[4].connection, entries[5].connection);
    });
}

#[test]
fn a_peer_of_another_url_is_another_peer() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        gate.network.kill(gate.peers[0].ip());
        let mut asking = client(&gate, 8080).await;
        for _ in 0..5 {
            assert_eq!(asking.ask(&Ask::get("/")).await.unwrap().status / 100, 5);
        }
        let mut second = settings(&[1]);
        second.groups[0].peers[0].peer.name = "a".to_owned();
        gate.reload(&second).await.unwrap();
        assert_eq!(gate.view()[0].breaker, BreakerView::Closed);
        assert_eq!(asking.ask(&Ask::get("/")).await.unwrap().peer(), Some("1"));
    });
}

#[test]
fn a_request_in_flight_sees_the_settings_it_began_with() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let answer = Step::Answer(Answer::new(200, "late"));
        gate.peers[0].next(Script(vec![Step::Body, Step::Wait(20 * SECOND), answer]));
        let mut waiting = client(&gate, 8080).await;
        waiting.send(&Ask::get("/old").bytes()).await;
        settle(SECOND).await;
        gate.reload(&settings(&[1])).await.unwrap();
        let mut asking = client(&gate, 8080).await;
        assert_eq!(asking.ask(&Ask::get("/")).await.unwrap().peer(), Some("1"));
        let reply = waiting.wire.reply("GET").await.unwrap();
        assert_eq!((reply.peer(), reply.text().as_str()), (Some("0"), "late"));
        // And the next one on the same connection the new ones.
        assert_eq!(waiting.ask(&Ask::get("/")).await.unwrap().peer(), Some("1"));
    });
}

#[test]
fn no_reload_cuts_a_stream() {
    run(async {
        let gate = Renewed::start(&settings(&[0, 1]));
        let pieces: Vec<Vec<u8>> = (0..100)
            .map(|n| format!("data: {n}\n\n").into_bytes())
            .collect();
        let mut answer = Answer::new(200, "").form(Form::Chunked);
        (answer.pieces, answer.pace) = (pieces.clone(), SECOND);
        let answer = answer.field("content-type", "text/event-stream");
        gate.peers[0].next(Script::answer(answer));
        let mut streaming = client(&gate, 8080).await;
        streaming.send(&Ask::get("/stream").bytes()).await;
        for turn in 0..20 {
            settle(SECOND).await;
            let peers: &[usize] = if turn % 2 == 0 { &[1, 0, 2] } else { &[0, 1] };
            gate.reload(&settings(peers)).await.unwrap();
            assert_eq!(gate.group().metrics.active.get(), 1);
            let in_flight: u32 = gate.view().iter().map(|peer| peer.in_flight).sum();
            assert_eq!(in_flight, 1, "it still counts");
        }
        let reply = streaming.wire.reply("GET").await.unwrap();
        assert_eq!(reply.body, pieces.concat());
        assert_eq!(gate.group().metrics.active.get(), 0);
    });
}

#[test]
fn listeners_open_and_close_and_what_they_have_goes_on() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let answer = Step::Answer(Answer::new(200, "late"));
        gate.peers[0].next(Script(vec![Step::Body, Step::Wait(5 * SECOND), answer]));
        let mut busy = client(&gate, 8080).await;
        busy.send(&Ask::get("/busy").bytes()).await;
        let mut idle = client(&gate, 8080).await;
        idle.ask(&Ask::get("/idle")).await.unwrap();
        settle(SECOND).await;
        // Connected, but not accepted yet when the listener closes.
        let mut last = client(&gate, 8080).await;
        let mut second = settings(&[0]);
        second.listeners = vec![ListenerSettings::new(listener(8081))];
        let reloaded = gate.reload(&second).await.unwrap();
        assert_eq!(reloaded.opened, [listener(8081).into()]);
        assert_eq!(reloaded.closed, [listener(8080).into()]);

        assert!(idle.is_closed().await);
        let reply = last.ask(&Ask::get("/last")).await.unwrap();
        assert_eq!(reply.status, 200);
        let reply = busy.wire.reply("GET").await.unwrap();
        assert_eq!(reply.text(), "late");
        assert!(reply.closes(), "{:?}", reply.head);
        assert!(last.is_closed().await);
        let refused = gate.network.connect(listener(8080)).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        let mut new = client(&gate, 8081).await;
        assert_eq!(new.ask(&Ask::get("/")).await.unwrap().status, 200);
        gate.reload(&settings(&[0])).await.unwrap();
        let mut again = client(&gate, 8080).await;
        assert_eq!(again.ask(&Ask::get("/")).await.unwrap().status, 200);
    });
}

#[test]
fn a_listener_that_stays_keeps_its_connections() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let mut keeping = client(&gate, 8080).await;
        keeping.ask(&Ask::get("/")).await.unwrap();
        let mut second = settings(&[0]);
        second.listeners.push(ListenerSettings::new(listener(8081)));
        gate.reload(&second).await.unwrap();
        settle(5 * SECOND).await;
        let reply = keeping.ask(&Ask::get("/")).await.unwrap();
        assert!(!reply.closes());
        assert_eq!(gate.metrics.connections.get(), 1);
    });
}

#[test]
fn what_cannot_be_used_changes_nothing() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let before = gate.group();
        let taken = gate.network.bind(listener(8082)).unwrap();
        let mut second = settings(&[1]);
        second.listeners = [8081, 8082]
            .map(listener)
            .map(ListenerSettings::new)
            .to_vec();
        let error = gate.reload(&second).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot listen on 10.0.9.9:8082"),
            "{error}"
        );
        second.listeners.clear();
        second.routes = vec![RouteSettings::new(
            RouteMatch::default(),
            RouteAnswer::Group(7),
        )];
        let error = gate.reload(&second).await.unwrap_err();
        assert!(matches!(error, NotReloaded::Settings(_)), "{error}");
        drop(taken);

        assert!(Arc::ptr_eq(&before, &gate.group()));
        assert!(gate.gateway.departed().is_empty());
        gate.network.bind(listener(8081)).unwrap();
        let mut asking = client(&gate, 8080).await;
        assert_eq!(asking.ask(&Ask::get("/")).await.unwrap().peer(), Some("0"));
    });
}

#[test]
fn limits_count_for_the_next_request() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let mut asking = client(&gate, 8080).await;
        let long = Ask::get(&format!("/{}", "x".repeat(300)));
        assert_eq!(asking.ask(&long).await.unwrap().status, 200);
        let mut second = settings(&[0]);
        second.limits.target_size = 256;
        second.limits.connections = 1;
        gate.reload(&second).await.unwrap();
        let mut more = client(&gate, 8080).await;
        assert!(more.is_closed().await, "one connection is enough");
        assert_eq!(asking.ask(&long).await.unwrap().status, 414);
    });
}

#[test]
fn a_proxy_that_is_no_longer_trusted_is_not_believed_again() {
    run(async {
        let mut first = settings(&[0]);
        first.trusted_proxies = vec![TrustedProxy::Block(Cidr::new(CLIENT, 32).unwrap())];
        let gate = Renewed::start(&first);
        let mut asking = client(&gate, 8080).await;
        let ask = Ask::get("/first").field("x-forwarded-for", "192.0.2.1");
        asking.ask(&ask).await.unwrap();
        let head = gate.ledger.only("/first").head.unwrap();
        let expected = format!("192.0.2.1, {CLIENT}");
        assert_eq!(head.get("x-forwarded-for"), Some(expected.as_str()));
        gate.reload(&settings(&[0])).await.unwrap();
        assert!(asking.is_closed().await);
        let mut asking = client(&gate, 8080).await;
        let ask = Ask::get("/second").field("x-forwarded-for", "192.0.2.1");
        asking.ask(&ask).await.unwrap();
        let head = gate.ledger.only("/second").head.unwrap();
        assert_eq!(
            head.get("x-forwarded-for"),
            Some(CLIENT.to_string().as_str())
        );
    });
}

#[test]
fn the_probes_follow_the_settings() {
    run(async {
        let probed = |peers: &[usize]| {
            let mut settings = settings(peers);
            settings.groups[0].health_check.probe = Some(Probe::Tcp);
            settings
        };
        let gate = Renewed::start(&probed(&[0, 1]));
        let connects = || [0, 1, 2].map(|peer| gate.network.connects(gate.peers[peer].ip()));
        settle(11 * SECOND).await;
        let first = connects();
        assert!(first[0] > 0 && first[1] > 0 && first[2] == 0, "{first:?}");
        gate.network.kill(gate.peers[2].ip());
        gate.reload(&probed(&[1, 2])).await.unwrap();
        settle(SECOND).await;
        assert_eq!(gate.view()[1].health, HealthView::Unhealthy);
        assert_eq!(gate.view()[0].health, HealthView::Healthy);
        settle(20 * SECOND).await;
        let second = connects();
        assert_eq!(second[0], first[0], "who is gone is not probed");
        assert!(second[1] >= first[1] + 3, "{second:?}");
        gate.reload(&settings(&[1, 2])).await.unwrap();
        let third = connects();
        settle(60 * SECOND).await;
        assert_eq!(connects(), third);
    });
}

#[test]
fn who_waits_hears_what_the_probes_say_after_a_reload() {
    run(async {
        let mut probed = settings(&[0, 1]);
        probed.groups[0].health_check.probe = Some(Probe::Tcp);
        probed.groups[0].timeouts.first_byte = None;
        let gate = Renewed::start(&probed);
        settle(SECOND).await;
        gate.peers[0].next(Script::then(Step::Hang));
        let mut waiting = client(&gate, 8080).await;
        waiting.send(&Ask::get("/wait").bytes()).await;
        settle(SECOND).await;
        gate.reload(&probed).await.unwrap();
        gate.network
            .set_connecting(gate.peers[0].ip(), proxy::memory::Connecting::Refuse);
        let reply = waiting.wire.reply("GET").await.unwrap();
        assert_eq!(reply.peer(), Some("1"));
        assert_eq!(gate.view()[0].health, HealthView::Unhealthy);
    });
}

#[test]
fn one_reload_comes_after_another_and_the_last_one_wins() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let (second, third) = (settings(&[1]), settings(&[2]));
        let (one, two) = tokio::join!(gate.reload(&second), gate.reload(&third));
        assert_eq!(one.unwrap().removed, [("g".to_owned(), "a".to_owned())]);
        assert_eq!(two.unwrap().removed, [("g".to_owned(), "b".to_owned())]);
        let mut asking = client(&gate, 8080).await;
        assert_eq!(asking.ask(&Ask::get("/")).await.unwrap().peer(), Some("2"));
    });
}

#[test]
fn a_server_that_stops_takes_no_other_settings() {
    run(async {
        let gate = Renewed::start(&settings(&[0]));
        let answer = Step::Answer(Answer::new(200, "late"));
        gate.peers[0].next(Script(vec![Step::Body, Step::Wait(5 * SECOND), answer]));
        let mut busy = client(&gate, 8080).await;
        busy.send(&Ask::get("/busy").bytes()).await;
        settle(SECOND).await;
        gate.control.shutdown();
        settle(SECOND).await;
        let mut second = settings(&[1]);
        second.listeners.push(ListenerSettings::new(listener(8081)));
        let error = gate.reload(&second).await.unwrap_err();
        assert!(
            matches!(error, NotReloaded::Server(ReloadError::Stopped)),
            "{error}"
        );
        assert_eq!(busy.wire.reply("GET").await.unwrap().text(), "late");
        gate.serving.await.unwrap().unwrap();
    });
}
