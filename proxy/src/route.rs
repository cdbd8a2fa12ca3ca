//! Which request goes to which group: raw prefixes on segment boundaries, the longest wins.

use crate::mcp::header;
use crate::settings::RouteSettings;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method};

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
    /// The query, raw, without its `?`.
    pub query: Option<&'a str>,
    /// The method.
    pub method: &'a Method,
    /// The host asked for, without its port, in any case.
    pub host: &'a str,
    /// The fields of the head.
    pub headers: &'a HeaderMap,
}

impl Facts<'_> {
    /// Whether a field of the head says this.
    fn says(&self, name: &HeaderName, value: &str) -> bool {
        self.headers.get(name).is_some_and(|said| said == value)
    }
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

    /// The route at a position that [`find`](Self::find) has named.
    pub fn get(&self, at: usize) -> Option<&RouteSettings> {
        self.routes.get(at)
    }

    /// The position of the route of a request.
    pub fn find(&self, facts: &Facts<'_>) -> Option<usize> {
        self.routes.iter().position(|route| {
            let matches = &route.matches;
            is_prefix(&matches.path, facts.path)
                && matches
                    .host
                    .as_deref()
                    .is_none_or(|host| is_host(host, facts.host))
                && (matches.methods.is_empty() || matches.methods.contains(facts.method))
                && matches
                    .query
                    .iter()
                    .all(|(name, value)| has_parameter(facts.query, name, value))
                && matches
                    .headers
                    .iter()
                    .all(|(name, value)| facts.headers.get(name) == Some(value))
                && matches
                    .mcp_method
                    .as_deref()
                    .is_none_or(|method| facts.says(&header::METHOD, method))
                && matches
                    .mcp_name
                    .as_deref()
                    .is_none_or(|name| facts.says(&header::NAME, name))
        })
    }
}

/// Whether `prefix`, which ends with no `/`, is a prefix of `path` on a segment boundary.
fn is_prefix(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a query has a parameter of this value; one without `=` has the empty value.
fn has_parameter(query: Option<&str>, name: &str, value: &str) -> bool {
    let mut pairs = query.into_iter().flat_map(|query| query.split('&'));
    pairs.any(|pair| pair.split_once('=').unwrap_or((pair, "")) == (name, value))
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

/// The path and query a peer sees: the first `prefix` bytes replaced by the path of its URL and
/// what the route puts there; none when neither has anything to say, or the result is no path.
pub(crate) fn rewrite(
    whole: &PathAndQuery,
    prefix: usize,
    peer: &str,
    put: Option<&str>,
) -> Option<PathAndQuery> {
    peer_path(whole.as_str(), prefix, peer, put)?.parse().ok()
}

/// The same for a text.
pub(crate) fn peer_path(
    whole: &str,
    prefix: usize,
    peer: &str,
    put: Option<&str>,
) -> Option<String> {
    if peer.is_empty() && put.is_none() {
        return None;
    }
    let put = put.unwrap_or_default();
    let mut rest = whole.get(prefix..)?;
    if !peer.is_empty() || !put.is_empty() {
        return Some(format!("{peer}{put}{rest}"));
    }
    // Nothing is left before it: `//x` would read as an authority (RFC 3986 §3.3).
    while rest.starts_with("//") {
        rest = &rest[1..];
    }
    Some(if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{RouteAnswer, RouteMatch};

    fn routes(paths: &[&str]) -> Routes {
        let route = |(group, path): (usize, &&str)| {
            let matches = RouteMatch {
                path: (*path).to_owned(),
                ..RouteMatch::default()
            };
            RouteSettings::new(matches, RouteAnswer::Group(group))
        };
        Routes::new(paths.iter().enumerate().map(route).collect())
    }

    fn group(routes: &Routes, path: &str) -> Option<usize> {
        found(routes, &Method::GET, path)
    }

    fn found(routes: &Routes, method: &Method, target: &str) -> Option<usize> {
        let headers = HeaderMap::new();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let facts = Facts {
            path,
            query,
            method,
            host: "",
            headers: &headers,
        };
        match routes.get(routes.find(&facts)?)?.answer {
            RouteAnswer::Group(group) => Some(group),
            _ => None,
        }
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
    fn methods_and_parameters_of_the_query_narrow_a_route() {
        let route = |group, methods: &[Method], query: &[(&str, &str)]| {
            let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let matches = RouteMatch {
                path: "/".to_owned(),
                methods: methods.to_vec(),
                query: query.iter().map(pair).collect(),
                ..RouteMatch::default()
            };
            RouteSettings::new(matches, RouteAnswer::Group(group))
        };
        let routes = Routes::new(vec![
            route(0, &[Method::PUT, Method::DELETE], &[("v", "2")]),
            route(1, &[], &[("v", "2"), ("debug", "")]),
            route(2, &[Method::POST], &[]),
        ]);
        for (method, target, expected) in [
            (Method::PUT, "/?v=2", Some(0)),
            (Method::PUT, "/?v=21", None),
            (Method::PUT, "/?w=2&v=1", None),
            (Method::PUT, "/", None),
            (Method::GET, "/?debug&v=2", Some(1)),
            (Method::GET, "/?v=2&debug=", Some(1)),
            (Method::GET, "/?v=2&debug=1", None),
            (Method::POST, "/?x", Some(2)),
        ] {
            let got = found(&routes, &method, target);
            assert_eq!(got, expected, "{method} {target}");
        }
    }

    #[test]
    fn the_prefix_is_replaced_by_the_path_of_the_peer_and_of_the_route() {
        for (path, prefix, peer, put, expected) in [
            ("/search", "/search", "/mcp", None, Some("/mcp")),
            ("/search/x?y=1", "/search", "/mcp", None, Some("/mcp/x?y=1")),
            ("/search?y=1", "/search", "/mcp", None, Some("/mcp?y=1")),
            ("/search", "/search", "", None, None),
            ("/x", "", "/mcp", None, Some("/mcp/x")),
            ("/search", "/search", "", Some(""), Some("/")),
            ("/search?y=1", "/search", "", Some(""), Some("/?y=1")),
            ("/search/", "/search", "", Some(""), Some("/")),
            ("/search/x/?y=1", "/search", "", Some(""), Some("/x/?y=1")),
            ("/search//x//y", "/search", "", Some(""), Some("/x//y")),
            ("/search/x", "/search", "/mcp", Some(""), Some("/mcp/x")),
            ("/search/x", "/search", "", Some("/v2"), Some("/v2/x")),
            ("/search?y", "/search", "", Some("/v2"), Some("/v2?y")),
            (
                "/search/x",
                "/search",
                "/mcp",
                Some("/v2"),
                Some("/mcp/v2/x"),
            ),
            ("/x", "", "", Some("/v2"), Some("/v2/x")),
        ] {
            let whole: PathAndQuery = path.parse().unwrap();
            let seen = rewrite(&whole, prefix.len(), peer, put);
            let row = format!("{path} {prefix} {peer} {put:?}");
            assert_eq!(seen.as_ref().map(PathAndQuery::as_str), expected, "{row}");
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
