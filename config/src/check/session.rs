//! `session` and `session_binding`.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proxy::settings::{SealKey, SessionBinding, SessionSettings};

use super::names;
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;

pub(super) fn session(
    session: Option<file::Session>,
    session_binding: Option<String>,
    found: &mut Findings,
) -> SessionSettings {
    let mut keys: Vec<SealKey> = Vec::new();
    let mut ids = BTreeSet::new();
    for (i, key) in session
        .and_then(|s| s.keys)
        .into_iter()
        .flatten()
        .enumerate()
    {
        let path = format!("session.keys[{i}]");
        let id = key.id.unwrap_or_default();
        let visible = (1..=32).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic());
        if !visible && !found.touched(&path) {
            let finding = Finding::new(
                Code::BadValue,
                &format!("{path}.id"),
                "this cannot be the id of a key",
            );
            found.add(finding.label("1 to 32 visible ASCII characters"));
        }
        if visible && !ids.insert(id.clone()) {
            let message = format!("two keys have the id `{id}`");
            let finding = Finding::new(Code::DuplicateName, &format!("{path}.id"), message);
            found.add(finding.label("the id is taken"));
        }
        let secret = key.secret.unwrap_or_default();
        match secret_of(&secret) {
            Some(secret) => keys.push(SealKey { id, secret }),
            None if found.touched(&path) => {}
            None => {
                let finding = Finding::new(
                    Code::BadValue,
                    &format!("{path}.secret"),
                    "the secret is shorter than 32 characters",
                );
                found.add(
                    finding
                        .label("too short")
                        .help("make one with `openssl rand -base64 32`"),
                );
            }
        }
    }
    SessionSettings {
        keys,
        binding: binding(session_binding, found),
    }
}

/// 32 bytes: those that 64 hex digits or Base64 of either alphabet stand for, else the SHA-256 of
/// a text of at least 32 characters.
fn secret_of(text: &str) -> Option<[u8; 32]> {
    if let Some(bytes) = hex(text) {
        return Some(bytes);
    }
    // Padding is optional, since shells and secret stores lose it.
    for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
        let bytes = engine
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        if bytes.is_some() {
            return bytes;
        }
    }
    if text.chars().count() < 32 {
        return None;
    }
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().ok()
}

fn hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn binding(text: Option<String>, found: &mut Findings) -> SessionBinding {
    let path = "session_binding";
    let text = text.as_deref().unwrap_or("auto");
    match text.split_once(':').unwrap_or((text, "")) {
        ("auto", "") => SessionBinding::Auto,
        ("none", "") => SessionBinding::None,
        ("mtls", "") => {
            let finding = Finding::new(
                Code::NotAvailable,
                path,
                "`session_binding: mtls` is not available yet",
            );
            found.add(
                finding
                    .label("needs TLS")
                    .help("write `auto`, `header:NAME` or `none`"),
            );
            SessionBinding::Auto
        }
        ("header", name) if !name.is_empty() => names::header(name, path, found)
            .map(SessionBinding::Header)
            .unwrap_or_default(),
        _ => {
            let finding = Finding::new(Code::BadValue, path, "this is not a session binding");
            found.add(finding.label("expected `auto`, `header:NAME` or `none`"));
            SessionBinding::Auto
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hex_or_base64_or_hashed() {
        let bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 7 % 256).unwrap());
        let hexed = bytes.map(|byte| format!("{byte:02X}")).concat();
        assert_eq!(secret_of(&hexed), Some(bytes));
        assert_eq!(secret_of(&STANDARD.encode(bytes)), Some(bytes));
        assert_eq!(secret_of(&URL_SAFE_NO_PAD.encode(bytes)), Some(bytes));
        // SHA-256 of 32 times "a", from an independent tool.
        let hashed = secret_of(&"a".repeat(32)).unwrap();
        assert_eq!(hashed.get(..4), Some([0x3b, 0xa3, 0xf5, 0xf4].as_slice()));
        assert_eq!(secret_of(&"a".repeat(31)), None);
    }
}
