//! The file as a tree in which every text and number knows its place.
//!
//! serde hands out values without positions, but the parser puts the position of a scalar into the
//! error that rejects it, and goes on behind it when asked. So the visitor keeps each scalar aside,
//! rejects it, and reads its place off the error: one pass, and every place is exact. A mapping or
//! list begins where its first scalar does.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::source::Mark;

/// A part of the file.
#[derive(Debug)]
pub(crate) enum Node {
    /// Keys and values in order, repeated ones included.
    Mapping(Vec<(Self, Self)>),
    /// A text, number, truth value or nothing.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Self>),
}

/// A text, number, truth value or nothing, and where it begins.
#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) value: Plain,
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
}

/// The value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    Bool(bool),
    Float(f64),
    Integer(i128),
    Null,
    Text(String),
}

impl Node {
    /// Where the first scalar of this part is.
    pub(crate) fn first(&self) -> Option<&Scalar> {
        match self {
            Self::Mapping(entries) => entries.first().and_then(|(key, _)| key.first()),
            Self::Scalar(scalar) => Some(scalar),
            Self::Sequence(items) => items.first().and_then(Self::first),
        }
    }
}

impl Scalar {
    /// The text as one would write it without quotes.
    pub(crate) fn shown(&self) -> String {
        match &self.value {
            Plain::Bool(value) => value.to_string(),
            Plain::Float(value) => value.to_string(),
            Plain::Integer(value) => value.to_string(),
            Plain::Null => String::new(),
            Plain::Text(text) => text.clone(),
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            line: self.line,
            column: self.column,
            length: match &self.value {
                Plain::Text(text) => Some(text.chars().count()),
                _ => None,
            },
        }
    }
}

/// Why there is no tree.
#[derive(Debug)]
pub(crate) struct NoTree {
    pub(crate) message: String,
    /// Line and column, from 1.
    pub(crate) place: Option<(usize, usize)>,
    /// The bound of ours that was met, if it was one.
    pub(crate) hostile: Option<&'static str>,
}

/// Parses a text that the scan has passed. At most [`MAX_NODES`] nodes are made.
pub(crate) fn parse(text: &str) -> Result<Node, NoTree> {
    let state = State::default();
    let seed = Seed {
        state: &state,
        depth: 0,
    };
    let parsed = seed.deserialize(serde_yaml::Deserializer::from_str(text));
    match (parsed, state.scalar.take()) {
        (Ok(node), _) => Ok(node),
        (Err(error), Some(value)) => Ok(scalar_at(value, &error)),
        (Err(error), None) => Err(NoTree {
            hostile: state.hostile.get().or_else(|| {
                // The parser has a bound of its own on what aliases expand to.
                let repeated = error.to_string().contains("limit exceeded");
                repeated.then_some("aliases that stand for more than any configuration has")
            }),
            message: message(&error),
            place: error.location().map(|at| (at.line(), at.column())),
        }),
    }
}

/// What the parser says, without the place, which is shown apart.
fn message(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let end = text.find(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).to_owned()
}

#[derive(Debug, Default)]
struct State {
    /// The scalar that was rejected last.
    scalar: RefCell<Option<Plain>>,
    nodes: Cell<usize>,
    /// The bound of ours that was met.
    hostile: Cell<Option<&'static str>>,
}

impl State {
    fn keep<T, E: Error>(&self, value: Plain) -> Result<T, E> {
        self.scalar.replace(Some(value));
        Err(E::custom(""))
    }

    fn refuse<E: Error>(&self, message: &'static str) -> E {
        self.hostile.set(Some(message));
        E::custom(message)
    }

    /// Counts, and turns a rejected scalar back into one.
    fn settle<E: Error>(&self, parsed: Result<Option<Node>, E>) -> Result<Option<Node>, E> {
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() > MAX_NODES {
            self.scalar.take();
            return Err(self.refuse("more values than any configuration has"));
        }
        match parsed {
            Err(error) => match self.scalar.take() {
                Some(value) => Ok(Some(scalar_at(value, &error))),
                None => Err(error),
            },
            parsed => parsed,
        }
    }
}

/// The scalar with the place that its error ends with: ` at line 3 column 7`. Without one it
/// is at the very beginning.
fn scalar_at(value: Plain, error: &dyn fmt::Display) -> Node {
    let text = error.to_string();
    let place = text.rsplit_once(" at line ").and_then(|(_, place)| {
        let (line, column) = place.split_once(" column ")?;
        Some((line.parse().ok()?, column.parse().ok()?))
    });
    let (line, column) = place.unwrap_or((1, 1));
    Node::Scalar(Scalar {
        value,
        line,
        column,
    })
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    state: &'a State,
    depth: usize,
}

impl Seed<'_> {
    /// For what is inside. The error of each scalar spells out its path, so depth is paid for by
    /// every scalar below.
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.state.refuse("more levels than any configuration has"));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.state.keep(Plain::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.state.keep(Plain::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.state.keep(Plain::Integer(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.state.keep(Plain::Integer(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        let value = i128::try_from(value).unwrap_or(i128::MAX);
        self.state.keep(Plain::Integer(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.state.keep(Plain::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.state.keep(Plain::Text(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.state.keep(Plain::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.state.keep(Plain::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let inside = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = self.state.settle(access.next_element_seed(inside))? {
            items.push(item);
        }
        Ok(Node::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let inside = self.deeper()?;
        let mut entries = Vec::new();
        while let Some(key) = self.state.settle(access.next_key_seed(inside))? {
            let value = self
                .state
                .settle(access.next_value_seed(inside).map(Some))?;
            if let Some(value) = value {
                entries.push((key, value));
            }
        }
        Ok(Node::Mapping(entries))
    }
}

/// Twice the depth of the format.
const MAX_DEPTH: usize = 16;

/// Twice a file of 5,000 groups; bounds what aliases expand to.
const MAX_NODES: usize = 200_000;
