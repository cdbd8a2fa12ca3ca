//! What a hook may do with an answer before its client sees it.

use crate::support::{Answer, Ask, Client, End, Form, Plan, Script, reply, run};
use bytes::Bytes;
use proxy::hooks::{ResponseAction, Transform};
use std::time::Duration;

#[test]
fn a_hook_may_look_at_the_beginning_of_a_body() {
    let pieces: [&[u8]; 3] = [b"one ", b"two ", b"three"];
    for (limit, form) in [
        (0, Form::Chunked),
        (5, Form::Chunked),
        (5, Form::Length),
        (1000, Form::Chunked),
    ] {
        run(async {
            let mut plan = Plan::new(1);
            plan.wish.response = Some(Box::new(move |_, head, prefix| {
                if prefix.bytes.len() >= limit || prefix.ended {
                    let seen = prefix.bytes.len().to_string();
                    head.headers.insert("x-seen", seen.parse().unwrap());
                    return ResponseAction::Forward;
                }
                ResponseAction::Read(limit)
            }));
            let world = plan.start();
            let answer = Answer::new(200, "").pieces(&pieces, form, Duration::from_millis(10));
            world.peers[0].next(Script::answer(answer));
            let mut client = Client::new(&world).await;
            let answer = client.ask(&Ask::get("/look")).await.unwrap();
            assert_eq!(answer.text(), "one two three", "{limit} {form:?}");
            let seen: usize = answer.head.get("x-seen").unwrap().parse().unwrap();
            assert!(seen >= limit.min(13), "{limit}: {seen}");
            assert_eq!(client.ask(&Ask::get("/next")).await.unwrap().status, 200);
        });
    }
}

/// Shouts.
#[derive(Debug)]
struct Loud;

impl Transform for Loud {
    fn data(&mut self, piece: Bytes) -> Bytes {
        piece.to_ascii_uppercase().into()
    }

    fn end(&mut self) -> Option<Bytes> {
        Some(Bytes::from_static(b"!"))
    }

    fn cut(&mut self) -> Option<Bytes> {
        Some(Bytes::from_static(b"..."))
    }
}

#[test]
fn a_transformed_answer_is_framed_anew_and_mended_when_cut() {
    let pieces: [&[u8]; 2] = [b"half ", b"whole"];
    let pace = Duration::from_millis(10);
    let whole = |form| Answer::new(200, "").pieces(&pieces, form, pace);
    for (method, answer, body) in [
        ("GET", whole(Form::Length), "HALF WHOLE!"),
        ("GET", whole(Form::Chunked), "HALF WHOLE!"),
        ("GET", whole(Form::Length).cut(1, End::Close), "HALF ..."),
        ("GET", whole(Form::Chunked).cut(1, End::Reset), "HALF ..."),
        ("HEAD", whole(Form::Length), ""),
    ] {
        run(async {
            let mut plan = Plan::new(1);
            plan.wish.response = Some(Box::new(|_, _, _| {
                ResponseAction::Transform(Box::new(Loud))
            }));
            let world = plan.start();
            let row = format!("{method} {answer:?}");
            world.peers[0].next(Script::answer(answer));
            let mut client = Client::new(&world).await;
            let answer = client.ask(&Ask::new(method, "/loud")).await.unwrap();
            assert_eq!(answer.text(), body, "{row}");
            assert_eq!(
                client.ask(&Ask::get("/next")).await.unwrap().text(),
                "HELLO!",
                "{row}"
            );
        });
    }
}

#[test]
fn an_answer_may_be_replaced() {
    run(async {
        let mut plan = Plan::new(1);
        plan.wish.response = Some(Box::new(|_, head, _| match head.status.as_u16() {
            404 => ResponseAction::Replace(reply(200, "found after all")),
            _ => ResponseAction::Forward,
        }));
        let world = plan.start();
        world.peers[0].next(Script::status(404));
        let mut client = Client::new(&world).await;
        let answer = client.ask(&Ask::get("/lost")).await.unwrap();
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "found after all")
        );
        assert_eq!(
            client.ask(&Ask::get("/next")).await.unwrap().text(),
            "hello"
        );
        world.assert_idle();
    });
}

#[test]
fn an_answer_may_be_refused_if_another_attempt_is_safe() {
    for (ask, peers, status) in [
        (Ask::get("/r"), vec![0, 1], 200),
        (Ask::post("/r", "x"), vec![0], 404),
    ] {
        run(async {
            let mut plan = Plan::new(2);
            plan.wish.response = Some(Box::new(|_, head, _| match head.status.as_u16() {
                404 => ResponseAction::Retry("not here"),
                _ => ResponseAction::Forward,
            }));
            let world = plan.start();
            world.peers[0].always(Script::status(404));
            let mut client = Client::new(&world).await;
            assert_eq!(
                client.ask(&ask).await.unwrap().status,
                status,
                "{}",
                ask.method
            );
            assert_eq!(world.ledger.peers_of("/r"), peers, "{}", ask.method);
            // Nowhere better: the answer goes out as it is, after the last attempt.
            world.peers[1].always(Script::status(404));
            assert_eq!(
                client.ask(&Ask::get("/n")).await.unwrap().text(),
                "status 404"
            );
            assert_eq!(world.ledger.peers_of("/n").len(), 3);
        });
    }
}
