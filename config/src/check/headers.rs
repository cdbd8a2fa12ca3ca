//! `headers`: what is changed in heads.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use proxy::settings::{FieldEdits, FieldValue, HeaderEdits, Template, TemplateError, Variable};

use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;
use crate::redact::sounds_secret;

/// Whose head it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Head {
    Request,
    Response,
}

pub(super) fn headers(
    headers: Option<file::Headers>,
    at: &str,
    found: &mut Findings,
) -> HeaderEdits {
    let headers = headers.unwrap_or_default();
    let at = format!("{at}.headers");
    HeaderEdits {
        request: edits(
            headers.request,
            Head::Request,
            &format!("{at}.request"),
            found,
        ),
        response: edits(
            headers.response,
            Head::Response,
            &format!("{at}.response"),
            found,
        ),
    }
}

fn edits(fields: Option<file::Fields>, head: Head, at: &str, found: &mut Findings) -> FieldEdits {
    let fields = fields.unwrap_or_default();
    let mut remove = Vec::new();
    for (i, text) in fields.remove.into_iter().flatten().enumerate() {
        let path = format!("{at}.remove[{i}]");
        remove.extend(name(&text, head, found, |finding| finding, &path));
    }
    FieldEdits {
        remove,
        set: values(fields.set, head, &format!("{at}.set"), found),
        add: values(fields.add, head, &format!("{at}.add"), found),
    }
}

fn values(
    fields: Option<BTreeMap<String, String>>,
    head: Head,
    at: &str,
    found: &mut Findings,
) -> Vec<(HeaderName, FieldValue)> {
    let mut values = Vec::new();
    for (key, text) in fields.into_iter().flatten() {
        let path = format!("{at}.{key}");
        let name = name(&key, head, found, Finding::on_key, &path);
        let value = value(&text, sounds_secret(&key), &path, found);
        values.extend(name.zip(value));
    }
    values
}

/// The name of a header that may be changed.
fn name(
    text: &str,
    head: Head,
    found: &mut Findings,
    place: impl Fn(Finding) -> Finding,
    path: &str,
) -> Option<HeaderName> {
    // HTTP/2 has fields that no operator may write (RFC 9113 §8.3).
    let pseudo = text.starts_with(':').then_some("belongs to HTTP/2");
    let lower = text.to_ascii_lowercase();
    if let Some(why) = pseudo.or_else(|| reserved(&lower, head)) {
        let message = format!("`{lower}` cannot be changed here");
        let finding = place(Finding::new(Code::BadValue, path, message)).label(why);
        found.add(match lower.as_str() {
            "host" | ":authority" => {
                finding.help("`host`, beside `headers`, says what the peers see")
            }
            _ => finding,
        });
        return None;
    }
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    if name.is_none() {
        let finding = Finding::new(Code::BadValue, path, "this is not the name of a header");
        found.add(place(finding).label("letters, digits and `-`"));
    }
    name
}

/// Why a header is not the operator's to change.
fn reserved(name: &str, head: Head) -> Option<&'static str> {
    Some(match (name, head) {
        ("content-length" | "transfer-encoding" | "trailer", _) => "says where a body ends",
        // RFC 9110 §7.6.1.
        (
            "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "upgrade"
            | "http2-settings"
            | "proxy-authenticate"
            | "proxy-authorization",
            _,
        ) => "belongs to one connection",
        ("expect", Head::Request) => "is answered here",
        ("host", Head::Request) => "has a key of its own",
        ("mcp-session-id", _) => "is sealed here",
        ("via", _) => "keeps requests from going in circles",
        _ => return None,
    })
}

fn value(text: &str, secret: bool, path: &str, found: &mut Findings) -> Option<FieldValue> {
    let template = template(text, path, found)?;
    // What a variable stands for is checked when it is filled in.
    let sample = template.fill(|_| Some("x")).unwrap_or_default();
    if HeaderValue::from_str(&sample).is_err() {
        let finding = Finding::new(Code::BadValue, path, "no header can have this value");
        found.add(finding.label("has a control character"));
        return None;
    }
    let Some(fixed) = template.fixed() else {
        return Some(FieldValue::Made(template));
    };
    let mut value = HeaderValue::from_str(fixed).ok()?;
    value.set_sensitive(secret);
    Some(FieldValue::Fixed(value))
}

/// A text with variables.
pub(super) fn template(text: &str, path: &str, found: &mut Findings) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(error) => {
            let finding = Finding::new(Code::BadValue, path, error.to_string());
            let names = Variable::ALL.map(|variable| format!("`{{{}}}`", variable.name()));
            found.add(match error {
                TemplateError::Brace => finding.label("write `{{` or `}}` for a brace"),
                TemplateError::Unknown(_) => finding.help(format!(
                    "the variables are {}; `{{{{` is a brace",
                    names.join(", ")
                )),
            });
            None
        }
    }
}
