//! The metrics, as `OpenMetrics` text. Everything is read from the counters of the proxy at the
//! moment of the scrape; nothing here is touched by a request.

mod family;
mod group;
mod mcp;
mod peer;
mod process;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use super::observed::Observed;

/// All metrics as text.
///
/// # Errors
/// Never: text can always be written into memory.
pub(super) fn render(observed: &Observed) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(observed.clone())));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// One scrape.
#[derive(Debug)]
struct Scrape(Observed);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.0.clock.now();
        process::encode(&mut encoder, &self.0)?;
        let groups = self.0.gateway.groups();
        let views: Vec<_> = groups.iter().map(|group| group.lb.view(now)).collect();
        group::encode(&mut encoder, &groups, &views, now)?;
        // A name that is there again speaks for itself: two samples of one name are an error.
        let departed = self.0.gateway.departed().into_iter().filter(|gone| {
            let (name, peer) = (gone.group.name(), gone.group.peer_name(gone.peer));
            let mut groups = groups.iter();
            !groups.any(|group| group.name() == name && group.find(peer).is_some())
        });
        let departed = departed.filter_map(|gone| Some((gone.view(now)?, gone)));
        let departed: Vec<_> = departed.collect();
        peer::encode(&mut encoder, &groups, &views, &departed)
    }
}

/// What the text is (`OpenMetrics` 1.0).
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
