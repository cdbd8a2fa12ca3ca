//! `listeners` and `admin`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::ListenerTls;

/// One listening address.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    /// Address and port, as in `127.0.0.1:8080`, `0.0.0.0:80` or `[::1]:8080`. Port 0 takes a free
    /// one, and the log says which. Or a socket in the file system, as in
    /// `unix:/run/backstay/http.sock`; one that a dead process left there is replaced.
    #[schemars(required)]
    pub(crate) listen: Option<String>,
    /// Who may connect to a socket in the file system: the permissions of its file as chmod has
    /// them, quoted, as in `"0666"`. Default: "0660", its owner and its group.
    pub(crate) mode: Option<String>,
    /// Names under which MCP clients may reach a loopback listener, or one in the file system, besides the loopback names and
    /// the hosts of the routes (protection against DNS rebinding). Default: none.
    pub(crate) hosts: Option<Vec<String>>,
    /// Serve clients that close their sending half after the request; a client that left is then
    /// noticed late. Default: false.
    pub(crate) half_close: Option<bool>,
    /// HTTPS. Without it clients speak cleartext.
    pub(crate) tls: Option<ListenerTls>,
}

/// The admin listener.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    /// The loopback address and port of the admin API, as in `127.0.0.1:9900`.
    pub(crate) listen: Option<String>,
    /// The address and port that serves only `/livez`, `/readyz` and `/metrics`, for kubelets and
    /// Prometheus, without authentication and for any Host.
    pub(crate) health_listen: Option<String>,
    /// The token that callers of the admin API present. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) token: Option<serde_json::Value>,
    /// HTTPS and client certificates. Not available yet.
    #[schemars(extend("x-not-yet" = true))]
    #[expect(dead_code, reason = "in the schema, and refused by name")]
    pub(crate) tls: Option<serde_json::Value>,
}
