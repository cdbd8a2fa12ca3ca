//! `cors`.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use proxy::settings::{CorsSettings, Origins};

use super::{duration, public_url};
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;

pub(super) fn cors(cors: file::Cors, found: &mut Findings) -> CorsSettings {
    let credentials = cors.credentials.unwrap_or_default();
    let wanted = cors.origins.unwrap_or_default();
    let origins = if wanted.iter().any(|origin| origin == "*") {
        if wanted.len() > 1 {
            let message = "`*` already means every origin";
            found.add(Finding::new(Code::Contradiction, "cors.origins", message));
        }
        if credentials {
            // Fetch §3.2.5.
            let message = "browsers send no credentials to who lets everybody ask";
            let finding = Finding::new(Code::Contradiction, "cors.credentials", message);
            found.add(finding.help("name the origins in `cors.origins`"));
        }
        Origins::Any
    } else {
        let origins = wanted.iter().enumerate();
        Origins::Listed {
            origins: origins
                .filter_map(|(i, text)| origin(text, &format!("cors.origins[{i}]"), found))
                .collect(),
            credentials,
        }
    };
    CorsSettings {
        origins,
        headers: names(cors.headers, "cors.headers", found),
        expose: names(cors.expose, "cors.expose", found),
        max_age: duration(cors.max_age, MAX_AGE, Duration::ZERO, "cors.max_age", found),
    }
}

/// An origin as browsers write it (RFC 6454 §6.2): they compare it letter by letter.
fn origin(text: &str, path: &str, found: &mut Findings) -> Option<HeaderValue> {
    let origin = public_url::origin(text).and_then(|origin| HeaderValue::from_str(&origin).ok());
    if origin.is_none() {
        let message = format!("`{text}` is not an origin");
        let finding = Finding::new(Code::BadValue, path, message);
        found.add(finding.help("write scheme and host, as in `https://app.example`, or `*` alone"));
    }
    origin
}
fn names(texts: Option<Vec<String>>, at: &str, found: &mut Findings) -> Vec<HeaderName> {
    let texts = texts.unwrap_or_default();
    let name = |(i, text): (usize, &String)| {
        let name = text.parse().ok();
        if name.is_none() {
            let message = format!("`{text}` is not the name of a field");
            found.add(Finding::new(Code::BadValue, &format!("{at}[{i}]"), message));
        }
        name
    };
    texts.iter().enumerate().filter_map(name).collect()
}

/// Long enough to spare most preflights, short enough to change one's mind.
const MAX_AGE: Duration = Duration::from_secs(600);
