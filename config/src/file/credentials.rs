//! `credentials`.

use schemars::JsonSchema;
use serde::Deserialize;

/// What the peers know us by, in place of the client's `Authorization`. One of the three.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// The token of `Authorization: Bearer`, or the file that holds it.
    pub(crate) bearer: Option<Secret>,
    /// The user and password of `Authorization: Basic`.
    pub(crate) basic: Option<Basic>,
    /// A header of another name.
    pub(crate) header: Option<HeaderCredential>,
}

/// The user and password of `Authorization: Basic`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basic {
    /// The user; without `:`.
    #[schemars(required)]
    pub(crate) user: Option<String>,
    /// The password, or the file that holds it.
    #[schemars(required)]
    pub(crate) password: Option<Secret>,
}

/// A header of another name.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderCredential {
    /// The name of the header, as in `x-api-key`.
    #[schemars(required)]
    pub(crate) name: Option<String>,
    /// Its value, or the file that holds it.
    #[schemars(required)]
    pub(crate) value: Option<Secret>,
}

/// A secret, or the file that holds it.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum Secret {
    Text(String),
    File(SecretFile),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text"),
            Self::File(file) => file.fmt(f),
        }
    }
}

/// A file that holds a secret.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretFile {
    /// A file of at most 64 KiB whose text, without the end of its last line, is the secret. Read
    /// when the configuration is loaded.
    #[schemars(required)]
    pub(crate) file: Option<String>,
}
