//! A JSON body as it was written: members keep their order, and a name that stands twice stands twice. Two readers may take another one of them.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Null.
    Null,
    /// A text, a number as it is written, `true` or `false`.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// An object.
    Object(Vec<(String, Node)>),
}

/// How deep a body may be nested.
const DEEPEST: usize = 32;

impl Node {
    /// Reads a text; `None` if it is no JSON, or nested too deeply.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let value: &RawValue = serde_json::from_slice(text).ok()?;
        read(value, DEEPEST)
    }

    /// The member of this name, in any case; the first of several.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(known, _)| super::folded(known) == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A plain value.
    pub(super) fn scalar(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it says nothing: null, an empty text, list or object.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Scalar(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }
}

fn read(value: &RawValue, deeper: usize) -> Option<Node> {
    let deeper = deeper.checked_sub(1)?;
    let text = value.get();
    Some(match text.as_bytes().first()? {
        b'{' => {
            let Members(members) = serde_json::from_str(text).ok()?;
            Node::Object(members.into_iter().map(|(name, value)| Some((name, read(value, deeper)?))).collect::<Option<_>>()?)
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Node::List(items.into_iter().map(|item| read(item, deeper)).collect::<Option<_>>()?)
        }
        b'"' => Node::Scalar(serde_json::from_str(text).ok()?),
        b'n' => Node::Null,
        _ => Node::Scalar(text.to_owned()),
    })
}

/// The members of an object, those of one name as well.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, _: S) -> Result<Self::Value, S::Error> {
                Err(serde::de::Error::custom("a list is no object"))
            }
        }
        deserializer.deserialize_map(All)
    }
}
