//! The tree against the schema: unknown keys, repeated keys, missing keys, wrong values. What is
//! left is sound in shape and becomes [`crate::file::File`].

mod mapping;
mod scalar;
mod yaml11;

use serde_json::Value;

use crate::environment::Environment;
use crate::finding::{Finding, Findings, Place};
use crate::problem::Code;
use crate::schema;
use crate::source::{Mark, Source};
use crate::tree::{Node, Scalar};

/// The tree against the schema.
pub(crate) struct Shape<'a> {
    pub(crate) source: &'a Source<'a>,
    pub(crate) environment: &'a dyn Environment,
    pub(crate) found: &'a mut Findings,
}

impl Shape<'_> {
    /// The value of a key, with the parts that have problems left out; none if nothing is left.
    /// Each key's place is remembered under its path.
    pub(crate) fn value(
        &mut self,
        node: &Node,
        schema: &'static Value,
        path: &str,
        key: Option<Mark>,
    ) -> Option<Value> {
        if self.found.full() {
            return None;
        }
        let value = match node {
            Node::Scalar(scalar) => Some(scalar.mark()),
            _ => None,
        };
        let first = node.first().map(Scalar::mark);
        // A list item has no key: it is where it begins.
        let key = key.or(first);
        self.found.place(path, Place { key, value });
        let forms = schema::forms(schema);
        match node {
            Node::Mapping(entries) => match of_type(&forms, "object") {
                Some(form) => Some(self.mapping(entries, form, path)),
                None => self.wrong_type("a mapping", &forms, path),
            },
            Node::Scalar(scalar) => self.scalar(scalar, &forms, path),
            Node::Sequence(items) => match of_type(&forms, "array") {
                Some(form) => self.sequence(items, form, path),
                None => self.wrong_type("a list", &forms, path),
            },
        }
    }

    /// The items; none if one of them is unusable, for the positions of the others must not change.
    /// An unusable mapping becomes an empty one instead.
    fn sequence(&mut self, items: &[Node], schema: &'static Value, path: &str) -> Option<Value> {
        let of = schema.get("items").unwrap_or(&Value::Null);
        let object = of_type(&schema::forms(of), "object").is_some();
        if items.is_empty() && schema.get("minItems").is_some() {
            let message = format!("`{}` is empty", last(path));
            let finding = Finding::new(Code::MissingKey, path, message).on_key();
            self.found.add(finding.label("at least one is needed"));
        }
        let mut values = Vec::new();
        let mut sound = true;
        for (i, item) in items.iter().enumerate() {
            match self.value(item, of, &format!("{path}[{i}]"), None) {
                Some(value) => values.push(value),
                None if object => values.push(Value::Object(serde_json::Map::new())),
                None => sound = false,
            }
        }
        sound.then_some(Value::Array(values))
    }

    fn wrong_type(&mut self, is: &str, forms: &[&'static Value], path: &str) -> Option<Value> {
        let expected = scalar::expected(forms);
        let message = format!("`{}` is {is}, but must be {expected}", last(path));
        let finding = Finding::new(Code::WrongType, path, message).on_key();
        self.found
            .add(finding.label(format!("expected {expected}")));
        None
    }
}

/// The form that is an object, or an array.
fn of_type(forms: &[&'static Value], name: &str) -> Option<&'static Value> {
    let mut forms = forms.iter();
    forms
        .find(|form| form.get("type").is_some_and(|is| is == name))
        .copied()
}

/// The last key of a path, without the position in a list.
pub(crate) fn last(path: &str) -> &str {
    let key = path.rsplit('.').next().unwrap_or(path);
    key.split('[').next().unwrap_or(key)
}
