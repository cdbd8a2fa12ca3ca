//! `upgrades`.

use std::sync::Arc;

use proxy::settings::{NoUpgrade, UpgradeProtocol};

use crate::finding::{Finding, Findings};
use crate::problem::Code;

/// The protocols that clients may switch to; what is none is reported, and left out.
pub(super) fn upgrades(names: &[String], at: &str, found: &mut Findings) -> Arc<[UpgradeProtocol]> {
    let mut protocols = Vec::new();
    for (i, name) in names.iter().enumerate() {
        match UpgradeProtocol::new(name) {
            Ok(protocol) => protocols.push(protocol),
            Err(why) => {
                let path = format!("{at}.upgrades[{i}]");
                let finding = Finding::new(Code::BadValue, &path, why.to_string());
                found.add(finding.label(match why {
                    NoUpgrade::Http => "cannot be allowed",
                    NoUpgrade::Malformed => "expected a name, as in `websocket` or `irc/6.9`",
                }));
            }
        }
    }
    protocols.into()
}
