//! The frames a client sends, counted below hyper: it neither bounds nor shows those that carry
//! nothing, nor says that a head is taking its time.

use super::activity::Activity;
use super::sniff::PREFACE;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose incoming HTTP/2 frames are counted.
#[derive(Debug)]
pub(super) struct Framed<S> {
    stream: S,
    frames: Frames,
    activity: Arc<Activity>,
}

impl<S> Framed<S> {
    pub(super) fn new(stream: S, activity: &Arc<Activity>) -> Self {
        activity.in_head(true);
        Self {
            stream,
            frames: Frames::default(),
            activity: Arc::clone(activity),
        }
    }
}

/// Where in the bytes of a client we are.
#[derive(Debug)]
struct Frames {
    /// What is left of the preface, or of a payload.
    skip: usize,
    header: [u8; HEADER],
    /// Bytes of the next frame's header that have come.
    have: usize,
    head: Head,
}

/// The head of a request: HEADERS, then CONTINUATION up to the last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Head {
    /// The preface comes first, and has as long.
    Preface,
    None,
    /// Its frames go on.
    Open,
    /// It ends with the payload of this frame.
    Ending,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            skip: PREFACE.len(),
            header: [0; HEADER],
            have: 0,
            head: Head::Preface,
        }
    }
}

impl Frames {
    fn read(&mut self, mut bytes: &[u8], activity: &Activity) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let some = self.skip.min(bytes.len());
                self.skip -= some;
                bytes = &bytes[some..];
            } else {
                let some = (HEADER - self.have).min(bytes.len());
                let (now, rest) = bytes.split_at(some);
                self.header[self.have..self.have + some].copy_from_slice(now);
                self.have += some;
                bytes = rest;
                if self.have < HEADER {
                    continue;
                }
                self.have = 0;
                self.begin(activity);
            }
            if self.skip == 0 {
                match self.head {
                    Head::None | Head::Open => {}
                    Head::Preface => self.head = Head::None,
                    Head::Ending => {
                        self.head = Head::None;
                        activity.head_ended();
                    }
                }
            }
        }
        activity.in_head(self.head != Head::None);
    }

    /// A frame begins (RFC 9113 §4.1).
    fn begin(&mut self, activity: &Activity) {
        let [a, b, c, kind, flags, ..] = self.header;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            HEADERS | CONTINUATION if flags & END_HEADERS != 0 => self.head = Head::Ending,
            HEADERS | CONTINUATION => self.head = Head::Open,
            DATA | WINDOW_UPDATE => {}
            _ => activity.control_frame(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Some(read) = buf.filled().get(before..) {
            this.frames.read(read, &this.activity);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Length, type, flags and stream of a frame.
const HEADER: usize = 9;
// RFC 9113 §6 and §11.2.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u8::try_from(payload).unwrap();
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.resize(HEADER + payload, 0xff);
        frame
    }

    #[test]
    fn frames_are_counted_wherever_they_are_cut() {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(4, 0, 12)); // SETTINGS
        bytes.extend(frame(HEADERS, 0, 30));
        bytes.extend(frame(CONTINUATION, END_HEADERS, 20));
        bytes.extend(frame(DATA, 1, 100));
        bytes.extend(frame(HEADERS, END_HEADERS, 0));
        bytes.extend(frame(6, 0, 8)); // PING
        bytes.extend(frame(WINDOW_UPDATE, 0, 4));
        bytes.extend(frame(2, 0, 5)); // PRIORITY
        bytes.extend(frame(3, 0, 4)); // RST_STREAM
        bytes.extend(frame(0x5a, 0, 0)); // unknown
        for size in [1, 2, 7, 9, 64, bytes.len()] {
            let activity = Activity::default();
            let mut frames = Frames::default();
            for piece in bytes.chunks(size) {
                frames.read(piece, &activity);
            }
            assert_eq!((activity.control_frames(), activity.heads()), (5, 2));
            assert!(!activity.is_in_head(), "{size}");
        }
    }

    #[test]
    fn a_head_lasts_until_the_payload_of_its_last_frame() {
        let activity = Activity::default();
        let mut frames = Frames::default();
        frames.read(PREFACE, &activity);
        let first = frame(HEADERS, 0, 10);
        let last = frame(CONTINUATION, END_HEADERS, 10);
        for (bytes, in_head) in [
            (&first[..9], true),
            (&first[9..], true),
            (&last[..18], true),
            (&last[18..], false),
        ] {
            frames.read(bytes, &activity);
            assert_eq!(activity.is_in_head(), in_head);
        }
    }
}
