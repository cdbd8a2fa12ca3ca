//! The cryptography, passed on explicitly: rustls 0.24 has no default any more.

use crate::settings::TlsVersion;
use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use std::sync::{Arc, OnceLock};

/// aws-lc-rs: `X25519MLKEM768` comes first among its key exchanges.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

/// The versions from `least` on.
pub(super) fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match least {
        TlsVersion::V1_2 => BOTH,
        TlsVersion::V1_3 => NEWEST,
    }
}

static BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
static NEWEST: &[&SupportedProtocolVersion] = &[&TLS13];

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::NamedGroup;

    #[test]
    fn the_first_key_exchange_is_post_quantum() {
        let groups = &provider().kx_groups;
        assert_eq!(groups[0].name(), NamedGroup::X25519MLKEM768);
        assert_eq!(groups[1].name(), NamedGroup::X25519);
    }
}
