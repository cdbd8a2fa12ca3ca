//! `listeners[].tls` and `groups[].tls`.

use schemars::JsonSchema;
use serde::Deserialize;

/// HTTPS. Files are PEM; a path that is not absolute begins at the folder of this file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerTls {
    /// Certificates and their keys. A client gets the one for the name it asks for (SNI), exact
    /// before wildcard, else the first.
    #[schemars(required, length(min = 1, max = 10_000))]
    pub(crate) certs: Option<Vec<CertFiles>>,
    /// The oldest version that is served: `tls1.2` or `tls1.3`. Default: `tls1.2`.
    pub(crate) min_version: Option<TlsVersion>,
    /// The authorities of client certificates.
    pub(crate) client_ca: Option<String>,
    /// Whether clients present certificates: `none` (they are not asked), `optional` (a certificate
    /// must be good, but none will do) or `required`. Default: `required` with `client_ca`, else
    /// `none`.
    pub(crate) client_auth: Option<ClientAuth>,
    /// Tell peers the certificate of the client, in `Client-Cert` (RFC 9440). What clients send
    /// under that name is removed either way. Default: false.
    pub(crate) forward_client_cert: Option<bool>,
    /// The protocols that are offered, the best first: `h2` and `http/1.1`. Default: both, in this
    /// order.
    #[schemars(length(min = 1, max = 2))]
    pub(crate) alpn: Option<Vec<Alpn>>,
}

/// A certificate and its key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertFiles {
    /// The certificate, followed by those between it and its authority.
    #[schemars(required)]
    pub(crate) cert: Option<String>,
    /// Its private key, unencrypted.
    #[schemars(required)]
    pub(crate) key: Option<String>,
}

/// TLS towards the peers whose URL is `https://`. Files are PEM; a path that is not absolute begins
/// at the folder of this file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupTls {
    /// Whether the certificates of the peers are verified. Default: true.
    pub(crate) verify: Option<bool>,
    /// The authorities they are verified by. Default: those of the system.
    pub(crate) ca: Option<String>,
    /// The name that peers are asked for (SNI) and verified by; `Host` is not affected. Default:
    /// the host of each peer's URL.
    pub(crate) server_name: Option<String>,
    /// The certificate that peers see, followed by those between it and its authority.
    pub(crate) cert: Option<String>,
    /// Its private key, unencrypted.
    pub(crate) key: Option<String>,
    /// The oldest version that is spoken: `tls1.2` or `tls1.3`. Default: `tls1.2`.
    pub(crate) min_version: Option<TlsVersion>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum TlsVersion {
    #[serde(rename = "tls1.2")]
    V1_2,
    #[serde(rename = "tls1.3")]
    V1_3,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuth {
    None,
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum Alpn {
    #[serde(rename = "h2")]
    H2,
    #[serde(rename = "http/1.1")]
    Http1,
}
