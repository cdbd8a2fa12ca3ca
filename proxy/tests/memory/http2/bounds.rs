//! How long an HTTP/2 client may take, and how much it may leave lying.

use crate::support::h2::{Frames, GET, H2Client, get, piece, post, send};
use crate::support::{Answer, Form, Plan, Script, Step, World, run, settle};
use bytes::Bytes;
use proxy::session::End;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Until the proxy has closed the connection, in seconds.
async fn closed_after(client: &mut Frames) -> u64 {
    let began = Instant::now();
    let mut read = Vec::new();
    drop(client.stream.read_to_end(&mut read).await);
    began.elapsed().as_secs()
}

fn large() -> Script {
    let mut large = Answer::new(200, "").form(Form::Chunked);
    large.pieces = vec![vec![b'x'; 100_000]; 50];
    Script::answer(large)
}

#[test]
fn a_preface_that_does_not_end_is_closed() {
    run(async {
        let world = World::new(1);
        let mut stream = crate::support::h2::connect(&world).await;
        stream.write_all(b"PRI * HT").await.unwrap();
        let mut client = Frames { stream };
        assert_eq!(closed_after(&mut client).await, 10);
        assert_eq!(world.metrics.limits.head_timeout.get(), 1);
    });
}

#[test]
fn a_head_that_does_not_end_is_closed() {
    run(async {
        let world = World::new(1);
        let mut client = Frames::new(&world).await;
        // A whole request before it, and drips within it, change nothing.
        client.head(1, &GET).await;
        settle(SECOND).await;
        let frame = [0, 1, 0, 1, 5, 0, 0, 0, 3];
        client.stream.write_all(&frame).await.unwrap();
        let began = Instant::now();
        while client.stream.write_all(b"x").await.is_ok() {
            settle(SECOND).await;
        }
        assert!((10..13).contains(&began.elapsed().as_secs()));
        assert_eq!(world.metrics.limits.head_timeout.get(), 1);
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn an_idle_connection_is_told_and_then_closed() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        assert!(client.get("/one").await.unwrap().is_ok());
        settle(55 * SECOND).await;
        assert!(client.get("/two").await.unwrap().is_ok());
        settle(59 * SECOND).await;
        assert!(!client.is_gone().await);
        settle(3 * SECOND).await;
        assert!(client.is_gone().await);
        // GOAWAY without an error.
        assert!(client.driver.await.unwrap().is_ok());
        assert_eq!(world.metrics.limits.keep_alive.get(), 1);
    });
}

#[test]
fn a_connection_without_a_request_is_closed_whatever_else_it_sends() {
    run(async {
        let mut plan = Plan::new(1);
        plan.limits.http2.ping = Duration::ZERO;
        let world = plan.start();
        let mut client = Frames::new(&world).await;
        let began = Instant::now();
        while client.write(6, 0, 0, &[0; 8]).await {
            settle(SECOND).await;
        }
        let took = began.elapsed().as_secs();
        assert!((60..70).contains(&took), "{took}");
        settle(SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
    });
}

#[test]
fn a_client_that_answers_no_ping_is_closed() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script(vec![Step::Head, Step::Hang]));
        let mut client = Frames::new(&world).await;
        client.head(1, &GET).await;
        assert_eq!(closed_after(&mut client).await, 40);
        settle(SECOND).await;
        world.assert_idle();
        assert_eq!(world.spy.only_logged("/raw").end, End::Cancelled);
    });
}

#[test]
fn a_client_that_answers_pings_may_wait_for_long() {
    run(async {
        let world = World::new(1);
        let answer = Answer::new(200, "").pieces(&[b"a", b"b"], Form::Chunked, 250 * SECOND);
        world.peers[0].next(Script::answer(answer));
        let mut client = H2Client::new(&world).await;
        assert_eq!(client.get("/long").await.unwrap().text(), "ab");
    });
}

#[test]
fn a_stream_that_is_not_read_closes_its_connection() {
    // A few bytes of room now and then make no difference.
    for drips in [false, true] {
        run(async {
            let world = World::new(1);
            world.peers[0].next(large());
            let mut client = H2Client::roomy(&world).await;
            let (answer, _) = client.begin(get("/stuck").map(drop), true).await.unwrap();
            let mut incoming = answer.await.unwrap().into_body();
            let mut seconds = 0;
            while !client.driver.is_finished() {
                settle(SECOND).await;
                seconds += 1;
                // Other streams live meanwhile.
                if seconds < 20 {
                    assert!(client.get("/other").await.unwrap().is_ok());
                }
                if drips {
                    drop(incoming.flow_control().release_capacity(50));
                }
            }
            assert!((30..34).contains(&seconds), "{seconds}");
            settle(SECOND).await;
            assert_eq!(world.metrics.limits.write_stall.get(), 1);
            assert_eq!(world.spy.only_logged("/stuck").end, End::Cancelled);
            assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
            world.assert_idle();
        });
    }
}

#[test]
fn a_stream_that_is_read_slowly_is_spared() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.timeouts.total = None;
        let world = plan.start();
        let mut answer = Answer::new(200, "").form(Form::Chunked);
        answer.pieces = vec![vec![b'x'; 50_000]; 10];
        world.peers[0].next(Script::answer(answer));
        let mut client = H2Client::new(&world).await;
        let (answer, _) = client.begin(get("/slow").map(drop), true).await.unwrap();
        let mut incoming = answer.await.unwrap().into_body();
        let mut size = 0;
        let mut rest = 32 * 1024;
        while let Some(data) = piece(&mut incoming).await.unwrap() {
            size += data.len();
            // A client opens its window again when half of it is free.
            if size >= rest {
                rest += 32 * 1024;
                settle(15 * SECOND).await;
            }
        }
        assert_eq!(size, 500_000);
    });
}

#[test]
fn a_body_that_stalls_is_408_on_its_stream_alone() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(post("/stalls"), false).await.unwrap();
        send(&mut upload, Bytes::from(vec![b'x'; 20_000]), false)
            .await
            .unwrap();
        let began = Instant::now();
        assert_eq!(answer.await.unwrap().status(), 408);
        assert!((30..32).contains(&began.elapsed().as_secs()));
        assert_eq!(world.metrics.limits.body_timeout.get(), 1);
        assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
        assert!(client.get("/next").await.unwrap().is_ok());
    });
}

#[test]
fn a_body_that_drips_is_408_while_a_brisk_one_goes_on() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        let (slow, mut drips) = client.begin(post("/drips"), false).await.unwrap();
        let (brisk, mut flows) = client.begin(post("/flows"), false).await.unwrap();
        let answer = tokio::task::spawn_local(slow);
        for _ in 0..40 {
            drop(send(&mut drips, Bytes::from_static(b"x"), false).await);
            send(&mut flows, Bytes::from(vec![b'x'; 500]), false)
                .await
                .unwrap();
            settle(SECOND).await;
        }
        send(&mut flows, Bytes::from_static(b"x"), true)
            .await
            .unwrap();
        assert_eq!(answer.await.unwrap().unwrap().status(), 408);
        assert_eq!(brisk.await.unwrap().status(), 200);
        assert_eq!(world.metrics.limits.body_timeout.get(), 1);
    });
}

#[test]
fn the_last_request_of_a_connection_is_answered_and_the_next_one_is_not_taken() {
    run(async {
        let mut plan = Plan::new(1);
        plan.limits.requests_per_connection = 3;
        let world = plan.start();
        let mut client = H2Client::new(&world).await;
        for _ in 0..3 {
            assert!(client.get("/n").await.unwrap().is_ok());
        }
        settle(SECOND).await;
        assert!(client.is_gone().await);
        assert!(client.driver.await.unwrap().is_ok());
        assert_eq!(world.metrics.limits.requests.get(), 1);
    });
}

#[test]
fn a_shutdown_says_goodbye_and_finishes_what_is_in_flight() {
    run(async {
        let world = World::new(1);
        let answer = Answer::new(200, "done");
        let slow = vec![Step::Body, Step::Wait(5 * SECOND), Step::Answer(answer)];
        world.peers[0].next(Script(slow));
        let mut client = H2Client::new(&world).await;
        let (answer, _) = client.begin(get("/slow").map(drop), true).await.unwrap();
        settle(SECOND).await;
        world.control.shutdown();
        settle(SECOND).await;
        assert!(client.is_gone().await);
        assert_eq!(answer.await.unwrap().status(), 200);
        assert!(client.driver.await.unwrap().is_ok());
        world.serving.await.unwrap().unwrap();
    });
}
