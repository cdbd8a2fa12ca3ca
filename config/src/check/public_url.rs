//! `public_url`.

use http::Uri;
use http::uri::Authority;

use crate::finding::{Finding, Findings};
use crate::problem::Code;

pub(super) fn public_url(text: Option<String>, found: &mut Findings) -> Option<String> {
    let text = text?;
    let of_http = |origin: &String| {
        let scheme = origin.split(':').next();
        matches!(scheme, Some("http" | "https"))
    };
    let origin = origin(text.trim_end_matches('/')).filter(of_http);
    if origin.is_none() {
        let message = "this is not what clients can know us by";
        let finding = Finding::new(Code::BadValue, "public_url", message);
        found.add(finding.help(
            "write scheme and host without a path, as in `https://mcp.example.com`; the paths are those of the routes",
        ));
    }
    origin
}

/// An origin as browsers write it (RFC 6454 §6.2): they compare it letter by letter.
pub(super) fn origin(text: &str) -> Option<String> {
    let uri = text.parse::<Uri>().ok()?;
    let authority = uri.authority().map(Authority::as_str)?;
    let written = format!("{}://{authority}", uri.scheme_str()?);
    let is_origin = written.eq_ignore_ascii_case(text) && !authority.contains(['@', '*']);
    is_origin.then(|| text.to_ascii_lowercase())
}
