//! Frames that cost more than they carry.

use crate::support::h2::{Frames, GET, H2Client, block, get};
use crate::support::{Plan, Script, Step, World, run, settle};
use bytes::Bytes;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_flood_of_frames_that_carry_nothing_closes_the_connection() {
    // PRIORITY, SETTINGS, PING and a type nobody knows.
    for (kind, stream, payload) in [(2, 1, 5), (4, 0, 0), (6, 0, 8), (0x5a, 0, 0)] {
        run(async {
            let mut plan = Plan::new(1);
            plan.limits.http2.control_frames = 500;
            let world = plan.start();
            world.peers[0].next(Script(vec![Step::Head, Step::Hang]));
            let mut client = Frames::new(&world).await;
            client.head(1, &GET).await;
            let mut sent = 0;
            // Nine a second are too few, whatever they come to.
            for _ in 0..9 * 20 {
                sent += u32::from(client.write(kind, 0, stream, &vec![0; payload]).await);
                settle(SECOND / 9).await;
                client.skip().await;
            }
            assert_eq!(sent, 180, "{kind}");
            while sent < 1_000 && client.write(kind, 0, stream, &vec![0; payload]).await {
                sent += 1;
                if sent % 10 == 0 {
                    settle(SECOND / 100).await;
                }
            }
            settle(SECOND).await;
            assert_eq!(world.metrics.limits.http2_frames.get(), 1, "{kind}");
            assert_eq!(world.metrics.connections_active.get(), 0, "{kind}");
            world.assert_idle();
        });
    }
}

#[test]
fn streams_that_are_opened_and_reset_at_once_end_the_connection() {
    run(async {
        let world = World::new(1);
        world.peers[0].always(Script(vec![Step::Head, Step::Hang]));
        let mut client = Frames::new(&world).await;
        let mut both = Vec::new();
        for n in 0..200_u32 {
            let stream = 2 * n + 1;
            let head = block(&GET);
            both.extend([0, 0, u8::try_from(head.len()).unwrap(), 1, 5]);
            both.extend(stream.to_be_bytes());
            both.extend(head);
            both.extend([0, 0, 4, 3, 0]);
            both.extend(stream.to_be_bytes());
            both.extend(8_u32.to_be_bytes());
        }
        drop(tokio::io::AsyncWriteExt::write_all(&mut client.stream, &both).await);
        settle(SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
        assert_eq!(world.metrics.limits.http2_resets.get(), 1);
        assert!(world.ledger.entries().len() < 50);
        world.assert_idle();
    });
}

#[test]
fn streams_that_we_have_to_reset_end_the_connection() {
    run(async {
        let world = World::new(1);
        world.peers[0].always(Script(vec![Step::Head, Step::Hang]));
        let mut client = Frames::new(&world).await;
        let mut sent = 0;
        // A window that grows too large is an error of its stream (RFC 9113 §6.9.1, CVE-2025-8671).
        for n in 0..400_u32 {
            let stream = 2 * n + 1;
            client.head(stream, &GET).await;
            if !client.write(8, 0, stream, &[0x7f, 0xff, 0xff, 0xff]).await {
                break;
            }
            sent += 1;
            settle(SECOND / 100).await;
        }
        assert!(sent < 200, "{sent}");
        settle(SECOND).await;
        assert_eq!(world.metrics.connections_active.get(), 0);
        assert_eq!(world.metrics.limits.http2_resets.get(), 1);
        world.assert_idle();
    });
}

#[test]
fn streams_beyond_the_limit_are_refused() {
    run(async {
        let mut plan = Plan::new(1);
        plan.limits.http2.streams = 5;
        let world = plan.start();
        world.peers[0].always(Script(vec![Step::Head, Step::Hang]));
        let mut client = Frames::new(&world).await;
        for n in 0..6 {
            client.head(2 * n + 1, &GET).await;
        }
        // RST_STREAM of the sixth: REFUSED_STREAM.
        assert_eq!(client.next().await, Some((3, 11, vec![0, 0, 0, 7])));
        assert_eq!(world.metrics.requests_active.get(), 5);
    });
}

#[test]
fn crumbs_of_a_cookie_count_as_fields() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        for (crumbs, status) in [(100, 200), (101, 431)] {
            let mut request = get("/crumbs");
            for n in 0..crumbs {
                let crumb = http::HeaderValue::from_str(&format!("c={n}")).unwrap();
                request.headers_mut().append("cookie", crumb);
            }
            assert_eq!(client.ask(request).await.unwrap().status, status);
        }
        assert_eq!(world.metrics.limits.head.get(), 1);
    });
}

#[test]
fn a_head_beyond_the_limit_is_431() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        for (length, status) in [(15_000, 200), (17_000, 431)] {
            let mut request = get("/long");
            let long = http::HeaderValue::from_str(&"x".repeat(length)).unwrap();
            request.headers_mut().insert("x-long", long);
            assert_eq!(client.ask(request).await.unwrap().status, status);
        }
        assert!(client.get("/next").await.unwrap().is_ok());
    });
}

#[test]
fn a_body_longer_or_shorter_than_it_says_fails() {
    for body in ["1234", "123456"] {
        run(async {
            let world = World::new(1);
            let mut client = H2Client::new(&world).await;
            let request = http::Request::post("http://test/length")
                .header("content-length", "5")
                .body(())
                .unwrap();
            let (answer, mut upload) = client.begin(request, false).await.unwrap();
            drop(upload.send_data(Bytes::from(body), true));
            let answered = answer.await;
            let refused = answered.is_ok_and(|answer| answer.status() == 400);
            settle(SECOND).await;
            let whole = world.ledger.entries().iter().any(|entry| entry.complete);
            assert!(!whole, "{body}: {refused}");
            assert!(client.get("/next").await.unwrap().is_ok());
            assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
        });
    }
}
