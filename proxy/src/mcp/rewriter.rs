//! An event stream of a later generation, on its way to a client that began with an earlier one.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::events::{Cut, Events};
use super::generation;
use super::sse::split_field;

/// Rewrites an event stream event by event: ids get their generation (rule 11), and progress that
/// the client has seen already does not come again.
#[derive(Debug)]
pub struct Rewriter {
    generation: u32,
    progress: Option<f64>,
    events: Events,
}

impl Rewriter {
    /// A rewriter for a stream of this generation, whose client has seen `progress`.
    pub fn new(generation: u32, progress: Option<f64>) -> Self {
        Self {
            generation,
            progress,
            events: Events::default(),
        }
    }

    /// The next piece of the stream; what of it can go on.
    pub fn push(&mut self, piece: &[u8]) -> Bytes {
        self.events.push(piece);
        let mut out = BytesMut::new();
        while let Some(cut) = self.events.cut() {
            match cut {
                Cut::Event(event) => self.event(&event, &mut out),
                // The line end of an event that has been rewritten already.
                Cut::Part(part) if part == "\n" => {}
                Cut::Part(part) => out.extend_from_slice(&part),
            }
        }
        out.freeze()
    }

    /// What is left when the stream has ended.
    pub fn finish(&mut self) -> Bytes {
        self.events.finish()
    }

    fn event(&mut self, event: &[u8], out: &mut BytesMut) {
        let Ok(text) = std::str::from_utf8(event) else {
            out.extend_from_slice(event);
            return;
        };
        let mut lines = String::with_capacity(text.len() + 32);
        let mut data: Option<String> = None;
        for line in text.split_inclusive(['\n', '\r']) {
            let bare = line.trim_end_matches(['\n', '\r']);
            match split_field(bare.as_bytes()) {
                _ if bare.is_empty() => {}
                (b"data", _) => {
                    let value = bare.strip_prefix("data").unwrap_or_default();
                    let value = value.strip_prefix(':').unwrap_or(value);
                    let value = value.strip_prefix(' ').unwrap_or(value);
                    // JSON has no line ends inside its strings, so joined lines mean the same.
                    let joined = data.get_or_insert_default();
                    if !joined.is_empty() {
                        joined.push(' ');
                    }
                    joined.push_str(value);
                }
                (b"id", id) if self.generation > 1 && !id.is_empty() => {
                    let id = String::from_utf8_lossy(id);
                    lines.push_str("id: ");
                    lines.push_str(&generation::tag_event(&id, self.generation));
                    lines.push('\n');
                }
                _ => {
                    lines.push_str(bare);
                    lines.push('\n');
                }
            }
        }
        if let Some(data) = data {
            if !self.is_news(&data) {
                return;
            }
            let tagged = (self.generation > 1)
                .then(|| generation::request(&data, self.generation))
                .flatten();
            lines.push_str("data: ");
            lines.push_str(tagged.as_deref().unwrap_or(&data));
            lines.push('\n');
        }
        lines.push('\n');
        out.extend_from_slice(lines.as_bytes());
    }

    /// Whether a message is anything but progress that was seen already: progress only grows
    /// (MCP 2025-11-25 "Progress": the value must increase with each notification).
    fn is_news(&mut self, data: &str) -> bool {
        let (Some(seen), Some(progress)) = (self.progress, progress(data)) else {
            return true;
        };
        progress > seen
    }
}

/// The value of a progress notification; none if it is another message.
pub fn progress(data: &str) -> Option<f64> {
    let message: Progress<'_> = serde_json::from_str(data).ok()?;
    (message.method == "notifications/progress").then_some(message.params.progress)
}

#[derive(Deserialize)]
struct Progress<'a> {
    #[serde(borrow)]
    method: std::borrow::Cow<'a, str>,
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    progress: f64,
}

#[cfg(test)]
mod tests {
    use super::super::events::LARGEST_EVENT;
    use super::*;
    use proptest::prelude::*;

    fn all(rewriter: &mut Rewriter, stream: &str) -> String {
        let mut seen = rewriter.push(stream.as_bytes()).to_vec();
        seen.extend_from_slice(&rewriter.finish());
        String::from_utf8(seen).unwrap()
    }

    #[test]
    fn ids_of_a_later_generation_are_tagged() {
        let stream = ": hi\n\nid: 7\r\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":0,\"method\":\"ping\"}\r\n\r\n";
        let seen = all(&mut Rewriter::new(2, None), stream);
        assert_eq!(
            seen,
            ": hi\n\nid: backstay-2:7\nevent: message\ndata: {\"jsonrpc\":\"2.0\", \"id\":\"backstay-2:0\",\"method\":\"ping\"}\n\n"
        );
    }

    #[test]
    fn progress_only_grows() {
        let step = |value: f64| {
            format!(
                "data: {{\"method\":\"notifications/progress\",\"params\":{{\"progress\":{value}}}}}\n\n"
            )
        };
        let stream = [step(1.0), step(2.0), "data: {}\n\n".to_owned(), step(3.0)].concat();
        let seen = all(&mut Rewriter::new(1, Some(2.0)), &stream);
        assert_eq!(seen, ["data: {}\n\n".to_owned(), step(3.0)].concat());
    }

    #[test]
    fn a_huge_event_goes_by_as_it_is() {
        let data = "x".repeat(LARGEST_EVENT + 5_000);
        let huge = format!("id: 1\ndata: {data}\n\nid: 2\ndata: x\n\n");
        let mut rewriter = Rewriter::new(2, None);
        let mut seen = Vec::new();
        for piece in huge.as_bytes().chunks(1000) {
            seen.extend_from_slice(&rewriter.push(piece));
        }
        assert!(seen.starts_with(b"id: 1\n"));
        assert!(seen.ends_with(b"id: backstay-2:2\ndata: x\n\n"));
        assert_eq!(seen.len(), huge.len() + "backstay-2:".len());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(cuts in proptest::collection::vec(0_usize..90, 0..6)) {
            let stream = "id: a\r\ndata: {\"id\":1,\"method\":\"m\"}\r\n\r\n: c\n\ndata: x\rdata: y\r\rid: b\n\n";
            let whole = all(&mut Rewriter::new(2, None), stream);
            let mut rewriter = Rewriter::new(2, None);
            let mut seen = Vec::new();
            let mut rest = stream.as_bytes();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                seen.extend_from_slice(&rewriter.push(piece));
                rest = after;
            }
            seen.extend_from_slice(&rewriter.push(rest));
            seen.extend_from_slice(&rewriter.finish());
            prop_assert_eq!(String::from_utf8(seen).unwrap(), whole);
        }
    }
}
