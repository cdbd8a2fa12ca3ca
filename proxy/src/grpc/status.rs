//! How a call ended.

use super::STATUS;
use http::{HeaderMap, StatusCode};

/// A status code of gRPC.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Status(u8);

impl Status {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const CANCELLED: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const NOT_FOUND: Self = Self(5);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);

    /// How many there are.
    pub(crate) const COUNT: usize = NAMES.len();

    /// What a head or trailers say; a code that does not exist is `UNKNOWN`, as clients take it.
    pub(crate) fn of(fields: &HeaderMap) -> Option<Self> {
        let text = fields.get(&STATUS)?.to_str().ok();
        let code = text.and_then(|text| text.parse().ok());
        let code = code.filter(|code: &u8| usize::from(*code) < NAMES.len());
        Some(code.map_or(Self::UNKNOWN, Self))
    }

    /// What an answer of HTTP without a status of gRPC amounts to ("HTTP to gRPC Status Code
    /// Mapping"), and what refusals of ours mean: limits are `RESOURCE_EXHAUSTED`, and patience is
    /// `DEADLINE_EXCEEDED`.
    pub(crate) fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 500 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            408 => Self::DEADLINE_EXCEEDED,
            413 | 414 | 431 => Self::RESOURCE_EXHAUSTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }

    /// The status of HTTP that says as much about the peer, for the one classifier.
    ///
    /// `RESOURCE_EXHAUSTED` and `DEADLINE_EXCEEDED` are the caller's own quota and patience as
    /// often as not, so they are held against nobody.
    pub(crate) fn as_http(self) -> StatusCode {
        match self {
            Self::UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
            // As a 500 may: the fault of the request, so it counts toward the rate only.
            Self::UNKNOWN | Self::INTERNAL | Self(15) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UNIMPLEMENTED => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::OK,
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        self.0
    }

    /// The name.
    pub fn name(self) -> &'static str {
        NAMES
            .get(usize::from(self.0))
            .map_or("UNKNOWN", |name| name)
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).take(Self::COUNT).map(Self)
    }
}

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_status_that_does_not_exist_is_unknown_and_none_is_none() {
        for (text, name) in [
            ("0", "OK"),
            ("14", "UNAVAILABLE"),
            ("16", "UNAUTHENTICATED"),
            ("17", "UNKNOWN"),
            ("300", "UNKNOWN"),
            ("-1", "UNKNOWN"),
            ("", "UNKNOWN"),
            ("OK", "UNKNOWN"),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(STATUS, HeaderValue::from_static(text));
            assert_eq!(Status::of(&fields).map(Status::name), Some(name), "{text}");
        }
        assert_eq!(Status::of(&HeaderMap::new()), None);
    }

    #[test]
    fn answers_of_http_mean_what_the_mapping_says() {
        for (http, grpc) in [
            (400, "INTERNAL"),
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "UNIMPLEMENTED"),
            (408, "DEADLINE_EXCEEDED"),
            (413, "RESOURCE_EXHAUSTED"),
            (421, "UNKNOWN"),
            (429, "UNAVAILABLE"),
            (500, "INTERNAL"),
            (501, "UNKNOWN"),
            (502, "UNAVAILABLE"),
            (503, "UNAVAILABLE"),
            (504, "UNAVAILABLE"),
        ] {
            let status = StatusCode::from_u16(http).unwrap();
            assert_eq!(Status::of_http(status).name(), grpc, "{http}");
        }
    }

    #[test]
    fn only_what_says_something_about_the_peer_is_held_against_it() {
        let held: Vec<_> = Status::all()
            .filter(|status| status.as_http() != StatusCode::OK)
            .map(|status| (status.name(), status.as_http().as_u16()))
            .collect();
        let expected = [
            ("UNKNOWN", 500),
            ("UNIMPLEMENTED", 501),
            ("INTERNAL", 500),
            ("UNAVAILABLE", 503),
            ("DATA_LOSS", 500),
        ];
        assert_eq!(held, expected);
    }
}
