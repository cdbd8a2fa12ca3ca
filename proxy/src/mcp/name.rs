//! A value mirrored from the body into a header.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::Mismatch;

/// A value mirrored from the body into a header (`Mcp-Name`, `Mcp-Param-*`), decoded; or the same
/// value from the body.
#[derive(Clone, Debug)]
pub struct Name(Text);

#[derive(Clone, Debug)]
enum Text {
    /// Sent as it is: shares the bytes of the header, so that a copy allocates nothing.
    Plain(HeaderValue),
    /// Decoded from the Base64 form, or from the body.
    Owned(Box<str>),
}

impl Name {
    /// Reads a header, with the form `=?base64?…?=` decoded (MCP 2026-07-28 "Value Encoding").
    ///
    /// # Errors
    ///
    /// [`Mismatch::Malformed`] for a value over 8 KiB, one that is not visible
    /// ASCII, and Base64 that is not canonical or not UTF-8: the body may say what it likes then,
    /// and two readers would disagree.
    pub fn decode(value: &HeaderValue) -> Result<Self, Mismatch> {
        let text = value.to_str().map_err(|_| Mismatch::Malformed)?;
        if text.len() > MAX_ENCODED {
            return Err(Mismatch::Malformed);
        }
        let Some(encoded) = text
            .strip_prefix("=?base64?")
            .and_then(|rest| rest.strip_suffix("?="))
        else {
            return Ok(Self(Text::Plain(value.clone())));
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| Mismatch::Malformed)?;
        let text = String::from_utf8(bytes).map_err(|_| Mismatch::Malformed)?;
        Ok(Self(Text::Owned(text.into_boxed_str())))
    }

    /// The value.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Plain(value) => value.to_str().unwrap_or_default(),
            Text::Owned(text) => text,
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(Text::Owned(text.into()))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

/// The longest encoded value that is decoded; clients leave longer ones out (MCP SEP-2243).
const MAX_ENCODED: usize = 8192;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The decoded value; none if it is malformed.
    fn decode(text: &str) -> Option<String> {
        let value = HeaderValue::from_str(text).unwrap();
        let name = Name::decode(&value).ok()?;
        Some(name.as_str().to_owned())
    }

    #[test]
    fn values_are_decoded() {
        for (header, expected) in [
            ("us-west1", Some("us-west1")),
            ("", Some("")),
            ("two words", Some("two words")),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", Some("Hello, 世界")),
            ("=?base64?IHBhZGRlZCA=?=", Some(" padded ")),
            ("=?base64?bGluZTEKbGluZTI=?=", Some("line1\nline2")),
            ("=?base64?PT9iYXNlNjQ/eD89?=", Some("=?base64?x?=")),
            ("=?base64??=", Some("")),
            ("=?base64?", Some("=?base64?")),
            ("=?BASE64?eA==?=", Some("=?BASE64?eA==?=")),
            ("=?base64?eA?=", None),
            ("=?base64?eB==?=", None),
            ("=?base64?%%%?=", None),
            ("=?base64?//8=?=", None),
        ] {
            assert_eq!(decode(header), expected.map(str::to_owned), "{header}");
        }
    }

    #[test]
    fn long_and_non_ascii_values_are_refused() {
        assert!(decode(&"x".repeat(MAX_ENCODED)).is_some());
        assert_eq!(decode(&"x".repeat(MAX_ENCODED + 1)), None);
        let raw = HeaderValue::from_bytes("é".as_bytes()).unwrap();
        assert_eq!(Name::decode(&raw), Err(Mismatch::Malformed));
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(text in ".{0,200}") {
            let header = format!("=?base64?{}?=", STANDARD.encode(&text));
            prop_assert_eq!(decode(&header), Some(text));
        }
    }
}
