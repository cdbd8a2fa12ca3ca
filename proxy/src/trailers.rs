//! Fields after a body, and which of them may pass.

use crate::guard::is_protected;
use crate::hop::HopByHop;
use http::HeaderMap;

/// Takes out what may not come after a body: framing, routing, credentials, and who forwarded what
/// (RFC 9110 §6.5.1). Who merges trailers into the head would take them for ours.
pub(crate) fn strip(trailers: &mut HeaderMap) {
    let mut hop = HopByHop::default();
    let refused: Vec<_> = trailers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            hop.note(name) || is_protected(name) || REFUSED.contains(&name)
        })
        .cloned()
        .collect();
    for name in refused {
        trailers.remove(name);
    }
}

/// Besides the hop-by-hop fields and those that others rely on.
const REFUSED: [&str; 12] = [
    "age",
    "content-encoding",
    "content-range",
    "expect",
    "location",
    "max-forwards",
    "range",
    "retry-after",
    "set-cookie",
    "trailer",
    "vary",
    "www-authenticate",
];

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_what_says_something_of_the_body_may_follow_it() {
        for (name, passes) in [
            ("grpc-status", true),
            ("grpc-status-details-bin", true),
            ("x-checksum", true),
            ("my_own", true),
            ("authorization", false),
            ("connection", false),
            ("content-length", false),
            ("content_length", false),
            ("cookie", false),
            ("forwarded", false),
            ("host", false),
            ("mcp-session-id", false),
            ("set-cookie", false),
            ("te", false),
            ("trailer", false),
            ("transfer-encoding", false),
            ("x-forwarded-for", false),
            ("x_forwarded_for", false),
            ("x-real-ip", false),
        ] {
            let mut trailers = HeaderMap::new();
            trailers.insert(name, HeaderValue::from_static("1"));
            strip(&mut trailers);
            assert_eq!(!trailers.is_empty(), passes, "{name}");
        }
    }
}
