//! What a peer knows us by.

use http::{HeaderName, HeaderValue, header};
use std::fmt;

/// The field that a peer knows us by; it takes the place of the client's `Authorization`.
///
/// Its value is in no `Debug`, no log and no error.
#[derive(Clone, Eq, PartialEq)]
pub struct Credential {
    name: HeaderName,
    value: HeaderValue,
}

impl Credential {
    /// A field and its value.
    pub fn new(name: HeaderName, mut value: HeaderValue) -> Self {
        // Its own Debug hides it, and HTTP/2 never puts it into a table (RFC 7541 §7.1.3).
        value.set_sensitive(true);
        Self { name, value }
    }

    /// A value of `Authorization`.
    pub fn authorization(value: HeaderValue) -> Self {
        Self::new(header::AUTHORIZATION, value)
    }

    /// The field.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// Its value.
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Group;
    use crate::settings::{GroupSettings, PeerSettings, Settings};

    #[test]
    fn a_credential_is_in_no_debug() {
        let secret = |text| Credential::authorization(HeaderValue::from_static(text));
        let mut peer = PeerSettings::at("a", "10.0.0.1:80".parse().unwrap());
        peer.credential = Some(secret("Bearer s3cret-of-a-peer"));
        let mut group = GroupSettings::new("g", vec![peer]);
        group.credential = Some(secret("Bearer s3cret-of-a-group"));
        let built = Group::new(group.clone()).unwrap();
        let settings = Settings {
            groups: vec![group],
            ..Settings::default()
        };
        for text in [
            format!("{settings:?}"),
            format!("{settings:#?}"),
            format!("{built:?}"),
            format!("{:?}", built.peers[0].credential),
        ] {
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}
