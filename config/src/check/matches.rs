//! `match` of a route.

use http::{HeaderName, HeaderValue, Method};
use proxy::settings::RouteMatch;

use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;
use crate::urls;

pub(super) fn matches(matches: file::Match, route: &str, found: &mut Findings) -> RouteMatch {
    let at = format!("{route}.match");
    let path = matches.path.unwrap_or_else(|| "/".to_owned());
    path_of(&path, "/search", &format!("{at}.path"), found);
    let host = matches.host.map(|host| {
        if !urls::is_host_pattern(&host) {
            let finding = Finding::new(Code::BadValue, &format!("{at}.host"), "this is not a host");
            found.add(finding.label("expected `example.com` or `*.example.com`, without a port"));
        }
        host.to_ascii_lowercase()
    });
    let methods = methods(&matches.methods.unwrap_or_default(), &at, found);
    let mut headers = Vec::new();
    for (name, value) in matches.headers.into_iter().flatten() {
        let at = format!("{at}.headers.{name}");
        match (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            (Err(_), _) => {
                let finding = Finding::new(Code::BadValue, &at, "this is not the name of a header");
                found.add(finding.on_key().label("letters, digits and `-`"));
            }
            (_, Err(_)) => {
                let finding = Finding::new(Code::BadValue, &at, "no header can have this value");
                found.add(finding.label("has a control character"));
            }
        }
    }
    RouteMatch {
        // Prefixes end on segment boundaries, so the last `/` says nothing.
        path: match path.trim_end_matches('/') {
            "" => "/".to_owned(),
            path => path.to_owned(),
        },
        host,
        methods,
        headers,
        query: query(matches.query, &at, found),
        mcp_method: matches.mcp_method,
        mcp_name: matches.mcp_name,
    }
}

/// Reports what is no path.
pub(super) fn path_of(path: &str, example: &str, at: &str, found: &mut Findings) {
    let problem = if path.starts_with('/') {
        urls::path_problem(path)
    } else {
        Some("the path does not begin with `/`")
    };
    if let Some(problem) = problem {
        let finding = Finding::new(Code::BadValue, at, problem);
        found.add(finding.label(format!("expected a path such as `{example}`")));
    }
}

fn methods(names: &[String], at: &str, found: &mut Findings) -> Vec<Method> {
    let mut methods = Vec::new();
    for (i, name) in names.iter().enumerate() {
        match Method::from_bytes(name.as_bytes()) {
            // RFC 9110 §9.1: methods are case-sensitive, and those that are known are capitals.
            Ok(method) if !name.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                methods.push(method);
            }
            _ => {
                let path = format!("{at}.methods[{i}]");
                let finding = Finding::new(Code::BadValue, &path, "this is not a method");
                found.add(finding.label("expected a method such as `GET`, in capitals"));
            }
        }
    }
    methods
}

fn query(
    query: Option<std::collections::BTreeMap<String, String>>,
    at: &str,
    found: &mut Findings,
) -> Vec<(String, String)> {
    let pairs: Vec<_> = query.into_iter().flatten().collect();
    let sent = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"&#".contains(&byte))
    };
    for (name, value) in &pairs {
        if !sent(name) || !sent(value) || name.contains('=') {
            let path = format!("{at}.query.{name}");
            let finding = Finding::new(Code::BadValue, &path, "no query has such a parameter");
            found.add(
                finding
                    .on_key()
                    .label("write it as clients send it, percent-encoded"),
            );
        }
    }
    pairs
}
