//! Uploads over HTTP/2: early answers, late readers, both ways at once.

use crate::support::h2::{H2Client, piece, post, read, send};
use crate::support::{Answer, Form, Script, Step, World, chunk, run, settle};
use bytes::Bytes;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_early_answer_reaches_a_client_that_still_sends() {
    run(async {
        let world = World::new(1);
        let early = Answer::new(413, "too much");
        world.peers[0].next(Script(vec![Step::Some(10), Step::Answer(early)]));
        let mut client = H2Client::new(&world).await;
        let mut request = post("/big");
        let length = http::HeaderValue::from(10 << 20);
        request.headers_mut().insert("content-length", length);
        let (answer, mut upload) = client.begin(request, false).await.unwrap();
        let sending = tokio::task::spawn_local(async move {
            let body = Bytes::from(vec![b'x'; 10 << 20]);
            send(&mut upload, body, true).await.map_err(|e| e.reason())
        });
        let reply = read(answer.await.unwrap()).await.unwrap();
        assert_eq!((reply.status, reply.text()), (413, "too much"));
        // RFC 9113 §8.1: the rest is not wanted, and that is no error.
        let ended = sending.await.unwrap();
        assert_eq!(ended, Err(Some(h2::Reason::NO_ERROR)));
        assert!(client.get("/next").await.unwrap().is_ok());
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_client_that_reads_only_after_its_upload_gets_its_answer() {
    run(async {
        let world = World::new(1);
        let first = vec![b'e'; 150_000];
        world.peers[0].next(Script(vec![
            Step::Head,
            Step::Write(Answer::new(200, "").form(Form::Chunked).head()),
            Step::Write(chunk(&first)),
            Step::Body,
            Step::Write(chunk(b"late")),
            Step::Write(b"0\r\n\r\n".to_vec()),
        ]));
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(post("/late"), false).await.unwrap();
        let body = Bytes::from(vec![b'u'; 10 << 20]);
        send(&mut upload, body, true).await.unwrap();
        let reply = read(answer.await.unwrap()).await.unwrap();
        assert_eq!(reply.body.len(), first.len() + 4);
        assert_eq!(world.ledger.only("/late").body.len(), 10 << 20);
    });
}

#[test]
fn both_directions_run_at_once() {
    run(async {
        let world = World::new(1);
        world.peers[0].next(Script(vec![Step::Echo]));
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(post("/echo"), false).await.unwrap();
        send(&mut upload, Bytes::from_static(b"0"), false)
            .await
            .unwrap();
        let mut incoming = answer.await.unwrap().into_body();
        assert_eq!(piece(&mut incoming).await.unwrap().unwrap(), "0");
        for n in 1..20 {
            let said = Bytes::from(format!("word {n}"));
            send(&mut upload, said.clone(), false).await.unwrap();
            assert_eq!(piece(&mut incoming).await.unwrap().unwrap(), said);
        }
        send(&mut upload, Bytes::from_static(b"."), true)
            .await
            .unwrap();
        assert_eq!(piece(&mut incoming).await.unwrap().unwrap(), ".");
        assert_eq!(piece(&mut incoming).await.unwrap(), None);
        settle(SECOND).await;
        world.assert_idle();
    });
}

#[test]
fn a_client_that_gives_up_its_upload_does_not_leave_half_of_it_behind() {
    run(async {
        let world = World::new(1);
        let mut client = H2Client::new(&world).await;
        let (answer, mut upload) = client.begin(post("/half"), false).await.unwrap();
        send(&mut upload, Bytes::from(vec![b'x'; 5_000]), false)
            .await
            .unwrap();
        settle(SECOND).await;
        upload.send_reset(h2::Reason::CANCEL);
        drop(answer);
        settle(SECOND).await;
        assert!(!world.ledger.only("/half").complete);
        assert_eq!(world.view()[0].failures, 0, "no fault of the peer");
        world.assert_idle();
    });
}
