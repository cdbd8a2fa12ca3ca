//! The head of one attempt: the client's, and what is different for this peer.

use http::header::{HeaderName, HeaderValue};
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
    /// Fields of the request that this peer does not see.
    hidden: Vec<HeaderName>,
    /// Fields that only this peer sees.
    added: Vec<(HeaderName, HeaderValue)>,
}

impl<'a> UpstreamHead<'a> {
    /// The head as the client sent it.
    pub fn new(request: &'a request::Parts) -> Self {
        Self {
            request,
            path: None,
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
        let own = || self.added.iter().find(|(added, _)| added == name);
        let sent = self.request.headers.get(name);
        sent.filter(|_| !self.hides(name))
            .or_else(|| own().map(|(_, value)| value))
    }

    /// Whether there is such a field.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// Every field, in no promised order but that values of one name keep theirs.
    pub fn fields(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let sent = self.request.headers.iter();
        let added = self.added.iter().map(|(name, value)| (name, value));
        sent.filter(|(name, _)| !self.hides(name)).chain(added)
    }

    /// Gives a field this value and no other.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        self.added.push((name, value));
    }

    /// Adds a value to a field.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.added.push((name, value));
    }

    /// Leaves a field out.
    pub fn remove(&mut self, name: &HeaderName) {
        self.added.retain(|(added, _)| added != name);
        if self.request.headers.contains_key(name) && !self.hides(name) {
            self.hidden.push(name.clone());
        }
    }

    /// The head as a copy of its own, for codecs that consume it.
    pub fn to_parts(&self) -> request::Parts {
        let mut parts = self.request.clone();
        let path = self.path.as_ref();
        let path = path.or_else(|| self.request.uri.path_and_query());
        parts.uri = path.cloned().map_or_else(Uri::default, Uri::from);
        for name in &self.hidden {
            parts.headers.remove(name);
        }
        for (name, value) in &self.added {
            parts.headers.append(name, value.clone());
        }
        parts
    }

    fn hides(&self, name: &HeaderName) -> bool {
        self.hidden.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, header};

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
