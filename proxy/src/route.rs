//! Which request goes to which group: raw prefixes on segment boundaries, the longest wins.

use crate::settings::RouteSettings;
use http::HeaderMap;
use http::uri::PathAndQuery;

/// The routes, in the order they are tried.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<RouteSettings>,
}

/// What a request is routed by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The raw path, without the query.
    pub path: &'a str,
    /// The host asked for, without its port, in any case.
    pub host: &'a str,
    /// The fields of the head.
    pub headers: &'a HeaderMap,
    /// The MCP method, where a header says it.
    pub mcp_method: Option<&'a str>,
    /// The MCP tool, resource or prompt, where a header says it.
    pub mcp_name: Option<&'a str>,
}

impl Routes {
    /// Sorts routes: the longest prefix first, then the order given.
    pub fn new(mut routes: Vec<RouteSettings>) -> Self {
        for route in &mut routes {
            // `/x/` and `/x` are the same prefix; `/` is the empty one.
            while route.matches.path.ends_with('/') {
                route.matches.path.pop();
            }
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.matches.path.len()));
        Self { routes }
    }

    /// Whether any route looks at more than `/`: then ambiguous paths are refused.
    pub fn by_path(&self) -> bool {
        self.routes
            .iter()
            .any(|route| !route.matches.path.is_empty())
    }

    /// The route of a request.
    pub fn find(&self, facts: &Facts<'_>) -> Option<&RouteSettings> {
        self.routes.iter().find(|route| {
            let matches = &route.matches;
            is_prefix(&matches.path, facts.path)
                && matches
                    .host
                    .as_deref()
                    .is_none_or(|host| is_host(host, facts.host))
                && matches
                    .headers
                    .iter()
                    .all(|(name, value)| facts.headers.get(name) == Some(value))
                && matches
                    .mcp_method
                    .as_deref()
                    .is_none_or(|method| facts.mcp_method == Some(method))
                && matches
                    .mcp_name
                    .as_deref()
                    .is_none_or(|name| facts.mcp_name == Some(name))
        })
    }
}

/// Whether `prefix`, which ends with no `/`, is a prefix of `path` on a segment boundary.
fn is_prefix(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(host),
        Some(domain) => {
            let label = host.len().checked_sub(domain.len() + 1);
            label.is_some_and(|at| {
                at > 0
                    && host.as_bytes().get(at) == Some(&b'.')
                    && host
                        .get(at + 1..)
                        .is_some_and(|rest| rest.eq_ignore_ascii_case(domain))
            })
        }
    }
}

/// Whether a peer might take a path for another one than we do (http-safety: encoded slashes,
/// dots, backslashes).
pub fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.contains(&b'\\')
        || bytes.windows(3).any(|three| {
            three[0] == b'%' && matches!(&three[1..], b"2f" | b"2F" | b"5c" | b"5C" | b"2e" | b"2E")
        })
        || path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// The path a peer sees: the first `prefix` bytes replaced by the path of its URL; none when that
/// URL has no path, or the result would be no path.
pub(crate) fn rewrite(whole: &PathAndQuery, prefix: usize, peer: &str) -> Option<PathAndQuery> {
    if peer.is_empty() {
        return None;
    }
    let rest = whole.as_str().get(prefix..)?;
    format!("{peer}{rest}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::RouteMatch;

    fn routes(paths: &[&str]) -> Routes {
        let route = |(group, path): (usize, &&str)| RouteSettings {
            matches: RouteMatch {
                path: (*path).to_owned(),
                ..RouteMatch::default()
            },
            group,
        };
        Routes::new(paths.iter().enumerate().map(route).collect())
    }

    fn group(routes: &Routes, path: &str) -> Option<usize> {
        let headers = HeaderMap::new();
        let facts = Facts {
            path,
            host: "",
            headers: &headers,
            mcp_method: None,
            mcp_name: None,
        };
        routes.find(&facts).map(|route| route.group)
    }

    #[test]
    fn the_longest_prefix_on_a_segment_boundary_wins() {
        let routes = routes(&["/", "/search", "/search/deep/"]);
        for (path, expected) in [
            ("/", Some(0)),
            ("/searching", Some(0)),
            ("/search", Some(1)),
            ("/search/x", Some(1)),
            ("/search/deep", Some(2)),
            ("/search/deep/er", Some(2)),
        ] {
            assert_eq!(group(&routes, path), expected, "{path}");
        }
    }

    #[test]
    fn nothing_matches_without_a_route_for_the_root() {
        assert_eq!(group(&routes(&["/a"]), "/b"), None);
    }

    #[test]
    fn the_prefix_is_replaced_by_the_path_of_the_peer() {
        for (path, prefix, replacement, expected) in [
            ("/search", "/search", "/mcp", Some("/mcp")),
            ("/search/x?y=1", "/search", "/mcp", Some("/mcp/x?y=1")),
            ("/search?y=1", "/search", "/mcp", Some("/mcp?y=1")),
            ("/search", "/search", "", None),
            ("/x", "", "/mcp", Some("/mcp/x")),
        ] {
            let whole: PathAndQuery = path.parse().unwrap();
            let seen = rewrite(&whole, prefix.len(), replacement);
            assert_eq!(seen.as_ref().map(PathAndQuery::as_str), expected, "{path}");
        }
    }

    #[test]
    fn hosts_match_whole_or_by_one_wildcard() {
        for (pattern, host, expected) in [
            ("a.example", "A.example", true),
            ("a.example", "b.example", false),
            ("*.example", "a.example", true),
            ("*.example", "example", false),
            ("*.example", ".example", false),
        ] {
            assert_eq!(is_host(pattern, host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn what_a_peer_might_read_otherwise_is_ambiguous() {
        for (path, expected) in [
            ("/a/b", false),
            ("/a%20b", false),
            ("/a/../b", true),
            ("/a/%2e%2e/b", true),
            ("/a%2fb", true),
            ("/a\\b", true),
            ("/..a", false),
        ] {
            assert_eq!(is_ambiguous(path), expected, "{path}");
        }
    }
}
