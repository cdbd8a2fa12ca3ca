//! Whom an answer of ours is for.

use super::{Id, Kind, Message, Method};

/// What a client sent, as far as an answer of ours depends on it. Owns its ids, so that it
/// outlives the body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Asked {
    /// Several requests in one body.
    Batch(Vec<Id<'static>>),
    /// The end of an MCP session.
    End,
    /// Messages that nobody misses when the MCP session they belong to is gone: responses,
    /// progress, cancellations (rule 12).
    Moot,
    /// A message without an answer.
    Notification,
    /// Neither a message nor a stream.
    Other,
    /// One request.
    Request(Id<'static>),
    /// An event stream.
    Stream,
    /// Messages that were not read, or that have no usable id.
    Unread,
}

impl Asked {
    /// What a request asked for; `message` is its body, if it was read.
    pub fn of(kind: Kind, message: Option<&Message<'_>>) -> Self {
        match kind {
            Kind::End => Self::End,
            Kind::Other => Self::Other,
            Kind::Stream => Self::Stream,
            Kind::Message => message.map_or(Self::Unread, Self::of_message),
        }
    }

    fn of_message(message: &Message<'_>) -> Self {
        match message {
            Message::Batch(parts) => Self::of_batch(parts),
            Message::Invalid => Self::Unread,
            Message::Notification {
                method: Method::NotificationCancelled | Method::NotificationProgress,
                ..
            }
            | Message::Response { .. } => Self::Moot,
            Message::Notification { .. } => Self::Notification,
            Message::Request(request) => Self::Request(request.id.clone().into_owned()),
        }
    }

    fn of_batch(parts: &[Message<'_>]) -> Self {
        let mut ids = Vec::new();
        let mut rest = Self::Moot;
        for part in parts {
            match Self::of_message(part) {
                Self::Request(id) => ids.push(id),
                Self::Moot => {}
                other => rest = other,
            }
        }
        if ids.is_empty() {
            rest
        } else {
            Self::Batch(ids)
        }
    }

    /// The requests that wait for an answer.
    pub fn ids(&self) -> &[Id<'static>] {
        match self {
            Self::Batch(ids) => ids,
            Self::Request(id) => std::slice::from_ref(id),
            Self::End
            | Self::Moot
            | Self::Notification
            | Self::Other
            | Self::Stream
            | Self::Unread => &[],
        }
    }
}
