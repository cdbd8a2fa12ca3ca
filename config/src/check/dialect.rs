//! Files of other proxies that will load as they stand one day.

use crate::finding::Finding;
use crate::problem::Code;
use crate::tree::{Node, Plain};

/// One clear problem instead of a hundred unknown keys.
pub(crate) fn dialect(tree: &Node) -> Option<Finding> {
    let Node::Mapping(entries) = tree else {
        return None;
    };
    entries.iter().find_map(|(key, _)| {
        let Node::Scalar(scalar) = key else {
            return None;
        };
        let Plain::Text(key) = &scalar.value else {
            return None;
        };
        let (_, dialect) = KEYS.iter().find(|(known, _)| known == key)?;
        let message = format!("the dialect `{dialect}` is not supported yet");
        let finding = Finding::new(Code::NotAvailable, key, message).at(Some(scalar.mark()));
        let finding = finding.label(format!("`{key}` is a key of {dialect}"));
        Some(finding.help("write the servers as `groups: [{peers: [{url: …}]}]`"))
    })
}

const KEYS: &[(&str, &str)] = &[
    ("dns_backends", "LEBA"),
    ("failover_groups", "LEBA"),
    ("mcp_servers", "mcp-hangar"),
    ("providers", "mcp-hangar"),
];
