//! `credentials`: what peers know us by.

use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use proxy::settings::Credential;

use super::names;
use crate::file::{self, Secret};
use crate::finding::{Finding, Findings};
use crate::problem::Code;

pub(super) fn credentials(
    credentials: Option<file::Credentials>,
    at: &str,
    found: &mut Findings,
) -> Option<Credential> {
    let credentials = credentials?;
    let at = format!("{at}.credentials");
    let given = [
        credentials.bearer.is_some(),
        credentials.basic.is_some(),
        credentials.header.is_some(),
    ];
    let given = given.into_iter().filter(|given| *given).count();
    if given != 1 && !found.touched(&at) {
        let finding = Finding::new(
            Code::Contradiction,
            &at,
            "`credentials` takes one of `bearer`, `basic` and `header`",
        );
        found.add(finding.on_key().label(match given {
            0 => "none is here",
            _ => "more than one is here",
        }));
    }
    if let Some(token) = credentials.bearer {
        let token = secret(Some(token), &format!("{at}.bearer"), found)?;
        let value = value(&format!("Bearer {token}"), &format!("{at}.bearer"), found);
        return value.map(Credential::authorization);
    }
    if let Some(basic) = credentials.basic {
        return self::basic(basic, &format!("{at}.basic"), found);
    }
    header(credentials.header?, &format!("{at}.header"), found)
}

/// RFC 7617 §2: in Base64, with a colon between.
fn basic(basic: file::Basic, at: &str, found: &mut Findings) -> Option<Credential> {
    let user = basic.user?;
    if user.contains(':') {
        let finding = Finding::new(Code::BadValue, &format!("{at}.user"), "a user has no `:`");
        found.add(finding.label("has a `:`"));
    }
    let password = secret(basic.password, &format!("{at}.password"), found)?;
    let coded = STANDARD.encode(format!("{user}:{password}"));
    let value = HeaderValue::from_str(&format!("Basic {coded}")).ok()?;
    Some(Credential::authorization(value))
}

fn header(header: file::HeaderCredential, at: &str, found: &mut Findings) -> Option<Credential> {
    let path = format!("{at}.name");
    let name = names::header(&header.name?, &path, found)?;
    if FRAMING.contains(&name.as_str()) {
        let message = format!("`{name}` cannot carry a credential");
        let finding = Finding::new(Code::BadValue, &path, message);
        found.add(finding.label("has another use"));
    }
    let path = format!("{at}.value");
    let text = secret(header.value, &path, found)?;
    value(&text, &path, found).map(|value| Credential::new(name, value))
}

fn value(text: &str, path: &str, found: &mut Findings) -> Option<HeaderValue> {
    let value = HeaderValue::from_str(text).ok();
    if value.is_none() {
        // Without the text, which is secret.
        let finding = Finding::new(Code::BadValue, path, "no header can have this value");
        found.add(finding.label("has a control character"));
    }
    value
}

/// The text of a secret; never empty.
fn secret(secret: Option<Secret>, path: &str, found: &mut Findings) -> Option<String> {
    let (text, path) = match secret? {
        Secret::Text(text) => (text, path.to_owned()),
        Secret::File(file) => {
            let name = file.file?;
            let path = format!("{path}.file");
            (read(&name, &path, found)?, path)
        }
    };
    if text.is_empty() {
        let finding = Finding::new(Code::BadValue, &path, "the secret is empty");
        found.add(finding.label("nothing is there"));
        return None;
    }
    Some(text)
}

/// The text of a small file, without the end of its last line.
fn read(name: &str, path: &str, found: &mut Findings) -> Option<String> {
    let mut failed = |message: String| {
        let finding = Finding::new(Code::Unreadable, path, message);
        found.add(finding.label("the secret is to be in this file"));
    };
    let metadata = match std::fs::metadata(Path::new(name)) {
        Ok(metadata) => metadata,
        Err(error) => {
            failed(format!("the file cannot be read: {error}"));
            return None;
        }
    };
    // A pipe or a terminal would make us wait for somebody to write.
    if !metadata.is_file() || metadata.len() > LARGEST {
        failed("this is not a file of at most 64 KiB".to_owned());
        return None;
    }
    let mut text = String::new();
    let file = std::fs::File::open(Path::new(name));
    let read = file.and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    if let Err(error) = read {
        failed(format!("the file cannot be read: {error}"));
        return None;
    }
    if is_open_to_all(&metadata) {
        let message = "every user of this machine can read or change the file of a secret";
        let finding = Finding::new(Code::Doubtful, path, message);
        found.add(finding.help("take the rights of others away: `chmod o= FILE`"));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Some(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(unix)]
fn is_open_to_all(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    metadata.permissions().mode() & 0o007 != 0
}

#[cfg(not(unix))]
fn is_open_to_all(_: &std::fs::Metadata) -> bool {
    false
}

/// Of a file with a secret.
const LARGEST: u64 = 64 * 1024;

/// They are written here, and mean something to whoever reads them.
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "mcp-session-id",
    "te",
    "transfer-encoding",
    "upgrade",
];
