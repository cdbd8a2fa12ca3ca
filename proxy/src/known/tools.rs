//! Which tools may run twice, as the peers of a group say.

use super::Known;
use super::lists::List;
use crate::mcp::{Context, listing::Listing};
use crate::settings::McpLimits;
use arc_swap::ArcSwap;
use lb::PeerIndex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Which tools may run twice, as the peers of a group say: a tool counts only if all of them agree
/// for the context that calls it, and a peer that has not shown it to that context does not agree.
#[derive(Debug)]
pub(crate) struct Tools {
    known: Box<[Arc<Known>]>,
    limits: McpLimits,
    /// What a request looks up.
    agreed: ArcSwap<BTreeMap<Context, Names>>,
    /// Held while that is worked out anew.
    learning: Mutex<()>,
    differ: AtomicBool,
}

type Names = Arc<BTreeSet<Box<str>>>;

/// Whether a page of a list is its first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Page {
    First,
    Next,
}

/// What a page has changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Learned {
    /// Something was not kept, because there is a limit.
    pub(crate) dropped: bool,
    /// Whether the peers show different tools, if that is news.
    pub(crate) differ: Option<bool>,
}

impl Tools {
    pub(crate) fn new(known: Box<[Arc<Known>]>, limits: McpLimits) -> Self {
        let tools = Self {
            known,
            limits,
            agreed: ArcSwap::default(),
            learning: Mutex::new(()),
            differ: AtomicBool::new(false),
        };
        tools.work_out_all();
        tools
    }

    /// Whether all peers say that the tool may run twice.
    pub(crate) fn agree(&self, context: Context, tool: &str) -> bool {
        let agreed = self.agreed.load();
        agreed
            .get(&context)
            .is_some_and(|names| names.contains(tool))
    }

    /// Whether the peers show the prober different tools.
    pub(crate) fn differ(&self) -> bool {
        self.differ.load(Ordering::Relaxed)
    }

    /// A peer has shown a page of its tools.
    pub(crate) fn learn(
        &self,
        peer: PeerIndex,
        context: Context,
        (page, listing): (Page, &Listing<'_>),
    ) -> Learned {
        let Some(known) = self.known.get(usize::from(peer.0)) else {
            return Learned::default();
        };
        // The lock guards no data; the order of two calls is all it is for.
        let learning = self.learning.lock();
        let _learning = learning.unwrap_or_else(PoisonError::into_inner);
        let dropped = known.lists().learn(context, (page, listing), &self.limits);
        if context != Context::ANONYMOUS {
            let names = self.work_out(context);
            self.agreed.rcu(|agreed| {
                let mut agreed = BTreeMap::clone(agreed);
                agreed.insert(context, Arc::clone(&names));
                while agreed.len() > self.most_contexts() {
                    agreed.pop_first();
                }
                agreed
            });
            return Learned {
                dropped,
                differ: None,
            };
        }
        self.work_out_all();
        let digests: BTreeSet<u64> = self.digests().into_iter().flatten().collect();
        let differ = digests.len() > 1;
        let was = self.differ.swap(differ, Ordering::Relaxed);
        Learned {
            dropped,
            differ: (was != differ).then_some(differ),
        }
    }

    /// A peer has started over, or says that its tools have changed: what it said is void.
    pub(crate) fn forget(&self, peer: PeerIndex) {
        if let Some(known) = self.known.get(usize::from(peer.0)) {
            let learning = self.learning.lock();
            let _learning = learning.unwrap_or_else(PoisonError::into_inner);
            known.lists().clear();
            self.work_out_all();
        }
    }

    /// What tells the lists apart that the prober was shown.
    fn digests(&self) -> Vec<Option<u64>> {
        let known = self.known.iter();
        known.map(|known| known.tools_digest()).collect()
    }

    /// Contexts for which it is known what all peers agree on; the others get nothing repeated. The
    /// peers need not remember the same ones.
    fn most_contexts(&self) -> usize {
        self.limits.contexts.saturating_mul(2)
    }

    fn work_out_all(&self) {
        let contexts: BTreeSet<Context> = self
            .known
            .iter()
            .flat_map(|known| known.lists().contexts())
            .collect();
        let agreed = contexts.into_iter().take(self.most_contexts());
        let agreed = agreed.map(|context| (context, self.work_out(context)));
        self.agreed.store(Arc::new(agreed.collect()));
    }

    /// What all peers agree on for a context.
    fn work_out(&self, context: Context) -> Names {
        let lists: Vec<Shown> = self
            .known
            .iter()
            .map(|known| {
                let lists = known.lists();
                Shown {
                    own: lists.of(context),
                    probers: lists.of(Context::ANONYMOUS),
                }
            })
            .collect();
        // Whoever was shown on each peer what the prober was shown there would be shown on the
        // others what the prober was shown there too.
        let mut shown = lists.iter().filter(|one| one.own.is_some()).peekable();
        let like_prober = shown.peek().is_some()
            && shown.all(|one| match (&one.own, &one.probers) {
                (Some(own), Some(probers)) => {
                    own.digest().is_some() && own.digest() == probers.digest()
                }
                _ => false,
            });
        let word = |one: &Shown| {
            let probers = one.probers.clone().filter(|_| like_prober);
            one.own.clone().or(probers)
        };
        let Some(words) = lists.iter().map(word).collect::<Option<Vec<_>>>() else {
            return Names::default();
        };
        let Some((first, others)) = words.split_first() else {
            return Names::default();
        };
        let names = first.repeatable();
        let agreed = names.filter(|name| others.iter().all(|other| other.repeats(name)));
        Arc::new(agreed.map(Into::into).collect())
    }
}

/// What one peer has shown.
struct Shown {
    own: Option<Arc<List>>,
    probers: Option<Arc<List>>,
}
