//! Every limit bites when it should, is counted, and spares those who behave.

use crate::support::{
    Answer, Ask, Broken, Client, Form, Plan, Script, Step, World, chunk, run, settle,
};
use proxy::session::End;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// When a silent client's connection is closed.
async fn closed_after(client: &mut Client) -> u64 {
    let began = Instant::now();
    assert!(client.wire.first_byte().await.is_err());
    began.elapsed().as_secs()
}

#[test]
fn a_client_that_says_nothing_is_closed() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        assert_eq!(closed_after(&mut client).await, 10);
        assert_eq!(world.metrics.limits.head_timeout.get(), 1);
        settle(SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
    });
}

#[test]
fn a_head_that_drips_is_closed_all_the_same() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        let began = Instant::now();
        let head = b"GET /drip HTTP/1.1\r\nhost: a\r\nx-long: ";
        client.send(head).await;
        while client.wire.write(b"x").await.is_ok() {
            settle(SECOND).await;
        }
        assert!((10..13).contains(&began.elapsed().as_secs()));
        // A second head on a connection has as long.
        let mut client = Client::new(&world).await;
        client.ask(&Ask::get("/whole")).await.unwrap();
        settle(20 * SECOND).await;
        client.send(b"GET /half").await;
        assert_eq!(closed_after(&mut client).await, 10);
        assert_eq!(world.metrics.limits.head_timeout.get(), 2);
    });
}

#[test]
fn a_body_that_stalls_or_drips_is_408() {
    // What came first keeps the rate up for longer than the silence may last.
    for (first, drip, least, most) in [(10_000, None, 30, 32), (100, Some(b'x'), 10, 13)] {
        run(async {
            let world = World::new(1);
            let client = Client::new(&world).await;
            let ask = Ask::post("/slow", vec![b'x'; 100_000]);
            let mut wire = client.wire;
            wire.write(&ask.head()).await.unwrap();
            wire.write(&vec![b'x'; first]).await.unwrap();
            let began = Instant::now();
            let reply = loop {
                let waiting = tokio::time::timeout(SECOND, wire.first_byte());
                if waiting.await.is_ok() {
                    break wire.reply("POST").await.unwrap();
                }
                if let Some(drip) = drip {
                    wire.write(&[drip]).await.unwrap();
                }
            };
            let took = began.elapsed().as_secs();
            assert_eq!(reply.status, 408);
            assert!((least..most).contains(&took), "{drip:?}: {took}");
            assert_eq!(world.metrics.limits.body_timeout.get(), 1);
            assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
        });
    }
}

#[test]
fn a_slow_peer_is_not_a_slow_client() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.timeouts.first_byte = Some(600 * SECOND);
        plan.group.timeouts.total = None;
        let world = plan.start();
        // The peer takes none of the body for two minutes: the client cannot send it.
        world.network.freeze(world.peers[0].ip());
        let network = world.network.clone();
        let host = world.peers[0].ip();
        tokio::task::spawn_local(async move {
            settle(120 * SECOND).await;
            network.thaw(host);
        });
        let mut client = Client::new(&world).await;
        let ask = Ask::post("/held", vec![b'x'; 2 << 20]);
        let reply = client.ask(&ask).await.unwrap();
        assert_eq!(reply.status, 200);
    });
}

#[test]
fn a_client_that_does_not_read_is_closed() {
    run(async {
        let world = World::new(1);
        let large = vec![vec![b'x'; 100_000]; 100];
        let mut answer = Answer::new(200, "").form(Form::Chunked);
        answer.pieces = large;
        world.peers[0].next(Script::answer(answer));
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/stuck").bytes()).await;
        settle(29 * SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 1);
        settle(3 * SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
        assert_eq!(world.metrics.limits.write_stall.get(), 1);
        assert_eq!(world.spy.only_logged("/stuck").end, End::Cancelled);
        assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
        world.assert_idle();
    });
}

#[test]
fn what_a_client_sends_meanwhile_does_not_show_that_it_reads() {
    run(async {
        let world = World::new(1);
        // The peer answers at once, and without end, while the upload goes on.
        let head = Answer::new(200, "").form(Form::Chunked).head();
        let large = b"x".repeat(100_000);
        let mut steps = vec![Step::Head, Step::Write(head)];
        steps.extend(vec![Step::Write(chunk(&large)); 100]);
        world.peers[0].next(Script(steps));
        let mut client = Client::new(&world).await;
        client
            .send(&Ask::post("/deaf", vec![0; 1 << 20]).head())
            .await;
        for _ in 0..29 {
            // More than `body_min_rate` asks for.
            client.send(&[b'y'; 1000]).await;
            settle(SECOND).await;
        }
        assert_eq!(world.metrics.connections_active.get(), 1);
        for _ in 0..3 {
            client.send(&[b'y'; 1000]).await;
            settle(SECOND).await;
        }
        assert_eq!(world.metrics.connections_active.get(), 0);
        assert_eq!(world.metrics.limits.write_stall.get(), 1);
        assert_eq!(world.metrics.limits.body_timeout.get(), 0);
    });
}

#[test]
fn an_upload_that_stalls_after_the_answer_began_ends_the_exchange() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.timeouts.total = None;
        plan.group.timeouts.idle = None;
        let world = plan.start();
        let head = Answer::new(200, "").form(Form::Chunked).head();
        world.peers[0].next(Script(vec![Step::Head, Step::Write(head), Step::Body]));
        let mut client = Client::new(&world).await;
        client
            .send(&Ask::post("/stalls", vec![0; 1 << 20]).head())
            .await;
        // Keeps the rate up for longer than the silence may last.
        client.send(&[0; 10_000]).await;
        let reply = client.wire.reply_head("POST").await.unwrap();
        assert_eq!(reply.status, 200);
        // Nobody but the limit on the body has a reason to look at the upload again.
        settle(29 * SECOND).await;
        assert_eq!(world.network.connections(world.peers[0].ip()), 1);
        settle(3 * SECOND).await;
        assert_eq!(world.metrics.limits.body_timeout.get(), 1);
        assert_eq!(world.network.connections(world.peers[0].ip()), 0);
        world.assert_idle();
    });
}

#[test]
fn a_client_that_reads_slowly_is_spared() {
    run(async {
        let world = World::new(1);
        let mut answer = Answer::new(200, "").form(Form::Chunked);
        answer.pieces = vec![vec![b'x'; 50_000]; 10];
        world.peers[0].next(Script::answer(answer));
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/slow").bytes()).await;
        let reply = client.wire.reply_head("GET").await.unwrap();
        let mut size = 0;
        while let Some(chunk) = client.wire.chunk_size().await.unwrap() {
            let framing = crate::support::Framing::Length(chunk + 2);
            client
                .wire
                .body(framing, |piece| size += piece.len())
                .await
                .unwrap();
            settle(15 * SECOND).await;
        }
        assert_eq!(reply.status, 200);
        assert!(size >= 500_000);
    });
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        client.ask(&Ask::get("/one")).await.unwrap();
        settle(70 * SECOND).await;
        client.ask(&Ask::get("/two")).await.unwrap();
        assert_eq!(closed_after(&mut client).await, 75);
        assert_eq!(world.metrics.limits.keep_alive.get(), 1);
    });
}

#[test]
fn connections_are_capped_in_all_and_per_address() {
    run(async {
        let mut plan = Plan::new(1);
        plan.limits.connections = 3;
        plan.limits.connections_per_address = 2;
        let world = plan.start();
        let connect = async |name| {
            let address = IpAddr::from([10, 0, 1, name]);
            let mut client = Client::from(&world.network, world.address, address).await;
            let reply = client.ask(&Ask::get("/cap")).await;
            (client, reply.map(|reply| reply.status))
        };
        let (first, one) = connect(1).await;
        let (_second, two) = connect(1).await;
        let (_, over_address) = connect(1).await;
        let (_third, three) = connect(2).await;
        let (_, over_all) = connect(3).await;
        assert_eq!((one, two, three), (Ok(200), Ok(200), Ok(200)));
        let closed = [Broken::Ended, Broken::Reset];
        assert!(closed.contains(&over_address.unwrap_err()));
        assert!(closed.contains(&over_all.unwrap_err()));
        let limits = &world.metrics.limits;
        assert_eq!(limits.connections_per_address.get(), 1);
        assert_eq!(limits.connections.get(), 1);
        drop(first);
        settle(SECOND).await;
        assert_eq!(connect(1).await.1, Ok(200));
    });
}

#[test]
fn the_last_request_of_a_connection_says_so() {
    run(async {
        let mut plan = Plan::new(1);
        plan.limits.requests_per_connection = 3;
        let world = plan.start();
        let mut client = Client::new(&world).await;
        for number in 1..=3 {
            let reply = client.ask(&Ask::get("/n")).await.unwrap();
            assert_eq!(reply.closes(), number == 3, "{number}");
        }
        assert!(client.is_closed().await);
        assert_eq!(world.metrics.limits.requests.get(), 1);
    });
}

#[test]
fn a_body_in_tiny_chunks_is_no_slow_body() {
    run(async {
        let world = World::new(1);
        let mut client = Client::new(&world).await;
        client.send(&Ask::post("/tiny", "").chunked(1).head()).await;
        for _ in 0..60 {
            client.send(&chunk(&[b'x'; 500])).await;
            settle(SECOND).await;
        }
        client.send(b"0\r\n\r\n").await;
        assert_eq!(client.wire.reply("POST").await.unwrap().status, 200);
        assert_eq!(world.ledger.only("/tiny").body.len(), 30_000);
    });
}
