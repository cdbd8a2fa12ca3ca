//! An event stream, event by event.

use bytes::{Bytes, BytesMut};

use super::sse::split_field;

/// Cuts an event stream into its events, whatever the pieces it comes in.
#[derive(Debug, Default)]
pub struct Events {
    held: BytesMut,
    /// How far it was searched: where the line begins, and where to go on.
    searched: (usize, usize),
    /// An event too large to hold goes by in parts, up to its end.
    passing: bool,
    /// The last event ended with a CR: an LF now belongs to it.
    after_cr: bool,
}

/// What is next of an event stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cut {
    /// A whole event, with the empty line that ends it.
    Event(Bytes),
    /// A part of an event that is too large to be held, or what belongs to the end of the last one.
    Part(Bytes),
}

impl Events {
    /// Takes the next piece of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
    }

    /// What can go on; none until more has come.
    pub fn cut(&mut self) -> Option<Cut> {
        if self.held.is_empty() {
            return None;
        }
        if std::mem::take(&mut self.after_cr) && self.held.starts_with(b"\n") {
            return Some(Cut::Part(self.held.split_to(1).freeze()));
        }
        if let Some(end) = end_of_event(&self.held, &mut self.searched) {
            self.searched = (0, 0);
            let event = self.held.split_to(end).freeze();
            self.after_cr = self.held.is_empty() && event.ends_with(b"\r");
            return Some(if std::mem::take(&mut self.passing) {
                Cut::Part(event)
            } else {
                Cut::Event(event)
            });
        }
        if self.held.len() <= LARGEST_EVENT {
            return None;
        }
        // Its end may begin in what is held: that much stays. The line it is in goes on, unless it
        // began there.
        self.passing = true;
        let (line, at) = self.searched;
        let gone = self.held.len() - LONGEST_END;
        self.searched = (line.checked_sub(gone).unwrap_or(BEFORE), at - gone);
        let part = self.held.split_to(gone);
        Some(Cut::Part(part.freeze()))
    }

    /// What is left when the stream has ended.
    pub fn finish(&mut self) -> Bytes {
        self.searched = (0, 0);
        std::mem::take(&mut self.held).freeze()
    }

    /// Whether a part of an event has been given out, and its end has not.
    pub fn is_passing(&self) -> bool {
        self.passing
    }
}

/// The message that an event carries; none if it is of another type, or has no data. Lines of data
/// are joined by spaces: JSON has no line ends inside its strings, so they mean the same.
pub fn message(event: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(event).ok()?;
    let mut data: Option<String> = None;
    for line in text.split(['\n', '\r']) {
        match split_field(line.as_bytes()) {
            (b"data", _) => {
                let value = line.strip_prefix("data").unwrap_or_default();
                let value = value.strip_prefix(':').unwrap_or(value);
                let joined = data.get_or_insert_default();
                if !joined.is_empty() {
                    joined.push(' ');
                }
                joined.push_str(value.strip_prefix(' ').unwrap_or(value));
            }
            (b"event", kind) if !kind.is_empty() && kind != b"message" => return None,
            _ => {}
        }
    }
    data
}

/// The event with another message; the rest of it stays. None if it is no text.
pub fn with(event: &[u8], message: &str) -> Option<String> {
    let text = std::str::from_utf8(event).ok()?;
    let mut whole = String::with_capacity(text.len() + message.len());
    for line in text.split(['\n', '\r']) {
        let (name, _) = split_field(line.as_bytes());
        if !line.is_empty() && name != b"data" {
            whole.push_str(line);
            whole.push('\n');
        }
    }
    whole.push_str("data: ");
    whole.push_str(message);
    whole.push_str("\n\n");
    Some(whole)
}

/// The event that carries a message.
pub fn event(message: &str) -> Bytes {
    let mut event = String::with_capacity(message.len() + 32);
    event.push_str("event: message\n");
    for line in message.lines() {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event.into()
}

/// Where the first event ends: behind its empty line. Notes how far it has looked.
fn end_of_event(bytes: &[u8], searched: &mut (usize, usize)) -> Option<usize> {
    let (mut line, mut at) = *searched;
    while let Some(byte) = bytes.get(at) {
        let end = match (byte, bytes.get(at + 1)) {
            (b'\r', Some(b'\n')) => at + 2,
            // It may be half a line end, which changes nothing where the line is empty.
            (b'\r', None) if at != line => break,
            (b'\n' | b'\r', _) => at + 1,
            _ => {
                at += 1;
                continue;
            }
        };
        if at == line {
            return Some(end);
        }
        (line, at) = (end, end);
    }
    *searched = (line, at);
    None
}

/// A larger event goes by unread.
pub const LARGEST_EVENT: usize = 1024 * 1024;
/// Two line ends of two bytes each, but for the last.
const LONGEST_END: usize = 3;
/// Where a line began that is in part gone: nowhere in what is held.
const BEFORE: usize = usize::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(events: &mut Events) -> Vec<String> {
        std::iter::from_fn(|| events.cut())
            .map(|cut| match cut {
                Cut::Event(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                Cut::Part(bytes) => format!("({})", bytes.len()),
            })
            .collect()
    }

    #[test]
    fn events_come_whole_whatever_ends_their_lines() {
        for end in ["\n", "\r\n", "\r"] {
            let one = format!("event: x{end}data: 1{end}{end}");
            let two = format!(": hi{end}{end}");
            let mut events = Events::default();
            events.push(format!("{one}{two}data: 2{end}").as_bytes());
            assert_eq!(all(&mut events), [one, two], "{end:?}");
            assert_eq!(events.finish(), format!("data: 2{end}"));
        }
    }

    #[test]
    fn an_event_is_not_held_back_for_half_a_line_end() {
        let mut events = Events::default();
        events.push(b"data: 1\r\n\r");
        assert_eq!(all(&mut events), ["data: 1\r\n\r"]);
        events.push(b"\ndata: 2\n\n");
        assert_eq!(all(&mut events), ["(1)", "data: 2\n\n"]);
    }

    #[test]
    fn a_huge_event_goes_by_in_parts() {
        let mut events = Events::default();
        events.push(&vec![b'x'; LARGEST_EVENT + 1]);
        assert_eq!(all(&mut events), [format!("({})", LARGEST_EVENT - 2)]);
        assert!(events.is_passing());
        events.push(b"\n\ndata: 2\n\n");
        assert_eq!(all(&mut events), ["(5)", "data: 2\n\n"]);
        assert!(!events.is_passing());
    }

    #[test]
    fn a_line_end_anywhere_in_a_huge_event_is_not_its_end() {
        for end in ["\n", "\r\n", "\r"] {
            for before in end.len() - 1..6 {
                let mut huge = "x".repeat(LARGEST_EVENT - before) + end;
                huge += &"y".repeat(LARGEST_EVENT + 1 - huge.len());
                let mut events = Events::default();
                events.push(huge.as_bytes());
                assert_eq!(all(&mut events).len(), 1, "{end:?} {before}");
                assert!(events.is_passing(), "{end:?} {before}");
                events.push(b"z\n\n");
                assert_eq!(all(&mut events).len(), 1, "{end:?} {before}");
                assert_eq!(events.finish(), "", "{end:?} {before}");
            }
        }
    }

    #[test]
    fn only_messages_are_messages() {
        for (event, expected) in [
            ("data: {\ndata: }\n\n", Some("{ }")),
            ("event: message\r\ndata:1\r\n\r\n", Some("1")),
            ("event: endpoint\ndata: /x\n\n", None),
            (": comment\n\n", None),
        ] {
            assert_eq!(message(event.as_bytes()).as_deref(), expected, "{event}");
        }
        assert_eq!(message(&event("{}")).as_deref(), Some("{}"));
        let other = with(
            b"event: message\r\ndata: a\r\nid: 1\r\ndata: b\r\n\r\n",
            "c",
        );
        assert_eq!(other.as_deref(), Some("event: message\nid: 1\ndata: c\n\n"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(pieces in proptest::collection::vec("[a:\r\n]{0,6}", 0..12)) {
            let mut events = Events::default();
            let mut seen = Vec::new();
            for piece in &pieces {
                events.push(piece.as_bytes());
                while let Some(Cut::Event(bytes) | Cut::Part(bytes)) = events.cut() {
                    seen.extend_from_slice(&bytes);
                }
            }
            seen.extend_from_slice(&events.finish());
            prop_assert_eq!(String::from_utf8(seen).unwrap(), pieces.concat());
        }
    }
}
