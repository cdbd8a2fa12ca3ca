//! What a client asks to switch its connection to, and whether a peer may agree (RFC 9110 §7.8).

use crate::guard::Seen;
use crate::settings::UpgradeProtocol;
use crate::upstream::UpstreamHead;
use crate::websocket;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Version, response};
use hyper::ext::Protocol;

/// What a client offers to switch to, as far as it may pass.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// The protocols, as `Upgrade` lists them.
    protocols: HeaderValue,
    form: Form,
}

/// How the client asks, which is how it is answered.
#[derive(Clone, Debug)]
enum Form {
    /// By an extended CONNECT of HTTP/2 (RFC 8441); the answer is a 200. WebSocket peers of
    /// HTTP/1.1 are given a key of ours.
    Connect(HeaderValue),
    /// By `Upgrade`; the answer is a 101.
    Upgrade,
}

/// The client asks for a protocol by a CONNECT, which can be nothing else, and it may not pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotServed;

/// Puts an extended CONNECT into the words of HTTP/1.1 (RFC 8441 §5): a GET that wants to switch.
pub(crate) fn translate(parts: &mut Parts) {
    let Some(protocol) = connects(parts) else {
        return;
    };
    if let Ok(protocol) = HeaderValue::from_str(protocol.as_str()) {
        parts.method = Method::GET;
        let upgrade = HeaderValue::from_static("upgrade");
        parts.headers.insert(header::CONNECTION, upgrade);
        parts.headers.insert(header::UPGRADE, protocol);
    }
}

/// The protocol of an extended CONNECT, which also says that a request was one.
pub(crate) fn connects(parts: &Parts) -> Option<&Protocol> {
    parts.extensions.get()
}

impl Offer {
    /// What of a request's `Upgrade` is passed on; none: the field ends here, as RFC 9110 §7.8
    /// allows, and the request is one like any other. To be asked before hop-by-hop fields go.
    ///
    /// # Errors
    /// It is no request like any other.
    pub(crate) fn of(
        parts: &Parts,
        seen: Seen,
        body: Body,
        allowed: &[UpgradeProtocol],
        entropy: impl Fn() -> u64,
    ) -> Result<Option<Self>, NotServed> {
        let connects = connects(parts).is_some();
        let passed = passed(parts, seen, body, allowed);
        let form = if connects {
            Form::Connect(websocket::key(entropy(), entropy()))
        } else {
            Form::Upgrade
        };
        match passed {
            Some(protocols) => Ok(Some(Self { protocols, form })),
            None if connects => Err(NotServed),
            None => Ok(None),
        }
    }

    /// Adds the offer to the head for a peer of HTTP/1.1; it is made anew on each hop (RFC 9110
    /// §7.6.1).
    pub(crate) fn write(&self, head: &mut UpstreamHead<'_>) {
        head.set(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.set(header::UPGRADE, self.protocols.clone());
        if let Form::Connect(key) = &self.form {
            head.set(websocket::KEY, key.clone());
        }
    }

    /// What a 101 switches to; none if that was not offered, or not understood.
    pub(crate) fn accepted(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let offered = |one: &[u8]| {
            let mut all = self.protocols.as_bytes().split(|byte| *byte == b',');
            all.any(|offered| offered.trim_ascii().eq_ignore_ascii_case(one))
        };
        let mut chosen = protocols(headers).peekable();
        chosen.peek()?;
        if !chosen.all(offered) {
            return None;
        }
        if let Form::Connect(key) = &self.form {
            // Ours to check, since it was ours to ask; a peer without one did not understand.
            let expected = websocket::accept(key);
            let socket = protocols(headers).any(|one| one.eq_ignore_ascii_case(b"websocket"));
            if socket && headers.get(websocket::ACCEPT) != Some(&expected) {
                return None;
            }
        }
        // The list is sound, and in one line in all but odd cases.
        let lines: Vec<&[u8]> = protocols(headers).collect();
        HeaderValue::from_bytes(&lines.join(&b", "[..])).ok()
    }

    /// Puts a 101 into the words the client asked in.
    pub(crate) fn answer(&self, head: &mut response::Parts) {
        if matches!(self.form, Form::Connect(_)) {
            // RFC 8441 §5: the stream itself is the connection, and the key was ours.
            head.status = StatusCode::OK;
            for name in [header::CONNECTION, header::UPGRADE, websocket::ACCEPT] {
                head.headers.remove(name);
            }
        }
    }
}

/// The protocols that a request offers and that may pass.
fn passed(
    parts: &Parts,
    seen: Seen,
    body: Body,
    allowed: &[UpgradeProtocol],
) -> Option<HeaderValue> {
    // An `Upgrade` that `Connection` does not list was meant for somebody else; and who names
    // settings of HTTP/2 wants h2c, whatever else it offers: both are how requests are smuggled
    // past a proxy.
    if !seen.upgrade || parts.headers.contains_key(HTTP2_SETTINGS) {
        return None;
    }
    // RFC 6455 §4.1: a GET of HTTP/1.1; in HTTP/2 there is no `Connection` but ours. A body would
    // stand between the head and the tunnel.
    let version = matches!(parts.version, Version::HTTP_11 | Version::HTTP_2);
    if parts.method != Method::GET || !version || body == Body::Some {
        return None;
    }
    let offered = protocols(&parts.headers);
    let passed: Vec<&[u8]> = offered
        .filter(|offered| allowed.iter().any(|allowed| allowed.is(offered)))
        .collect();
    if passed.is_empty() {
        return None;
    }
    HeaderValue::from_bytes(&passed.join(&b", "[..])).ok()
}

/// Whether a request has a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Body {
    None,
    Some,
}

/// The protocols that `Upgrade` lists.
fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::UPGRADE).iter();
    let listed = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    listed
        .map(<[u8]>::trim_ascii)
        .filter(|protocol| !protocol.is_empty())
}

const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::inspect;
    use crate::settings::Limits;
    use http::Request;

    fn offer(fields: &[(&'static str, &'static str)], allowed: &[&str]) -> Option<Offer> {
        let mut request = Request::get("/").header("host", "a");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let seen = inspect(&parts, &Limits::default()).unwrap();
        let allowed: Vec<_> = allowed
            .iter()
            .map(|name| UpgradeProtocol::new(name).unwrap())
            .collect();
        Offer::of(&parts, seen, Body::None, &allowed, || 0).unwrap()
    }

    #[test]
    fn only_what_may_pass_is_offered() {
        let listed = ("connection", "keep-alive, Upgrade");
        for (fields, allowed, passed) in [
            (
                &[listed, ("upgrade", "websocket")][..],
                &["websocket"][..],
                Some("websocket"),
            ),
            (
                &[listed, ("upgrade", "WebSocket")],
                &["websocket"],
                Some("WebSocket"),
            ),
            (&[listed, ("upgrade", "websocket")], &[], None),
            (&[("upgrade", "websocket")], &["websocket"], None),
            (&[listed], &["websocket"], None),
            (&[listed, ("upgrade", "h2c")], &["websocket"], None),
            (
                &[listed, ("upgrade", "h2c, websocket, irc/6.9")],
                &["websocket"],
                Some("websocket"),
            ),
            (
                &[listed, ("upgrade", "irc/6.9,,"), ("upgrade", "websocket")],
                &["websocket", "irc/6.9"],
                Some("irc/6.9, websocket"),
            ),
            (&[listed, ("upgrade", "irc")], &["irc/6.9"], None),
            (
                &[listed, ("upgrade", "websocket"), ("http2-settings", "AA")],
                &["websocket"],
                None,
            ),
        ] {
            let offer = offer(fields, allowed);
            let value = offer
                .as_ref()
                .map(|offer| offer.protocols.to_str().unwrap());
            assert_eq!(value, passed, "{fields:?}");
        }
    }

    #[test]
    fn a_peer_switches_to_what_was_offered_or_not_at_all() {
        let offer = offer(
            &[
                ("connection", "upgrade"),
                ("upgrade", "websocket, irc/6.9, other"),
            ],
            &["websocket", "irc/6.9"],
        );
        let offer = offer.unwrap();
        for (lines, accepted) in [
            (&["websocket"][..], Some("websocket")),
            (&["WebSocket"], Some("WebSocket")),
            (&["irc/6.9, websocket"], Some("irc/6.9, websocket")),
            (&["irc/6.9", "websocket"], Some("irc/6.9, websocket")),
            (&[], None),
            (&[""], None),
            (&["other"], None),
            (&["websocket, other"], None),
            (&["irc"], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::UPGRADE, HeaderValue::from_static(line));
            }
            let value = offer.accepted(&headers);
            let value = value.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(value, accepted, "{lines:?}");
        }
    }
}
