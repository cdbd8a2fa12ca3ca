//! The tools a peer has shown, and to whom.

use super::tools::Page;
use crate::mcp::{Context, listing::Listing};
use crate::settings::McpLimits;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The tools a peer has shown, and to whom.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    shown: BTreeMap<Context, Arc<List>>,
    /// Oldest first; the prober's own context is not among them.
    order: VecDeque<Context>,
}

/// A list of tools, as far as it was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    /// Whether each may run twice.
    tools: BTreeMap<Box<str>, bool>,
    sum: u64,
    whole: bool,
}

impl Lists {
    /// Notes a page; whether something was not kept because there is a limit.
    pub(super) fn learn(
        &mut self,
        context: Context,
        (page, listing): (Page, &Listing<'_>),
        limits: &McpLimits,
    ) -> bool {
        let parted = page == Page::Next || listing.next.is_some();
        if context == Context::ANONYMOUS && parted {
            // The prober reads all pages before it tells; the parts that others see add nothing.
            return false;
        }
        let before = self.shown.get(&context).cloned();
        let mut list = match page {
            Page::First => List::default(),
            // A page without the first is no list.
            Page::Next => match &before {
                Some(list) if !list.whole => List::clone(list),
                _ => return false,
            },
        };
        let mut dropped = list.add(listing, limits.tools);
        if context == Context::ANONYMOUS {
            let was = before.and_then(|list| list.digest());
            if list.whole && was.is_some() && list.digest() != was {
                // What others were shown before is as old.
                self.clear();
            }
        } else if !self.shown.contains_key(&context) {
            self.order.push_back(context);
            if self.order.len() > limits.contexts
                && let Some(oldest) = self.order.pop_front()
            {
                self.shown.remove(&oldest);
                dropped = true;
            }
        }
        let probers = self.shown.get(&Context::ANONYMOUS);
        let same = probers.filter(|probers| probers.whole && list.digest() == probers.digest());
        let list = same.cloned().unwrap_or_else(|| Arc::new(list));
        self.shown.insert(context, list);
        dropped
    }

    pub(super) fn of(&self, context: Context) -> Option<Arc<List>> {
        self.shown.get(&context).cloned()
    }

    pub(super) fn contexts(&self) -> Vec<Context> {
        self.shown.keys().copied().collect()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl List {
    fn add(&mut self, listing: &Listing<'_>, most: usize) -> bool {
        let mut dropped = false;
        for tool in &listing.tools {
            // The same whatever the order: replicas of one server may list in another.
            self.sum = self.sum.wrapping_add(lb::hash64(&tool.hash.to_be_bytes()));
            if tool.name.len() > LONGEST_NAME || self.tools.len() >= most {
                dropped = true;
                continue;
            }
            let twice = self.tools.entry((&*tool.name).into());
            // A name that comes twice may run twice only if both say so.
            twice
                .and_modify(|repeatable| *repeatable &= tool.repeatable)
                .or_insert(tool.repeatable);
        }
        self.whole = listing.next.is_none();
        dropped
    }

    /// What tells whole lists apart; none for a part of one.
    pub(crate) fn digest(&self) -> Option<u64> {
        self.whole.then_some(self.sum)
    }

    pub(crate) fn len(&self) -> usize {
        self.tools.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(|name| &**name)
    }

    pub(super) fn repeats(&self, name: &str) -> bool {
        self.tools.get(name) == Some(&true)
    }

    pub(super) fn repeatable(&self) -> impl Iterator<Item = &str> {
        let tools = self.tools.iter();
        tools
            .filter(|(_, repeatable)| **repeatable)
            .map(|(name, _)| &**name)
    }
}

/// MCP 2025-11-25 "Tool Names": 128 characters at most.
const LONGEST_NAME: usize = 512;
