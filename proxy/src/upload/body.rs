//! The body of one attempt.

use super::{Source, Upload};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body of one attempt: what was kept, then what still comes.
#[derive(Debug)]
pub(crate) struct UploadBody {
    pub(super) upload: Upload,
    pub(super) next: usize,
    pub(super) trailers_sent: bool,
}

/// The client did not send its whole body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadError;

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client did not send its whole body")
    }
}

impl std::error::Error for UploadError {}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = &mut *self;
        let Some(state) = &this.upload.0 else {
            return Poll::Ready(None);
        };
        let mut state = state.borrow_mut();
        if let Some(kept) = state.kept.get(this.next) {
            this.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(kept.clone()))));
        }
        if let Some(spilled) = state.spilled.take() {
            return Poll::Ready(Some(Ok(Frame::data(spilled))));
        }
        if state.ended {
            if this.trailers_sent {
                return Poll::Ready(None);
            }
            this.trailers_sent = true;
            return Poll::Ready(
                state
                    .trailers
                    .clone()
                    .map(|trailers| Ok(Frame::trailers(trailers))),
            );
        }
        let next = ready!(state.poll_more(cx));
        this.next = state.kept.len();
        if let Some(Ok(frame)) = &next {
            this.trailers_sent |= frame.is_trailers();
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        let Some(state) = &self.upload.0 else {
            return true;
        };
        let state = state.borrow();
        let trailers = state.trailers.is_some() && !self.trailers_sent;
        state.ended && self.next >= state.kept.len() && state.spilled.is_none() && !trailers
    }

    fn size_hint(&self) -> SizeHint {
        let Some(state) = &self.upload.0 else {
            return SizeHint::with_exact(0);
        };
        let state = state.borrow();
        let kept = state.kept.iter().skip(self.next).chain(&state.spilled);
        let kept: usize = kept.map(Bytes::len).sum();
        match &state.source {
            Source::Done => SizeHint::with_exact(kept as u64),
            Source::Client(incoming) => match incoming.size_hint().exact() {
                Some(rest) => SizeHint::with_exact(rest + kept as u64),
                None => SizeHint::default(),
            },
        }
    }
}
