//! What goes by on an event stream.

use bytes::Bytes;
use proxy::mcp::endpoint::{EndpointStage, Step};
use proxy::mcp::sse::Scanner;
use proxy::mcp::{Id, Message};

/// Event streams that are watched: however they are cut into pieces, they say the same, and
/// nothing is lost.
pub fn event_stream(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let step = usize::from(*cut).max(1);
    for scanner in [
        || Scanner::new(Vec::new()),
        || Scanner::new(awaited()),
        || Scanner::new(awaited()).watching(64),
    ] {
        let (mut whole, mut pieces) = (scanner(), scanner());
        whole.scan(stream);
        for piece in stream.chunks(step) {
            pieces.scan(piece);
        }
        assert_eq!(whole.position(), pieces.position());
        assert_eq!(whole.primed(), pieces.primed());
        assert_eq!(whole.last_event_id(), pieces.last_event_id());
        assert_eq!(whole.progress(), pieces.progress());
        assert_eq!(whole.unanswered(), pieces.unanswered());
        assert_eq!(whole.asked(), pieces.asked());
        assert_eq!(whole.take_tools_changed(), pieces.take_tools_changed());
    }
    let mut stage = EndpointStage::new();
    let mut passed = 0;
    for piece in stream.chunks(step) {
        match stage.push(Bytes::copy_from_slice(piece)) {
            Step::Pass(piece) => passed += piece.len(),
            // From here on the event is replaced.
            Step::Endpoint { .. } => return,
        }
    }
    passed += stage.finish().len();
    assert_eq!(passed, stream.len(), "bytes were lost");
}

/// The requests that the stream answers.
fn awaited() -> Vec<Id<'static>> {
    let requests =
        br#"[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":"b","method":"a"}]"#;
    let Message::Batch(parts) = Message::peek(requests) else {
        return Vec::new();
    };
    let ids = parts.into_iter().filter_map(|part| match part {
        Message::Request(request) => Some(request.id.into_owned()),
        _ => None,
    });
    ids.collect()
}
