//! A text with variables.

use std::fmt;

/// A text with variables, as in `https://{host}{path}`; a brace of the text itself is doubled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A part of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    /// Itself.
    Text(String),
    /// What the request has for it.
    Variable(Variable),
}

/// What a template can say of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Variable {
    /// `{client_ip}`: the address of the client.
    ClientIp,
    /// `{host}`: the host the client asked for, without a port.
    Host,
    /// `{path}`: the path the client asked for.
    Path,
    /// `{query}`: the query with its `?`; nothing if there is none.
    Query,
    /// `{request_id}`: `X-Request-Id`.
    RequestId,
    /// `{rest}`: the path after what the route has matched.
    Rest,
}

/// Why a text is no template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TemplateError {
    /// A brace that belongs to no variable.
    Brace,
    /// No variable has this name.
    Unknown(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A brace without its other half, or a name that is no variable.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = brace
                .strip_prefix("{{")
                .or_else(|| brace.strip_prefix("}}"))
            {
                plain.push_str(brace.get(..1).unwrap_or_default());
                rest = after;
                continue;
            }
            let inner = brace.strip_prefix('{').ok_or(TemplateError::Brace)?;
            let (name, after) = inner.split_once('}').ok_or(TemplateError::Brace)?;
            let variable =
                Variable::named(name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Variable(variable));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// Its parts, in order; no text is empty.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text, if it is the same for every request.
    pub fn fixed(&self) -> Option<&str> {
        match &self.parts[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text for one request; none if one of its variables has no value.
    pub fn fill<'a>(&self, value: impl Fn(Variable) -> Option<&'a str>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            text.push_str(match part {
                Part::Text(text) => text,
                Part::Variable(variable) => value(*variable)?,
            });
        }
        Some(text)
    }
}

impl Variable {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 6] = [
        Self::ClientIp,
        Self::Host,
        Self::Path,
        Self::Query,
        Self::RequestId,
        Self::Rest,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientIp => "client_ip",
            Self::Host => "host",
            Self::Path => "path",
            Self::Query => "query",
            Self::RequestId => "request_id",
            Self::Rest => "rest",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|variable| variable.name() == name)
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brace => f.write_str("a brace stands alone"),
            Self::Unknown(name) => write!(f, "there is no variable `{name}`"),
        }
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<Option<String>, TemplateError> {
        let template = Template::parse(text)?;
        Ok(template.fill(|variable| match variable {
            Variable::RequestId => None,
            other => Some(other.name()),
        }))
    }

    #[test]
    fn variables_are_filled_and_doubled_braces_are_braces() {
        for (text, expected) in [
            ("", Some("")),
            ("plain", Some("plain")),
            ("https://{host}{path}", Some("https://hostpath")),
            ("{client_ip}", Some("client_ip")),
            ("{{\"a\": {{}}}}", Some("{\"a\": {}}")),
            ("{{host}}", Some("{host}")),
            ("{{{host}}}", Some("{host}")),
            ("a{rest}b{query}c", Some("arestbqueryc")),
            ("x{request_id}", None),
        ] {
            assert_eq!(filled(text), Ok(expected.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn what_is_no_variable_is_an_error() {
        for (text, error) in [
            ("{", TemplateError::Brace),
            ("a}", TemplateError::Brace),
            ("{host", TemplateError::Brace),
            ("{hots}", TemplateError::Unknown("hots".to_owned())),
            ("{}", TemplateError::Unknown(String::new())),
            ("{Host}", TemplateError::Unknown("Host".to_owned())),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_text_without_variables_is_the_same_for_all() {
        for (text, fixed) in [
            ("", true),
            ("a{{b}}", true),
            ("{host}", false),
            ("a{host}", false),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.fixed().is_some(), fixed, "{text}");
        }
    }
}
