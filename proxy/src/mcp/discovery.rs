//! What a server says of itself: the answers to `server/discover` and `initialize`, and the error
//! of a server that wants another revision.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Version;

/// A successful `DiscoverResult` (MCP 2026-07-28 "Discovery").
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Discovery<'a> {
    /// The revisions it names; those that are no dates are left out.
    pub versions: Vec<Version>,
    /// Whether the answer may be given to anybody.
    pub scope: CacheScope,
    /// What it calls itself: a hash of the text, to tell a change by.
    pub server: Option<u64>,
    /// All of it, as JSON text.
    pub result: &'a str,
}

/// Who may be given an answer that was meant for somebody else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CacheScope {
    /// The same authorization context only.
    Private,
    /// Anybody.
    Public,
}

impl<'a> Discovery<'a> {
    /// Reads a JSON-RPC response; none if it is something else, an error for one.
    pub fn peek(response: &'a [u8]) -> Option<Self> {
        let response: DiscoverResponse<'a> = serde_json::from_slice(response).ok()?;
        let text = response.result.get();
        let result: Discovered<'_> = serde_json::from_str(text).ok()?;
        let meta = result.meta.and_then(|meta| meta.server_info);
        Some(Self {
            versions: dates(&result.supported_versions),
            // What is not said to be public is somebody's.
            scope: match result.cache_scope.map(RawValue::get) {
                Some("\"public\"") => CacheScope::Public,
                _ => CacheScope::Private,
            },
            server: meta.or(result.server_info).map(identity),
            result: text,
        })
    }
}

/// What the server of an `InitializeResult` calls itself: a hash of the text.
pub fn server_of_initialize(response: &[u8]) -> Option<u64> {
    let response: InitializeResponse<'_> = serde_json::from_slice(response).ok()?;
    response.result.server_info.map(identity)
}

/// The code of an error response; none if it is none.
pub fn error_code(response: &[u8]) -> Option<i64> {
    let response: ErrorResponse = serde_json::from_slice(response).ok()?;
    Some(response.error.code)
}

/// The revisions an `UnsupportedProtocolVersionError` offers instead (MCP 2026-07-28 "Error
/// Codes").
pub fn offered(response: &[u8]) -> Vec<Version> {
    let response: Option<Refusal<'_>> = serde_json::from_slice(response).ok();
    response.map_or_else(Vec::new, |refusal| dates(&refusal.error.data.supported))
}

fn dates(texts: &[Cow<'_, str>]) -> Vec<Version> {
    let texts = texts.iter().take(MOST_VERSIONS);
    texts
        .filter_map(|text| Version::parse(text.as_bytes()))
        .collect()
}

fn identity(text: &RawValue) -> u64 {
    lb::hash64(text.get().as_bytes())
}

#[derive(Deserialize)]
struct DiscoverResponse<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discovered<'a> {
    #[serde(borrow)]
    supported_versions: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    cache_scope: Option<&'a RawValue>,
    #[serde(borrow, default)]
    server_info: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<DiscoveredMeta<'a>>,
}

#[derive(Deserialize)]
struct DiscoveredMeta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/serverInfo")]
    server_info: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct InitializeResponse<'a> {
    #[serde(borrow)]
    result: Identified<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identified<'a> {
    #[serde(borrow, default)]
    server_info: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ErrorResponse {
    error: ErrorCode,
}

#[derive(Deserialize)]
struct ErrorCode {
    code: i64,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: RefusalError<'a>,
}

#[derive(Deserialize)]
struct RefusalError<'a> {
    #[serde(borrow)]
    data: Offer<'a>,
}

#[derive(Deserialize)]
struct Offer<'a> {
    #[serde(borrow)]
    supported: Vec<Cow<'a, str>>,
}

/// Five revisions were released in two years; a list of thousands is no list of revisions.
const MOST_VERSIONS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discover_result_tells_revisions_scope_and_server() {
        let text = r#"{"id":1,"jsonrpc":"2.0","result":{"resultType":"complete",
            "supportedVersions":["2026-07-28","DRAFT","2025-11-25"],"capabilities":{"tools":{}},
            "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}},
            "ttlMs":1000,"cacheScope":"public"}}"#;
        let found = Discovery::peek(text.as_bytes()).unwrap();
        assert_eq!(found.versions, [Version::V2026_07_28, Version::V2025_11_25]);
        assert_eq!(found.scope, CacheScope::Public);
        let renamed = text.replace("\"1\"", "\"2\"");
        let other = Discovery::peek(renamed.as_bytes()).unwrap();
        assert!(found.server.is_some() && found.server != other.server);
        for scope in ["\"private\"", "\"PUBLIC\"", "7", "null"] {
            let text = text.replace("\"public\"", scope);
            let found = Discovery::peek(text.as_bytes()).unwrap();
            assert_eq!(found.scope, CacheScope::Private, "{scope}");
        }
    }

    #[test]
    fn an_error_or_another_result_is_no_discovery() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":"2026-07-28"}}"#,
            "",
        ] {
            assert_eq!(Discovery::peek(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_refusal_offers_revisions() {
        let text = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"no",
            "data":{"supported":["2025-06-18"],"requested":"2026-07-28"}}}"#;
        assert_eq!(offered(text.as_bytes()), [Version::V2025_06_18]);
        assert!(offered(b"{}").is_empty());
        assert_eq!(error_code(text.as_bytes()), Some(-32022));
        assert_eq!(error_code(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#), None);
    }

    #[test]
    fn a_server_is_told_by_what_it_calls_itself() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18",
            "capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#;
        let one = server_of_initialize(text.as_bytes());
        let two = server_of_initialize(text.replace("\"1\"", "\"2\"").as_bytes());
        assert!(one.is_some() && one != two);
    }
}
