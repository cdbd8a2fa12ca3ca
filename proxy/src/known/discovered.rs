//! The last good answers to `server/discover`.

use crate::mcp::Context;
use crate::mcp::discovery::{CacheScope, Discovery};
use crate::settings::McpLimits;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// The last good answers to `server/discover`: a client that is told nothing falls back to the
/// legacy era for good.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    public: Option<Bytes>,
    private: BTreeMap<Context, Bytes>,
    order: VecDeque<Context>,
}

impl Discovered {
    /// Remembers an answer; whether something was not kept because there is a limit.
    pub(crate) fn remember(
        &mut self,
        context: Context,
        found: &Discovery<'_>,
        limits: &McpLimits,
    ) -> bool {
        if found.result.len() > limits.document {
            return true;
        }
        let result = Bytes::copy_from_slice(found.result.as_bytes());
        // MCP 2026-07-28 "Caching": private answers stay in their authorization context.
        if found.scope == CacheScope::Public {
            self.public = Some(result);
            return false;
        }
        if self.private.insert(context, result).is_none() {
            self.order.push_back(context);
        }
        if self.order.len() <= limits.discoveries {
            return false;
        }
        if let Some(oldest) = self.order.pop_front() {
            self.private.remove(&oldest);
        }
        true
    }

    /// The result for a context, as JSON text.
    pub(crate) fn recall(&self, context: Context) -> Option<Bytes> {
        let private = self.private.get(&context);
        private.or(self.public.as_ref()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, header};

    fn context(token: &str) -> Context {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(token).unwrap());
        Context::of(None, &headers)
    }

    fn found(scope: CacheScope, result: &str) -> Discovery<'_> {
        Discovery {
            versions: Vec::new(),
            scope,
            server: None,
            result,
        }
    }

    #[test]
    fn rule_24_a_private_answer_stays_with_whom_it_was_for() {
        let mut discovered = Discovered::default();
        let (one, two) = (context("one"), context("two"));
        let limits = McpLimits::default();
        discovered.remember(one, &found(CacheScope::Private, "mine"), &limits);
        assert_eq!(discovered.recall(one).as_deref(), Some(&b"mine"[..]));
        assert_eq!(discovered.recall(two), None);
        assert_eq!(discovered.recall(Context::ANONYMOUS), None);
        discovered.remember(two, &found(CacheScope::Public, "ours"), &limits);
        assert_eq!(discovered.recall(one).as_deref(), Some(&b"mine"[..]));
        let anybody = discovered.recall(Context::ANONYMOUS);
        assert_eq!(anybody.as_deref(), Some(&b"ours"[..]));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut discovered = Discovered::default();
        let limits = McpLimits {
            discoveries: 3,
            document: 9,
            ..McpLimits::default()
        };
        let tokens = ["0", "1", "2", "3"];
        let dropped = tokens.iter().filter(|token| {
            let found = found(CacheScope::Private, "x");
            discovered.remember(context(token), &found, &limits)
        });
        assert_eq!(dropped.count(), 1);
        assert_eq!(discovered.recall(context("0")), None);
        assert_eq!(discovered.private.len(), 3);
        let long = found(CacheScope::Public, "0123456789");
        assert!(discovered.remember(context("long"), &long, &limits));
        assert_eq!(discovered.public, None);
    }
}
