//! Watching lists of tools go by.

use super::ctx::Ctx;
use crate::group::Group;
use crate::hooks::{Attempt, Prefix, ResponseAction, Stop, Transform};
use crate::known::Page;
use crate::mcp::answer;
use crate::mcp::listing::Listing;
use crate::mcp::{Context, Message, Method, Tie};
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, StatusCode, header};
use lb::PeerIndex;
use std::fmt;
use std::sync::Arc;

/// Watches an answer to `tools/list` go by, and learns from it what its caller was shown. The
/// answer itself goes on as it is, or as `rest` changes it.
pub(super) fn watch(
    attempt: &Attempt<'_>,
    head: &Parts,
    prefix: &Prefix<'_>,
    ctx: &Ctx,
    rest: ResponseAction,
) -> ResponseAction {
    let Some(mut tap) = tap(attempt, head, ctx) else {
        return rest;
    };
    match rest {
        ResponseAction::Forward => ResponseAction::Transform(Box::new(tap)),
        ResponseAction::Transform(inner) => ResponseAction::Transform(Box::new(Tap {
            inner: Some(inner),
            ..tap
        })),
        ResponseAction::Replace(reply) => {
            // It is whole, and goes out in other words.
            let (seen, _) = prefix
                .bytes
                .split_at(prefix.bytes.len().min(tap.most() + 1));
            tap.seen = seen.to_vec();
            tap.learn();
            ResponseAction::Replace(reply)
        }
        other => other,
    }
}

fn tap(attempt: &Attempt<'_>, head: &Parts, ctx: &Ctx) -> Option<Tap> {
    let mcp = ctx.mcp.as_deref()?;
    let lists = mcp.facts.method == Some(Method::ToolsList) && head.status == StatusCode::OK;
    // What is compressed cannot be read.
    if !lists || head.headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let Message::Request(request) = Message::peek(mcp.body.as_deref()?) else {
        return None;
    };
    let mut kind = HeaderMap::with_capacity(1);
    kind.insert(
        header::CONTENT_TYPE,
        head.headers.get(header::CONTENT_TYPE)?.clone(),
    );
    Some(Tap {
        group: Arc::clone(ctx.group.as_ref()?),
        peer: attempt.peer,
        context: mcp.context(attempt.session),
        page: match request.tie {
            Some(Tie::Cursor) => Page::Next,
            _ => Page::First,
        },
        kind,
        length: length(head),
        seen: Vec::new(),
        passed: 0,
        inner: None,
    })
}

struct Tap {
    group: Arc<Group>,
    peer: PeerIndex,
    context: Context,
    page: Page,
    /// The type of what goes by.
    kind: HeaderMap,
    /// How long it is, if that was announced.
    length: Option<u64>,
    seen: Vec<u8>,
    passed: u64,
    inner: Option<Box<dyn Transform>>,
}

impl Transform for Tap {
    fn data(&mut self, piece: Bytes) -> Bytes {
        // One byte more than is looked at: then it is known to be too long.
        let room = (self.most() + 1).saturating_sub(self.seen.len());
        self.seen
            .extend_from_slice(piece.split_at(room.min(piece.len())).0);
        self.passed = self.passed.saturating_add(piece.len() as u64);
        if Some(self.passed) == self.length {
            // Nobody asks for more when all that was announced has gone by.
            self.learn();
        }
        match &mut self.inner {
            Some(inner) => inner.data(piece),
            None => piece,
        }
    }

    fn keeps_length(&self) -> bool {
        self.inner.is_none()
    }

    fn goes_on(&self, stop: Stop) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.goes_on(stop))
    }

    fn end(&mut self) -> Option<Bytes> {
        if self.length != Some(self.passed) {
            self.learn();
        }
        self.inner.as_mut()?.end()
    }

    fn cut(&mut self) -> Option<Bytes> {
        self.inner.as_mut()?.cut()
    }
}

impl Tap {
    /// How much of a page is read.
    fn most(&self) -> usize {
        self.group.settings.mcp_limits.list
    }

    fn learn(&self) {
        if self.seen.len() > self.most() {
            self.group.metrics.tools_dropped.increment();
        } else if let Some(text) = answer::response(&self.kind, &self.seen)
            && let Some(listing) = Listing::peek(&text)
        {
            let page = (self.page, &listing);
            self.group.learn_tools(self.peer, self.context, page);
        }
    }
}

fn length(head: &Parts) -> Option<u64> {
    let length = head.headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("page", &self.page)
            .finish_non_exhaustive()
    }
}
