//! The few keys of a JSON-RPC message that matter here.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Method;
use super::message::Tie;

/// The keys of a JSON-RPC message. A key that comes twice is an error.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) method: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) params: Lenient<Params<'a>>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) error: Option<&'a RawValue>,
}

/// The keys of `params`.
#[derive(Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(borrow, default, deserialize_with = "raw")]
    name: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    uri: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "taskId", deserialize_with = "raw")]
    task_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    task: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    cursor: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "requestState", deserialize_with = "raw")]
    request_state: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "inputResponses", deserialize_with = "raw")]
    input_responses: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    pub(super) meta: Lenient<Meta<'a>>,
}

/// The keys of `_meta`.
#[derive(Default, Deserialize)]
pub(super) struct Meta<'a> {
    #[serde(borrow, default, rename = "progressToken", deserialize_with = "raw")]
    pub(super) progress_token: Option<&'a RawValue>,
    #[serde(
        borrow,
        default,
        rename = "io.modelcontextprotocol/protocolVersion",
        deserialize_with = "raw"
    )]
    pub(super) version: Option<&'a RawValue>,
}

impl<'a> Params<'a> {
    /// What `Mcp-Name` mirrors for this method (MCP 2026-07-28 "Standard Headers", SEP-2663).
    pub(super) fn name_for(&self, method: Method) -> Option<&'a RawValue> {
        match method {
            Method::ToolsCall | Method::PromptsGet => self.name,
            Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
                self.uri
            }
            Method::TasksCancel | Method::TasksGet | Method::TasksResult | Method::TasksUpdate => {
                self.task_id
            }
            _ => None,
        }
    }

    /// What ties the request to an earlier answer.
    pub(super) fn tie(&self) -> Option<Tie> {
        if self.task.is_some() {
            Some(Tie::Task)
        } else if self.request_state.is_some() || self.input_responses.is_some() {
            Some(Tie::Continuation)
        } else if self.cursor.is_some() {
            Some(Tie::Cursor)
        } else {
            None
        }
    }
}

/// Takes a value as it is. `null` counts as present: an id of null is not a missing id.
fn raw<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A `T` from an object; the default from anything else, which is the peer's to judge.
#[derive(Default)]
pub(super) struct Lenient<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor(PhantomData))
    }
}

struct LenientVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for LenientVisitor<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Lenient)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Lenient(T::default()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Lenient(T::default()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Lenient(T::default()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Lenient(T::default()))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Lenient(T::default()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Lenient(T::default()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Lenient(T::default()))
    }
}
