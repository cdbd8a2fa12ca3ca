//! What is done to event streams on their way to a client.

use bytes::Bytes;
use proxy::mcp::events::{self, Cut, Events};
use proxy::mcp::generation;
use proxy::mcp::rewriter::Rewriter;
use proxy::mcp::whole::Whole;

/// Event streams that are held back up to the end of an event, and those that are rewritten: in
/// whatever pieces they come, nothing is lost, and every message is the one that was sent.
pub fn event_rewriter(data: &[u8]) {
    let [cut, generation, stream @ ..] = data else {
        return;
    };
    let step = usize::from(*cut).max(1);
    let generation = u32::from(generation % 4);

    let mut whole = Whole::default();
    let mut seen = Vec::new();
    for piece in stream.chunks(step) {
        seen.extend_from_slice(&whole.push(Bytes::copy_from_slice(piece)));
        assert!(split(&seen).1.is_empty(), "it stops inside an event");
    }
    seen.extend_from_slice(&whole.finish());
    assert_eq!(seen, stream, "bytes were lost");

    let rewritten = rewrite(generation, stream.chunks(step));
    // An event that is no text goes as it is; the end of its last line may not.
    if std::str::from_utf8(stream).is_ok() {
        let at_once = rewrite(generation, std::iter::once(stream));
        assert_eq!(rewritten, at_once, "the stream depends on the pieces");
    }
    let (sent, rest) = split(stream);
    let expected: Vec<String> = messages(&sent)
        .map(|message| match generation {
            0 | 1 => message,
            later => generation::request(&message, later).unwrap_or(message),
        })
        .collect();
    // What has no end is no event, and goes on as it is.
    let Some(rewritten) = rewritten.strip_suffix(&rest[..]) else {
        unreachable!("the rest was lost")
    };
    let (seen, rest) = split(rewritten);
    assert!(rest.is_empty(), "an event has no end");
    assert_eq!(messages(&seen).collect::<Vec<_>>(), expected);
}

fn rewrite<'a>(generation: u32, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut rewriter = Rewriter::new(generation, None);
    let mut seen = Vec::new();
    for piece in pieces {
        seen.extend_from_slice(&rewriter.push(piece));
    }
    seen.extend_from_slice(&rewriter.finish());
    seen
}

/// The events of a stream, and what is left.
fn split(stream: &[u8]) -> (Vec<Bytes>, Bytes) {
    let mut events = Events::default();
    events.push(stream);
    let cuts = std::iter::from_fn(|| match events.cut()? {
        Cut::Event(event) | Cut::Part(event) => Some(event),
    });
    let cuts = cuts.collect();
    (cuts, events.finish())
}

fn messages(events: &[Bytes]) -> impl Iterator<Item = String> {
    events.iter().filter_map(|event| events::message(event))
}
