//! Whom clients are told to ask for tokens (rule 28).
//!
//! A client takes a protected-resource document only if its `resource` is the address the client
//! itself used (RFC 9728 §3.3). So challenges point to us, and the document names us.

use std::ops::Range;

use http::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Where protected-resource documents are (RFC 9728 §3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Points `resource_metadata` in a `WWW-Authenticate` header to `ours` (RFC 9728 §5.1). None if
/// there is nothing to change: no such parameter, or one that leads to no well-known place, where
/// we would have nothing to serve.
pub fn rewrite_challenge(value: &HeaderValue, ours: &str) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    if ours.contains(['"', '\\']) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + ours.len());
    let mut done = 0;
    for range in parameters(text) {
        let old = text.get(range.clone())?;
        if old.contains(WELL_KNOWN) {
            out.push_str(text.get(done..range.start)?);
            out.push('"');
            out.push_str(ours);
            out.push('"');
            done = range.end;
        }
    }
    if done == 0 {
        return None;
    }
    out.push_str(text.get(done..)?);
    HeaderValue::from_str(&out).ok()
}

/// Where the values of `resource_metadata` stand, quotes included (RFC 9110 §11.2).
fn parameters(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with('"') {
            at += quoted_len(rest);
        } else if rest.starts_with(is_token) {
            let name = token_len(rest);
            let tail = rest.get(name..).unwrap_or_default();
            let equals = tail.trim_start_matches([' ', '\t']);
            let is_ours = rest
                .get(..name)
                .is_some_and(|name| name.eq_ignore_ascii_case("resource_metadata"));
            at += name;
            if let Some(value) = equals.strip_prefix('=').filter(|_| is_ours) {
                let value = value.trim_start_matches([' ', '\t']);
                let start = text.len() - value.len();
                at = start
                    + if value.starts_with('"') {
                        quoted_len(value)
                    } else {
                        value.find([',', ' ', '\t']).unwrap_or(value.len())
                    };
                found.push(start..at);
            }
        } else {
            at += 1;
        }
    }
    found
}

/// The length of a quoted string (RFC 9110 §5.6.4) with both quotes.
fn quoted_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn token_len(text: &str) -> usize {
    text.find(|byte| !is_token(byte)).unwrap_or(text.len())
}

/// RFC 9110 §5.6.2.
fn is_token(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(byte)
}

/// The address of our document for a resource of ours: the well-known path stands between host
/// and path (RFC 9728 §3.1). `origin` is scheme and authority, `path` begins with `/`.
pub fn metadata_url(origin: &str, path: &str) -> String {
    format!("{origin}{}", metadata_path(path))
}

/// The path of the document for a resource at `path`, which begins with `/`.
pub fn metadata_path(path: &str) -> String {
    let path = if path == "/" { "" } else { path };
    format!("{WELL_KNOWN}{path}")
}

/// The path of the resource that a document at `path` is about; none if it is no document.
/// Routed like a request for that resource, then mapped back with [`metadata_path`].
pub fn resource_path(path: &str) -> Option<&str> {
    match path.strip_prefix(WELL_KNOWN)? {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

/// A protected-resource document that says it is about `resource`, an address of ours. The rest
/// stays as it is, byte for byte. None if it is no such document.
pub fn rewrite_document(body: &[u8], resource: &str) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        resource: &'a RawValue,
    }
    let document: Document<'_> = serde_json::from_slice(body).ok()?;
    let old = document.resource.get();
    // The value is a part of the body, so the distance of both is where it stands.
    let start = old.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    let (before, rest) = body.split_at_checked(start)?;
    let (_, after) = rest.split_at_checked(old.len())?;
    let new = serde_json::to_string(resource).ok()?;
    Some([before, new.as_bytes(), after].concat())
}

/// Whether a path is one that an authorization server has at its root (MCP 2025-03-26
/// "Authorization"): such requests go to one peer each time.
pub fn is_authorization_path(path: &str) -> bool {
    matches!(
        path,
        "/.well-known/oauth-authorization-server" | "/authorize" | "/register" | "/token"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OURS: &str = "https://p.example/.well-known/oauth-protected-resource/search";

    #[test]
    fn challenges_point_to_us() {
        let new = format!("\"{OURS}\"");
        for (before, url, after) in [
            (
                "Bearer resource_metadata=",
                "\"http://e:1/.well-known/oauth-protected-resource/mcp\"",
                "",
            ),
            (
                "Bearer realm=\"x\", Resource_Metadata = ",
                "\"/.well-known/oauth-protected-resource\"",
                ", scope=\"a b\"",
            ),
            (
                "Bearer resource_metadata=",
                "http://e/.well-known/oauth-protected-resource",
                ", error=\"x\"",
            ),
            (
                "Bearer error_description=\"say resource_metadata=\\\"x\\\"\", resource_metadata=",
                "\"http://e/.well-known/oauth-protected-resource\"",
                "",
            ),
        ] {
            let header = HeaderValue::from_str(&format!("{before}{url}{after}")).unwrap();
            let found = rewrite_challenge(&header, OURS).unwrap();
            assert_eq!(found.to_str().unwrap(), format!("{before}{new}{after}"));
        }
    }

    #[test]
    fn two_challenges_are_both_rewritten() {
        let one = format!("DPoP resource_metadata=\"{WELL_KNOWN}\", ");
        let header = HeaderValue::from_str(&one.replace("DPoP", "Bearer").repeat(2)).unwrap();
        let found = rewrite_challenge(&header, OURS).unwrap();
        assert_eq!(found.to_str().unwrap().matches(OURS).count(), 2);
    }

    #[test]
    fn other_challenges_stay() {
        for text in [
            "",
            "Bearer",
            "Basic realm=\"x\"",
            "Bearer resource_metadata",
            "Bearer resource_metadata=",
            "Bearer resource_metadata=\"https://auth.example/about\"",
            "Bearer realm=\"resource_metadata=/.well-known/oauth-protected-resource\"",
            "Bearer realm=\"\\\" resource_metadata=/.well-known/oauth-protected-resource\"",
            "Bearer x_resource_metadata=\"/.well-known/oauth-protected-resource\"",
        ] {
            let header = HeaderValue::from_str(text).unwrap();
            assert_eq!(rewrite_challenge(&header, OURS), None, "{text}");
        }
        let header = HeaderValue::from_static(
            "B resource_metadata=\"/.well-known/oauth-protected-resource\"",
        );
        assert_eq!(rewrite_challenge(&header, "https://\"x"), None);
        assert_eq!(rewrite_challenge(&header, "https://x\r\ny: z"), None);
    }

    #[test]
    fn documents_follow_their_resource() {
        for (document, resource) in [
            ("/.well-known/oauth-protected-resource", "/"),
            ("/.well-known/oauth-protected-resource/search", "/search"),
            ("/.well-known/oauth-protected-resource/a/b/", "/a/b/"),
        ] {
            assert_eq!(resource_path(document), Some(resource));
            assert_eq!(metadata_path(resource), document);
        }
        assert_eq!(
            resource_path("/.well-known/oauth-protected-resource/"),
            Some("/")
        );
        for path in [
            "/",
            "/search",
            "/.well-known/oauth-protected-resourceful",
            "/.well-known",
        ] {
            assert_eq!(resource_path(path), None, "{path}");
        }
        assert_eq!(metadata_url("https://p.example", "/search"), OURS);
    }

    #[test]
    fn a_document_is_about_us() {
        let body = br#" {"authorization_servers":["https://a"], "resource" : "http://e:1/mcp","x":{"resource":1}} "#;
        let found = rewrite_document(body, "https://p/\"search").unwrap();
        assert_eq!(
            std::str::from_utf8(&found).unwrap(),
            r#" {"authorization_servers":["https://a"], "resource" : "https://p/\"search","x":{"resource":1}} "#
        );
        for body in [
            "",
            "[]",
            "{}",
            r#"{"resource":1,"resource":2}"#,
            r#"{"resource":"#,
        ] {
            assert_eq!(rewrite_document(body.as_bytes(), "x"), None, "{body}");
        }
    }

    #[test]
    fn authorization_endpoints_are_known() {
        assert!(is_authorization_path("/token"));
        assert!(!is_authorization_path("/tokens"));
        assert!(!is_authorization_path("/search/token"));
    }

    proptest! {
        #[test]
        fn no_challenge_breaks_it(text in r#"[ -~]{0,30}(resource_metadata *= *"?)?[ -~]{0,30}"#) {
            let header = HeaderValue::from_str(&text).unwrap();
            rewrite_challenge(&header, OURS);
        }

        #[test]
        fn no_document_breaks_it(body in any::<Vec<u8>>()) {
            rewrite_document(&body, OURS);
        }
    }
}
