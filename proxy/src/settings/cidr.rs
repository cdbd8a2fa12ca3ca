//! A block of addresses.

use std::net::IpAddr;

/// A block of addresses: a prefix and how many of its bits count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    prefix: IpAddr,
    bits: u8,
}

impl Cidr {
    /// The block of all addresses whose first `bits` bits are those of `prefix`; none if there
    /// are more bits than the address has.
    pub fn new(prefix: IpAddr, bits: u8) -> Option<Self> {
        let most = if prefix.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { prefix, bits })
    }

    /// Whether an address is in it; an IPv4 address in IPv6 clothes counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.prefix, address.to_canonical()) {
            (IpAddr::V4(prefix), IpAddr::V4(address)) => {
                let differ = u32::from(prefix) ^ u32::from(address);
                u32::from(self.bits) <= differ.leading_zeros()
            }
            (IpAddr::V6(prefix), IpAddr::V6(address)) => {
                let differ = u128::from(prefix) ^ u128::from(address);
                u32::from(self.bits) <= differ.leading_zeros()
            }
            _ => false,
        }
    }
}
