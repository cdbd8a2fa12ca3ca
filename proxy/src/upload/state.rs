//! What is known of a body while it comes.

use super::{ReplayTotal, UploadError, UploadWatch};
use crate::trailers;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pub(super) struct State {
    pub(super) source: Source,
    /// What was read, while it may be sent again.
    pub(super) kept: Vec<Bytes>,
    pub(super) kept_bytes: usize,
    /// Read to look at it, and too much to keep: the next attempt sends it after what was kept.
    pub(super) spilled: Option<Bytes>,
    /// Bytes taken from the client.
    pub(super) read: u64,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) replayable: bool,
    pub(super) ended: bool,
    pub(super) failed: Option<Failure>,
    /// Bytes that may come, in all.
    pub(super) most: Option<u64>,
    pub(super) limit: usize,
    pub(super) total: Arc<ReplayTotal>,
    pub(super) watch: Arc<UploadWatch>,
}

/// Why no more of a body is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// The client did not send it, or not in time.
    Client,
    /// It is longer than it may be.
    Over,
}

pub(super) enum Source {
    /// hyper's server side.
    Client(Incoming),
    /// Nothing more to read.
    Done,
}

impl State {
    /// Reads one more piece from the client; what comes is kept if it may be.
    pub(super) fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        if self.watch.is_late() {
            self.failed.get_or_insert(Failure::Client);
        }
        self.watch.waits(cx.waker());
        if self.failed.is_some() {
            return Poll::Ready(Some(Err(UploadError)));
        }
        let Source::Client(incoming) = &mut self.source else {
            return Poll::Ready(None);
        };
        let Poll::Ready(next) = Pin::new(&mut *incoming).poll_frame(cx) else {
            self.watch.asked(None);
            return Poll::Pending;
        };
        let Some(next) = next else {
            self.end();
            return Poll::Ready(None);
        };
        let Ok(mut frame) = next else {
            self.failed = Some(Failure::Client);
            return Poll::Ready(Some(Err(UploadError)));
        };
        let last = incoming.is_end_stream();
        if let Some(data) = frame.data_ref() {
            self.watch.asked(Some(data.len()));
            self.read += data.len() as u64;
            if self.most.is_some_and(|most| self.read > most) {
                self.failed = Some(Failure::Over);
                return Poll::Ready(Some(Err(UploadError)));
            }
            self.keep(data);
        } else if let Some(trailers) = frame.trailers_mut() {
            trailers::strip(trailers);
            self.trailers = Some(trailers.clone());
            // Nothing follows them, and hyper's client does not ask again.
            self.end();
        }
        if last {
            self.end();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn keep(&mut self, data: &Bytes) {
        if !self.replayable {
            return;
        }
        // A piece costs more than its bytes: a body in tiny chunks must not get round the caps.
        let cost = data.len() + size_of::<Bytes>();
        let pieces = (self.kept.len() + 1) * size_of::<Bytes>();
        let fits = self.kept_bytes + data.len() <= self.limit && pieces <= self.limit.max(PIECES);
        if fits && self.total.take(cost) {
            self.kept_bytes += data.len();
            self.kept.push(data.clone());
        } else {
            // Over a cap: the body is still sent, but once.
            self.replayable = false;
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.source = Source::Done;
        self.watch.end();
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.total
            .give(self.kept_bytes + self.kept.len() * size_of::<Bytes>());
        self.watch.end();
    }
}

/// Pieces of a small body are kept up to this overhead, whatever its cap.
const PIECES: usize = 8 * 1024;
