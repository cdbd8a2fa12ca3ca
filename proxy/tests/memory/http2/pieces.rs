//! The frames that a response goes out in.

use crate::support::h2::{Frames, GET};
use crate::support::h2_peer::H2Peer;
use crate::support::{Plan, run};
use bytes::{Bytes, BytesMut};
use http::Response;
use proxy::hooks::{ResponseAction, Transform};

/// Passes everything on, at once or at the end.
#[derive(Debug)]
struct Patient {
    waits: bool,
    kept: BytesMut,
}

impl Transform for Patient {
    fn data(&mut self, piece: Bytes) -> Bytes {
        if !self.waits {
            return piece;
        }
        self.kept.extend_from_slice(&piece);
        Bytes::new()
    }

    fn end(&mut self) -> Option<Bytes> {
        self.waits.then(|| std::mem::take(&mut self.kept).freeze())
    }
}

/// Clients count frames of data that carry nothing and end nothing, and end a connection that has
/// carried a hundred: long-lived clients of MCP, whose answers are looked into, came to that.
#[test]
fn a_piece_that_is_empty_or_held_back_makes_no_frame() {
    for (waits, expected) in [
        (None, vec!["one", "two", ""]),
        (Some(false), vec!["one", "two", ""]),
        (Some(true), vec!["onetwo"]),
    ] {
        run(async {
            let mut plan = Plan::http2(1);
            plan.wish.response = Some(Box::new(move |_, _, _| match waits {
                None => ResponseAction::Forward,
                Some(waits) => ResponseAction::Transform(Box::new(Patient {
                    waits,
                    kept: BytesMut::new(),
                })),
            }));
            let world = plan.start();
            H2Peer::start(&world, 0, |_, mut respond| async move {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                for (piece, ends) in [("one", false), ("", false), ("two", false), ("", true)] {
                    body.send_data(Bytes::from_static(piece.as_bytes()), ends)
                        .unwrap();
                }
            });
            let mut client = Frames::new(&world).await;
            for stream in [1, 3] {
                client.head(stream, &GET).await;
                let (kind, of, _) = client.next().await.unwrap();
                assert_eq!((kind, of), (1, stream), "{waits:?}");
                for piece in &expected {
                    let (kind, of, payload) = client.next().await.unwrap();
                    assert_eq!((kind, of), (0, stream), "{waits:?}");
                    assert_eq!(payload, piece.as_bytes(), "{waits:?}");
                }
            }
        });
    }
}
