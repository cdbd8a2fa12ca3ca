//! Bodies that stream: both ways at once, early answers, every framing, events.

use crate::support::{
    Answer, Ask, Broken, Client, End, Form, Framing, Plan, Script, Step, World, chunk, run, settle,
    within,
};
use proxy::session::End as Ending;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

#[test]
fn an_answer_before_the_end_of_the_upload_says_that_the_connection_ends() {
    run(async {
        let world = World::new(1);
        let early = Answer::new(413, "too much");
        world.peers[0].next(Script(vec![Step::Some(10), Step::Answer(early)]));
        let mut client = Client::new(&world).await;
        let ask = Ask::post("/big", vec![b'x'; 1 << 20]);
        client.send(&ask.head()).await;
        client.send(&[b'x'; 1000]).await;
        let reply = client.wire.reply("POST").await.unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (413, "too much"));
        assert!(reply.closes(), "{:?}", reply.head);
        assert!(client.is_closed().await);
    });
}

#[test]
fn an_answer_of_the_proxy_s_own_to_an_unread_upload_says_that_the_connection_ends() {
    run(async {
        let world = Plan::new(1).start();
        world.network.kill(world.peers[0].ip());
        let mut client = Client::new(&world).await;
        let ask = Ask::post("/unread", vec![b'x'; 20_000]);
        let reply = client.ask(&ask).await.unwrap();
        assert_eq!(reply.status, 502);
        assert!(reply.closes(), "{:?}", reply.head);
    });
}

#[test]
fn a_client_that_reads_only_after_its_upload_does_not_block() {
    run(async {
        let world = World::new(1);
        let early = Answer::new(200, "");
        let head = early.form(Form::Chunked).head();
        // More than lies between the proxy and a client that does not read, less than lies
        // between that client and the peer.
        let first = vec![b'e'; 150_000];
        world.peers[0].next(Script(vec![
            Step::Head,
            Step::Write(head),
            Step::Write(chunk(&first)),
            Step::Body,
            Step::Write(chunk(b"late")),
            Step::Write(b"0\r\n\r\n".to_vec()),
        ]));
        let mut client = Client::new(&world).await;
        let body = vec![b'u'; 10 << 20];
        let reply = client
            .ask(&Ask::post("/upload", body.clone()))
            .await
            .unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body.len(), 150_004);
        assert!(world.ledger.only("/upload").body == body);
    });
}

#[test]
fn an_echo_flows_both_ways_at_once() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script(vec![Step::Echo]));
        let client = Client::new(&world).await;
        let body: Vec<u8> = (0..10_u32 << 20).map(|n| (n % 253) as u8).collect();
        let request = Ask::post("/echo", body.clone()).chunked(50_000).bytes();
        let (mut read, mut write) = tokio::io::split(client.wire.stream);
        let writing = tokio::task::spawn_local(async move {
            write.write_all(&request).await.unwrap();
            write
        });
        // Only the tail is compared strictly; the head was looked at elsewhere.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n0\r\n\r\n") {
            let mut piece = vec![0; 64 * 1024];
            let n = read.read(&mut piece).await.unwrap();
            assert_ne!(n, 0, "cut after {} bytes", answer.len());
            answer.extend_from_slice(&piece[..n]);
        }
        drop(writing.await.unwrap());
        assert!(answer.len() > body.len());
    });
}

#[test]
fn each_piece_of_a_conversation_arrives_before_the_next_is_sent() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script(vec![Step::Echo]));
        let mut client = Client::new(&world).await;
        let ask = Ask::post("/talk", "").chunked(1);
        client.send(&ask.head()).await;
        client.send(&chunk(b"one")).await;
        let reply = client.wire.reply_head("POST").await.unwrap();
        assert_eq!(reply.framing, Framing::Chunked);
        for word in ["one", "two", "three"] {
            if word != "one" {
                client.send(&chunk(word.as_bytes())).await;
            }
            let size = client.wire.chunk_size().await.unwrap().unwrap();
            let mut piece = Vec::new();
            let framing = Framing::Length(size + 2);
            client
                .wire
                .body(framing, |bytes| piece.extend_from_slice(bytes))
                .await
                .unwrap();
            assert_eq!(piece, format!("{word}\r\n").into_bytes());
        }
    });
}

#[test]
fn every_framing_of_a_peer_arrives_as_a_sound_one() {
    let answer = |status| Answer::new(status, "");
    let pieces: [&[u8]; 2] = [b"first", b"second"];
    let whole = |form| answer(200).pieces(&pieces, form, Duration::ZERO);
    for (method, answer, framing, length, body) in [
        (
            "GET",
            whole(Form::Length),
            Framing::Length(11),
            Some("11"),
            "firstsecond",
        ),
        (
            "GET",
            whole(Form::Chunked),
            Framing::Chunked,
            None,
            "firstsecond",
        ),
        (
            "GET",
            whole(Form::Close),
            Framing::Chunked,
            None,
            "firstsecond",
        ),
        ("GET", answer(200), Framing::Length(0), Some("0"), ""),
        ("HEAD", whole(Form::Length), Framing::None, Some("11"), ""),
        ("GET", answer(204).form(Form::Bare), Framing::None, None, ""),
        ("GET", answer(304).form(Form::Bare), Framing::None, None, ""),
        (
            "GET",
            answer(304).form(Form::Bare).field("content-length", "11"),
            Framing::None,
            // hyper drops it, as it may (RFC 9110 §8.6).
            None,
            "",
        ),
        // RFC 9110 §8.6: a 204 has no length.
        (
            "GET",
            answer(204).form(Form::Bare).field("content-length", "0"),
            Framing::None,
            None,
            "",
        ),
    ] {
        run(async {
            let world = World::new(1);
            let row = format!("{method} {} {:?}", answer.status, answer.form);
            world.peers[0].next(Script::answer(answer));
            let mut client = Client::new(&world).await;
            let reply = client.ask(&Ask::new(method, "/framing")).await.unwrap();
            assert_eq!(reply.framing, framing, "{row}");
            assert_eq!(reply.head.get("content-length"), length, "{row}");
            assert_eq!(reply.text(), body, "{row}");
            // Nothing is left on the connection.
            let next = client.ask(&Ask::get("/next")).await.unwrap();
            assert_eq!(next.text(), "hello", "{row}");
        });
    }
}

#[test]
fn pieces_arrive_as_they_are_sent() {
    run(async {
        let world = World::new(1);
        let pace = Duration::from_secs(7);
        let slow = Answer::new(200, "").pieces(&[b"a", b"b", b"c"], Form::Chunked, pace);
        world.peers[0].next(Script::answer(slow));
        let mut client = Client::new(&world).await;
        let began = Instant::now();
        client.send(&Ask::get("/slow").bytes()).await;
        client.wire.reply_head("GET").await.unwrap();
        for number in 0..3 {
            let size = client.wire.chunk_size().await.unwrap();
            assert_eq!(size, Some(1));
            assert_eq!(began.elapsed(), pace * number);
            client.wire.body(Framing::Length(3), |_| {}).await.unwrap();
        }
    });
}

#[test]
fn trailers_arrive_both_ways_and_what_may_not_be_one_does_not() {
    run(async {
        let world = World::new(1);
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
        world.peers[0].next(Script(vec![
            Step::Body,
            Step::Write(head.to_vec()),
            Step::Write(b"2\r\nok\r\n0\r\nx-sum: 7\r\nhost: evil\r\n\r\n".to_vec()),
        ]));
        let mut client = Client::new(&world).await;
        let ask = Ask::post("/trailers", "").chunked(1);
        let ask = ask.field("te", "trailers").field("trailer", "x-sent");
        client.send(&ask.head()).await;
        let rest = b"2\r\nhi\r\n0\r\nx-sent: 8\r\nauthorization: evil\r\n\r\n";
        client.send(rest).await;
        let reply = client.wire.reply("POST").await.unwrap();
        assert_eq!(reply.text(), "ok");
        assert_eq!(reply.trailers, [("x-sum".to_owned(), "7".to_owned())]);
        let entry = world.ledger.only("/trailers");
        assert_eq!(entry.body, b"hi");
        assert_eq!(entry.trailers, [("x-sent".to_owned(), "8".to_owned())]);
        // The connection is as good as before.
        let next = client.ask(&Ask::get("/next")).await.unwrap();
        assert_eq!(next.text(), "hello");
    });
}

#[test]
fn a_cut_answer_is_cut_for_the_client_too() {
    let (first, second) = (vec![b'x'; 20_000], vec![b'y'; 20_000]);
    let pieces: [&[u8]; 2] = [&first, &second];
    for form in [Form::Length, Form::Chunked] {
        for end in [End::Close, End::Reset] {
            run(async {
                let world = World::new(2);
                let pace = Duration::from_millis(100);
                let answer = Answer::new(200, "").pieces(&pieces, form, pace).cut(1, end);
                world.peers[0].next(Script(vec![Step::Body, Step::Answer(answer)]));
                let mut client = Client::new(&world).await;
                client.send(&Ask::get("/cut").bytes()).await;
                let reply = client.wire.reply_head("GET").await.unwrap();
                let mut read = 0;
                let ended = client
                    .wire
                    .body(reply.framing, |piece| read += piece.len())
                    .await;
                assert_eq!(ended, Err(Broken::Short), "{form:?} {end:?}");
                assert!(read <= 20_000);
                // No second attempt: the head had gone downstream.
                assert_eq!(world.ledger.entries().len(), 1);
                assert_eq!(world.spy.only_logged("/cut").end, Ending::Cut);
                assert_eq!(world.group.metrics.failures.cut.get(), 1);
                world.assert_idle();
            });
        }
    }
}

#[test]
fn a_peer_that_falls_silent_within_its_answer_is_cut() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.timeouts.idle = Some(Duration::from_secs(5));
        let world = plan.start();
        let pace = Duration::from_secs(60);
        let answer = Answer::new(200, "").pieces(&[b"a", b"b"], Form::Length, pace);
        world.peers[0].next(Script::answer(answer));
        let mut client = Client::new(&world).await;
        let ask = Ask::get("/silent");
        let reply = within(Duration::from_secs(6), client.ask(&ask)).await;
        assert_eq!(reply.unwrap_err(), Broken::Short);
    });
}

fn events(pace: Duration) -> Answer {
    let pieces: [&[u8]; 3] = [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"];
    let answer = Answer::new(200, "").pieces(&pieces, Form::Chunked, pace);
    answer.field("content-type", "text/event-stream")
}

#[test]
fn events_are_relayed_one_by_one_with_comments_when_it_is_quiet() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.sse_keepalive = Some(Duration::from_secs(25));
        plan.group.timeouts.idle = Some(Duration::from_secs(10));
        plan.group.timeouts.total = Some(Duration::from_secs(40));
        let world = plan.start();
        world.peers[0].next(Script::answer(events(Duration::from_secs(60))));
        let mut client = Client::new(&world).await;
        let began = Instant::now();
        client.send(&Ask::get("/events").bytes()).await;
        let reply = client.wire.reply_head("GET").await.unwrap();
        let mut seen: Vec<(u64, String)> = Vec::new();
        let note = |piece: &[u8]| {
            let text = String::from_utf8(piece.to_vec()).unwrap();
            seen.push((began.elapsed().as_secs(), text));
        };
        client.wire.body(reply.framing, note).await.unwrap();
        let expected = [
            (0, "data: 1\n\n"),
            (25, ":\n\n"),
            (50, ":\n\n"),
            (60, "data: 2\n\n"),
            (85, ":\n\n"),
            (110, ":\n\n"),
            (120, "data: 3\n\n"),
        ];
        let expected: Vec<_> = expected.map(|(at, text)| (at, text.to_owned())).into();
        assert_eq!(seen, expected);
    });
}

#[test]
fn no_comment_is_put_into_a_coded_stream() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.sse_keepalive = Some(Duration::from_secs(25));
        let world = plan.start();
        let answer = events(Duration::from_secs(60)).field("content-encoding", "gzip");
        world.peers[0].next(Script::answer(answer));
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/coded")).await.unwrap();
        assert_eq!(reply.text(), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    });
}

#[test]
fn no_comment_splits_an_event() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.sse_keepalive = Some(Duration::from_secs(5));
        let world = plan.start();
        let pieces: [&[u8]; 2] = [b"data: half ", b"of it\n\n"];
        let answer = Answer::new(200, "").pieces(&pieces, Form::Chunked, Duration::from_secs(60));
        let answer = answer.field("content-type", "text/event-stream; charset=utf-8");
        world.peers[0].next(Script::answer(answer));
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/half")).await.unwrap();
        assert_eq!(reply.text(), "data: half of it\n\n");
    });
}

#[test]
fn a_client_that_leaves_a_stream_ends_it_at_the_peer() {
    run(async {
        let world = World::new(1);
        let endless = events(Duration::from_secs(1)).head();
        world.peers[0].next(Script(vec![Step::Body, Step::Write(endless), Step::Hang]));
        let mut client = Client::new(&world).await;
        client.send(&Ask::get("/endless").bytes()).await;
        client.wire.reply_head("GET").await.unwrap();
        settle(Duration::from_secs(3600 / 2)).await;
        assert_eq!(world.network.connections(world.peers[0].ip()), 1);
        drop(client);
        settle(Duration::from_millis(10)).await;
        assert_eq!(world.network.connections(world.peers[0].ip()), 0);
        assert_eq!(world.spy.only_logged("/endless").end, Ending::Cancelled);
        assert_eq!(world.view()[0].failures, 0);
        world.assert_idle();
    });
}

#[test]
fn bytes_in_any_pieces_mean_the_same() {
    for seed in 0..20 {
        run(async {
            let mut plan = Plan::new(2);
            plan.fragments = true;
            plan.seed = seed;
            let world = plan.start();
            world.peers[0].next(Script::then(Step::Reset));
            let mut client = Client::new(&world).await;
            let body = vec![b'p'; 30_000];
            let ask = Ask::new("PUT", "/pieces").body(body.clone()).chunked(999);
            let reply = client.ask(&ask).await.unwrap();
            assert_eq!((reply.status, reply.text().as_str()), (200, "hello"));
            assert!(world.ledger.entries()[1].body == body);
        });
    }
}

#[test]
fn a_client_that_leaves_its_upload_is_not_held_against_a_peer_that_answers() {
    run(async {
        let world = World::new(1);
        let head = Answer::new(200, "").form(Form::Chunked).head();
        world.peers[0].next(Script(vec![
            Step::Head,
            Step::Write(head),
            Step::Write(chunk(b"early")),
            Step::Hang,
        ]));
        let mut client = Client::new(&world).await;
        let ask = Ask::post("/left", vec![b'x'; 1000]).chunked(10);
        client.send(&ask.head()).await;
        client.send(&chunk(b"some")).await;
        client.wire.reply_head("POST").await.unwrap();
        client.send(b"this is no chunk\r\n").await;
        settle(Duration::from_secs(1)).await;
        assert_eq!(world.view()[0].failures, 0);
        assert_eq!(world.group.metrics.failures.cut.get(), 1);
        assert_eq!(world.network.connections(world.peers[0].ip()), 0);
    });
}
