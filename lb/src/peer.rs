//! One upstream endpoint, as the decisions see it.

/// One upstream endpoint: what selection knows of it. Immutable; its state lives in the group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Unique within its group. Consistent hashing and state carried over a reload use the name,
    /// never the address.
    pub name: String,
    /// 1 is preferred; peers of equal priority form one tier.
    pub priority: u32,
    /// Share of the traffic inside a tier, 0 to 65535; 0 takes no new traffic.
    pub weight: u16,
    /// Where it is, for region order inside a tier.
    pub region: Option<String>,
}

impl Peer {
    /// A peer of priority 1 and weight 1, of no region.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            priority: 1,
            weight: 1,
            region: None,
        }
    }
}

/// Position of a peer in its group, in the order of the configuration. Below 65536.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerIndex(pub u16);
