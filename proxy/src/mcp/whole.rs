//! Events that go on whole or not at all.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use super::events::LARGEST_EVENT;

/// Holds back the beginning of an event until its end is there, so that a stream that is cut never
/// stops inside one. A client would see the rest as a broken message: some take it for the answer,
/// some do not survive a second `event` line that takes it back.
#[derive(Debug, Default)]
pub struct Whole {
    held: BytesMut,
    at: At,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
    /// An event too large to hold goes by as it is, up to its end.
    passing: bool,
}

/// Where in the stream it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum At {
    /// Behind an empty line.
    EventEnd,
    InLine,
    #[default]
    LineStart,
}

impl Whole {
    /// The next piece of the stream; what of it can go on.
    pub fn push(&mut self, mut piece: Bytes) -> Bytes {
        let Some(end) = self.last_end(&piece) else {
            self.passing |= self.held.len() + piece.len() > LARGEST_EVENT;
            if self.passing {
                return self.with_held(piece);
            }
            self.held.extend_from_slice(&piece);
            return Bytes::new();
        };
        self.passing = false;
        let rest = piece.split_off(end);
        let whole = self.with_held(piece);
        self.held.extend_from_slice(&rest);
        whole
    }

    /// What is left of a stream that has ended in order.
    pub fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    fn with_held(&mut self, piece: Bytes) -> Bytes {
        if self.held.is_empty() {
            return piece;
        }
        self.held.extend_from_slice(&piece);
        self.finish()
    }

    /// Where in a piece the last event ends: after an empty line, which ends with LF, CR LF or CR
    /// (WHATWG HTML §9.2.5).
    fn last_end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut last = None;
        let mut at = 0;
        while let Some(&first) = piece.get(at) {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                at += 1;
            } else if let Some(length) = memchr2(b'\n', b'\r', &piece[at..]) {
                self.at = match self.at {
                    At::EventEnd | At::LineStart if length == 0 => At::EventEnd,
                    _ => At::LineStart,
                };
                self.after_cr = piece[at + length] == b'\r';
                at += length + 1;
            } else {
                self.at = At::InLine;
                break;
            }
            if self.at == At::EventEnd {
                last = Some(at);
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [&str; 3] = [
        "event: message\ndata: {}\n\n",
        ": comment\n\n",
        "id: 1\ndata\n\n",
    ];

    #[test]
    fn a_stream_stops_only_where_an_event_ends() {
        for ending in ["\n", "\r\n", "\r"] {
            let events = EVENTS.map(|event| event.replace('\n', ending));
            let stream = events.concat();
            let mut ends = vec![0];
            for event in &events {
                ends.push(ends[ends.len() - 1] + event.len());
            }
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let mut whole = Whole::default();
                    let mut out = Vec::new();
                    for piece in [&stream[..first], &stream[first..second], &stream[second..]] {
                        let piece = Bytes::copy_from_slice(piece.as_bytes());
                        out.extend_from_slice(&whole.push(piece));
                        // Between the CR and the LF of its last line an event has ended, too.
                        let early = ending == "\r\n" && ends.contains(&(out.len() + 1));
                        assert!(
                            early || ends.contains(&out.len()),
                            "{ending:?} {first} {second}: {}",
                            out.len()
                        );
                    }
                    assert_eq!(out, stream.as_bytes(), "{ending:?} {first} {second}");
                }
            }
        }
    }

    #[test]
    fn whole_events_are_not_copied() {
        let piece = Bytes::from_static(b"data: 1\n\n");
        assert_eq!(
            Whole::default().push(piece.clone()).as_ptr(),
            piece.as_ptr()
        );
    }

    #[test]
    fn an_event_too_large_to_hold_goes_by() {
        let mut whole = Whole::default();
        let line = Bytes::from(vec![b'x'; LARGEST_EVENT]);
        assert!(whole.push(line.clone()).is_empty());
        assert_eq!(whole.push(line.clone()).len(), 2 * LARGEST_EVENT);
        assert_eq!(whole.push(line).len(), LARGEST_EVENT);
        assert_eq!(whole.push(Bytes::from_static(b"\n\nx")), "\n\n");
        assert_eq!(whole.finish(), "x");
    }
}
