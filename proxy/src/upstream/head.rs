//! The head of one attempt: the client's, and what is different for this peer.

use http::header::{self, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Uri, request};

/// The request head of one attempt: what the client sent, hop-by-hop fields gone and forwarding
/// fields set, with edits for one peer.
///
/// The client's head is borrowed, not copied: every attempt begins from the same one.
#[derive(Debug)]
pub struct UpstreamHead<'a> {
    request: &'a request::Parts,
    path: Option<PathAndQuery>,
    /// The `Host` of this peer, if it is not the client's: the one field that is often another.
    host: Option<HeaderValue>,
    /// Fields of the request that this peer does not see: told by where their values are, which is
    /// one comparison for each that it sees.
    hidden: Vec<(HeaderName, &'a HeaderValue)>,
    /// Fields that only this peer sees.
    added: Vec<(HeaderName, HeaderValue)>,
}

impl<'a> UpstreamHead<'a> {
    /// The head as the client sent it.
    pub fn new(request: &'a request::Parts) -> Self {
        Self {
            request,
            path: None,
            host: None,
            hidden: Vec::new(),
            added: Vec::new(),
        }
    }

    /// The method.
    pub fn method(&self) -> &'a Method {
        &self.request.method
    }

    /// The target, in origin form whatever the client sent (RFC 9112 §3.2.1); `/` if it has none.
    pub fn path_and_query(&self) -> &str {
        let path = self.path.as_ref();
        match path.or_else(|| self.request.uri.path_and_query()) {
            Some(path) => path.as_str(),
            None => "/",
        }
    }

    /// Sends another target.
    pub fn set_path(&mut self, path: PathAndQuery) {
        self.path = Some(path);
    }

    /// The first value of a field.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        if self.host.is_some() && *name == HOST {
            return self.host.as_ref();
        }
        let own = || self.added.iter().find(|(added, _)| added == name);
        let sent = self.request.headers.get(name);
        sent.filter(|value| !self.hides(value))
            .or_else(|| own().map(|(_, value)| value))
    }

    /// Whether there is such a field.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// Every field, in no promised order but that values of one name keep theirs.
    pub fn fields(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let host = self.host.iter().map(|value| (&HOST, value));
        let replaced = |name: &HeaderName| self.host.is_some() && *name == HOST;
        host.chain(self.others().filter(move |(name, _)| !replaced(name)))
    }

    /// Every field but its own `Host`; the client's may be among them, and [`get`](Self::get) knows
    /// which of both counts.
    pub(super) fn others(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let sent = self.request.headers.iter();
        let added = self.added.iter().map(|(name, value)| (name, value));
        sent.filter(|(_, value)| !self.hides(value)).chain(added)
    }

    /// Gives the peer this `Host`.
    pub fn set_host(&mut self, host: HeaderValue) {
        self.host = Some(host);
    }

    /// Gives a field this value and no other.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        if name == HOST {
            self.host = Some(value);
        } else {
            self.added.push((name, value));
        }
    }

    /// Adds a value to a field.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.added.push((name, value));
    }

    /// Leaves a field out.
    pub fn remove(&mut self, name: &HeaderName) {
        self.added.retain(|(added, _)| added != name);
        if *name == HOST {
            self.host = None;
        }
        for value in self.request.headers.get_all(name) {
            if !self.hides(value) {
                self.hidden.push((name.clone(), value));
            }
        }
    }

    /// The head as a copy of its own, for codecs that consume it.
    pub fn to_parts(&self) -> request::Parts {
        let mut parts = self.request.clone();
        let path = self.path.as_ref();
        let path = path.or_else(|| self.request.uri.path_and_query());
        parts.uri = path.cloned().map_or_else(Uri::default, Uri::from);
        for (name, _) in &self.hidden {
            parts.headers.remove(name);
        }
        if let Some(host) = &self.host {
            parts.headers.insert(&HOST, host.clone());
        }
        for (name, value) in &self.added {
            parts.headers.append(name, value.clone());
        }
        parts
    }

    fn hides(&self, value: &HeaderValue) -> bool {
        let mut hidden = self.hidden.iter();
        hidden.any(|(_, hidden)| std::ptr::eq(*hidden, value))
    }
}

static HOST: HeaderName = header::HOST;

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn sent() -> request::Parts {
        let request = Request::get("http://a/b?c").header("host", "a");
        let request = request.header("x-a", "1").header("x-a", "2");
        request.body(()).unwrap().into_parts().0
    }

    type Edit = fn(&mut UpstreamHead<'_>, &HeaderName);

    fn all(head: &UpstreamHead<'_>, name: &HeaderName) -> Vec<String> {
        let fields = head.fields().filter(|(present, _)| *present == name);
        let seen: Vec<_> = fields
            .map(|(_, value)| value.to_str().unwrap().to_owned())
            .collect();
        let copied = head.to_parts();
        let copied = copied.headers.get_all(name).iter();
        let copied: Vec<_> = copied.map(|value| value.to_str().unwrap()).collect();
        assert_eq!(seen, copied, "the copy says the same");
        let first = head.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(first, seen.first().map(String::as_str));
        seen
    }

    #[test]
    fn edits_show_in_every_view_and_leave_the_request_alone() {
        let sent = sent();
        let x = HeaderName::from_static("x-a");
        let value = HeaderValue::from_static;
        let rows: [(Edit, &[&str]); 6] = [
            (|_, _| {}, &["1", "2"]),
            (|head, x| head.remove(x), &[]),
            (
                |head, x| head.append(x.clone(), HeaderValue::from_static("3")),
                &["1", "2", "3"],
            ),
            (
                |head, x| head.set(x.clone(), HeaderValue::from_static("3")),
                &["3"],
            ),
            (
                |head, x| {
                    head.set(x.clone(), HeaderValue::from_static("3"));
                    head.append(x.clone(), HeaderValue::from_static("4"));
                },
                &["3", "4"],
            ),
            (
                |head, x| {
                    head.append(x.clone(), HeaderValue::from_static("3"));
                    head.remove(x);
                    head.append(x.clone(), HeaderValue::from_static("4"));
                },
                &["4"],
            ),
        ];
        for (row, (edit, expected)) in rows.into_iter().enumerate() {
            let mut head = UpstreamHead::new(&sent);
            edit(&mut head, &x);
            assert_eq!(all(&head, &x), expected, "row {row}");
            assert_eq!(head.get(&header::HOST), Some(&value("a")), "row {row}");
        }
        assert_eq!(sent.headers.get_all(&x).iter().count(), 2);
    }

    #[test]
    fn the_host_of_a_peer_stands_for_that_of_the_client() {
        let sent = sent();
        let value = HeaderValue::from_static;
        let rows: [(Edit, &[&str]); 5] = [
            (|_, _| {}, &["b"]),
            (|head, host| head.remove(host), &[]),
            (
                |head, host| head.set(host.clone(), HeaderValue::from_static("c")),
                &["c"],
            ),
            (
                |head, host| {
                    head.remove(host);
                    head.set_host(HeaderValue::from_static("c"));
                },
                &["c"],
            ),
            (
                |head, _| head.remove(&HeaderName::from_static("x-a")),
                &["b"],
            ),
        ];
        for (row, (edit, expected)) in rows.into_iter().enumerate() {
            let mut head = UpstreamHead::new(&sent);
            head.set_host(value("b"));
            edit(&mut head, &HOST);
            assert_eq!(all(&head, &HOST), expected, "row {row}");
        }
        assert_eq!(sent.headers.get(&HOST), Some(&value("a")));
    }

    #[test]
    fn the_target_is_in_origin_form() {
        let sent = sent();
        let mut head = UpstreamHead::new(&sent);
        assert_eq!(head.path_and_query(), "/b?c");
        assert_eq!(head.to_parts().uri, "/b?c");
        head.set_path(PathAndQuery::from_static("/d"));
        assert_eq!(head.path_and_query(), "/d");
        assert_eq!(head.to_parts().uri, "/d");
    }
}
