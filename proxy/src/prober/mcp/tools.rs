//! The tools a peer shows the prober.

use super::{Probe, ProbeSession, Verdict, Way, request};
use crate::hooks::Hooks;
use crate::known::Page;
use crate::mcp::Context;
use crate::mcp::listing::{Listing, Tool};
use crate::network::Network;
use crate::prober::Failed;
use std::borrow::Cow;
use std::time::Duration;

impl<N: Network, H: Hooks> Probe<'_, N, H> {
    /// Reads the tools, if it is time to: at first, when they have changed, and now and then.
    ///
    /// # Errors
    /// No answer. A peer that shows the prober no tools is none the worse for it.
    pub(in crate::prober) async fn tools(&self, session: &mut ProbeSession) -> Result<(), Failed> {
        let now = self.thread.clock.now();
        let changed = self.peer().known.take_tools_changed();
        let due = session.listed.is_none_or(|listed| now >= listed + EVERY);
        if matches!(session.way, Way::Learn) || !(due || changed) {
            return Ok(());
        }
        session.listed = Some(now);
        let mut all: Vec<Tool<'static>> = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let held = match &session.way {
                Way::Ping(held) => Some(held),
                Way::Discover | Way::Learn => None,
            };
            let request = request::tools(self.path, held, cursor.as_deref())?;
            let response = self.ask(request).await?;
            let Verdict::Result(text) = Verdict::of(&response) else {
                return Ok(());
            };
            let Some(page) = Listing::peek(&text) else {
                return Ok(());
            };
            all.extend(page.tools.into_iter().map(|tool| Tool {
                name: Cow::Owned(tool.name.into_owned()),
                ..tool
            }));
            if let Some(next) = page.next {
                cursor = Some(next.into_owned());
                continue;
            }
            let listing = Listing {
                tools: all,
                next: None,
            };
            let page = (Page::First, &listing);
            self.group.learn_tools(self.index, Context::ANONYMOUS, page);
            return Ok(());
        }
        Ok(())
    }
}

/// Long enough to cost nothing, short enough to notice a deployment (the protocol has
/// notifications for what must be known at once).
const EVERY: Duration = Duration::from_secs(60);
/// A list of more pages is not read.
const MOST_PAGES: usize = 16;
