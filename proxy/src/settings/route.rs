//! Which request goes to which group, and what is different on the way.

use super::{HeaderEdits, HostPolicy, Template, Timeouts, UpgradeProtocol};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use std::sync::Arc;

/// One route. The longest path prefix wins, then the order of the configuration.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// What a request must look like.
    pub matches: RouteMatch,
    /// Who answers.
    pub answer: RouteAnswer,
    /// What is changed in heads, after the group's changes.
    pub headers: HeaderEdits,
    /// What `Host` a peer sees, instead of what the group says.
    pub host: Option<HostPolicy>,
    /// What stands in the place of the matched prefix, after the path of the peer's URL if it has
    /// one: empty, or a path that does not end with `/`. None: the prefix is replaced by the path
    /// of the URL, and stays when that has none.
    pub rewrite: Option<Arc<str>>,
    /// How long things may take, instead of what the group says.
    pub timeouts: Option<Timeouts>,
    /// When a request is tried again, instead of what the group says. The budget is the group's.
    pub retry: Option<Arc<lb::RetryPolicy>>,
    /// The longest request body, instead of the group's.
    pub max_body: Option<u64>,
    /// The protocols that clients may switch to, instead of the group's.
    pub upgrades: Option<Arc<[UpgradeProtocol]>>,
}

/// Who answers what a route matches.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteAnswer {
    /// The group at this position in the settings.
    Group(usize),
    /// The proxy, with another address.
    Redirect(Redirect),
    /// The proxy, with the same answer for all.
    Respond(FixedResponse),
}

/// The answer that names another address.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// The address. It keeps the query of the request, unless it names one itself.
    pub to: Template,
}

/// The same answer for all.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedResponse {
    /// From 200 to 599.
    pub status: StatusCode,
    /// None for 204, 205 and 304.
    pub body: Bytes,
    /// What the body is; not sent when there is none.
    pub content_type: HeaderValue,
}

/// What a request must look like; every part that is given must match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteMatch {
    /// A raw path prefix on a segment boundary, beginning with `/`; `/` matches every path.
    pub path: String,
    /// The host the client asked for, lower case, without a port; `*.example.com` for any label.
    pub host: Option<String>,
    /// One of these; empty: any.
    pub methods: Vec<Method>,
    /// Headers and their exact values.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Parameters of the query and their values, raw as they are sent.
    pub query: Vec<(String, String)>,
    /// The MCP method, from `Mcp-Method` (modern era).
    pub mcp_method: Option<String>,
    /// The MCP tool, resource or prompt, from `Mcp-Name` (modern era), decoded.
    pub mcp_name: Option<String>,
}

impl RouteSettings {
    /// A route that changes nothing.
    pub fn new(matches: RouteMatch, answer: RouteAnswer) -> Self {
        Self {
            matches,
            answer,
            headers: HeaderEdits::default(),
            host: None,
            rewrite: None,
            timeouts: None,
            retry: None,
            max_body: None,
            upgrades: None,
        }
    }
}
