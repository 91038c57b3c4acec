//! The JSON of a request, in little memory.
//!
//! A body may be millions of small objects, as attribute values are: `{"N":"1"}`. A tree with nodes for many members
//! takes forty times the text for those. Here an object is one block of its members, sorted by name, and a short text
//! lies where it is used; so a document takes a few times its text, whatever it says.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Number, Value};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// `null`
    Null,
    /// `true` and `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Text),
    /// An array.
    Array(Box<[Document]>),
    /// An object.
    Object(Object),
}

/// The members of an object, sorted by name, each name once: of members of one name the last counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Box<[(Text, Document)]>);

/// A text that needs no memory of its own when it is short.
#[derive(Clone)]
pub struct Text(Store);

#[derive(Clone)]
enum Store {
    Inline(u8, [u8; INLINE_BYTES_MAX]),
    Heap(Box<str>),
}

/// What fits beside the length in the room of a boxed text and a tag.
const INLINE_BYTES_MAX: usize = 22;

impl Document {
    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Document> {
        self.as_object()?.get(name)
    }

    /// Takes a member out of an object; afterwards it is null there.
    pub fn take(&mut self, name: &str) -> Option<Document> {
        let Self::Object(Object(members)) = self else { return None };
        let place = Object::place(members, name)?;
        Some(std::mem::replace(&mut members[place].1, Self::Null))
    }

    /// Puts a value where an object has a member of that name already.
    pub fn put(&mut self, name: &str, value: Document) {
        if let Self::Object(Object(members)) = self
            && let Some(place) = Object::place(members, name)
        {
            members[place].1 = value;
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A whole number of 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Document]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The members of an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }
}

impl Object {
    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Document> {
        Self::place(&self.0, name).map(|place| &self.0[place].1)
    }

    /// Whether there is a member of that name.
    pub fn contains_key(&self, name: &str) -> bool {
        Self::place(&self.0, name).is_some()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members in the order of their names.
    pub fn iter(&self) -> Members<'_> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Their names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Their values.
    pub fn values(&self) -> impl Iterator<Item = &Document> {
        self.0.iter().map(|(_, value)| value)
    }

    fn place(members: &[(Text, Document)], name: &str) -> Option<usize> {
        members.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()
    }

    fn of(mut members: Vec<(Text, Document)>) -> Self {
        let is_sorted = members.windows(2).all(|pair| pair[0].0.as_str() < pair[1].0.as_str());
        if !is_sorted {
            // Stable: of members of one name the last in the text stands last.
            members.sort_by(|left, right| left.0.as_str().cmp(right.0.as_str()));
            members.reverse();
            members.dedup_by(|earlier, later| earlier.0 == later.0);
            members.reverse();
        }
        Self(members.into_boxed_slice())
    }
}

/// The members of an object, one after another.
pub type Members<'a> = std::iter::Map<
    std::slice::Iter<'a, (Text, Document)>,
    fn(&'a (Text, Document)) -> (&'a str, &'a Document),
>;

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a str, &'a Document);
    type IntoIter = Members<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Object {
    type Item = (Text, Document);
    type IntoIter = std::vec::IntoIter<(Text, Document)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Store::Inline(length, bytes) => {
                // It was a text when it was put there.
                std::str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default()
            }
            Store::Heap(text) => text,
        }
    }

    /// The text as a string of its own.
    pub fn into_string(self) -> String {
        match self.0 {
            Store::Heap(text) => text.into_string(),
            Store::Inline(..) => self.as_str().to_owned(),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::inline(text).unwrap_or_else(|| Self(Store::Heap(text.into())))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::inline(&text).unwrap_or_else(|| Self(Store::Heap(text.into_boxed_str())))
    }
}

impl Text {
    fn inline(text: &str) -> Option<Self> {
        let mut bytes = [0; INLINE_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(Store::Inline(u8::try_from(text.len()).ok()?, bytes)))
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(out)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Builder)
    }
}

struct Builder;

impl<'de> Visitor<'de> for Builder {
    type Value = Document;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Document, E> {
        Ok(Document::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Document, E> {
        Ok(Document::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Document, E> {
        Ok(Document::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Document, E> {
        Ok(Document::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Document, E> {
        Ok(Number::from_f64(value).map_or(Document::Null, Document::Number))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Document, E> {
        Ok(Document::String(value.into()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Document, E> {
        Ok(Document::String(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Document, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = from.next_element()? {
            elements.push(element);
        }
        Ok(Document::Array(elements.into_boxed_slice()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Document, A::Error> {
        let Some(first) = from.next_entry()? else { return Ok(Document::Object(Object::default())) };
        // Most objects are attribute values, and have one member.
        let mut members = Vec::with_capacity(1);
        members.push(first);
        while let Some(member) = from.next_entry()? {
            members.push(member);
        }
        Ok(Document::Object(Object::of(members)))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Text;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Text, E> {
                Ok(value.into())
            }

            fn visit_string<E: de::Error>(self, value: String) -> Result<Text, E> {
                Ok(value.into())
            }
        }
        from.deserialize_str(Reader)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => out.serialize_unit(),
            Self::Bool(value) => out.serialize_bool(*value),
            Self::Number(number) => number.serialize(out),
            Self::String(text) => out.serialize_str(text),
            Self::Array(elements) => out.collect_seq(elements),
            Self::Object(members) => {
                let mut map = out.serialize_map(Some(members.len()))?;
                for (name, value) in members.iter() {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// As JSON.
impl fmt::Display for Document {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::String(text.into()),
            Value::Array(elements) => Self::Array(elements.into_iter().map(Self::from).collect()),
            Value::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (Text::from(name), Self::from(value)));
                Self::Object(Object::of(members.collect()))
            }
        }
    }
}

impl From<Document> for Value {
    fn from(document: Document) -> Self {
        match document {
            Document::Null => Self::Null,
            Document::Bool(value) => Self::Bool(value),
            Document::Number(number) => Self::Number(number),
            Document::String(text) => Self::String(text.into_string()),
            Document::Array(elements) => elements.into_iter().map(Self::from).collect(),
            Document::Object(members) => Self::Object(
                members.into_iter().map(|(name, value)| (name.into_string(), value.into())).collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Document {
        serde_json::from_str(text).unwrap()
    }

    /// The whole point: a value takes three words, a member six, and neither more than its block.
    #[test]
    fn values_are_small() {
        assert_eq!((size_of::<Text>(), size_of::<Document>()), (24, 24));
    }

    #[test]
    fn of_members_of_one_name_the_last_counts() {
        for (text, expected) in [
            (r#"{"b":1,"a":2,"b":3,"a":4}"#, json!({"a": 4, "b": 3})),
            (r#"{"a":1,"a":null}"#, json!({"a": null})),
            (r#"{"a":1,"b":2}"#, json!({"a": 1, "b": 2})),
        ] {
            assert_eq!(Value::from(read(text)), expected, "{text}");
            assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_taken_is_null_afterwards() {
        let mut document = read(r#"{"a":{"b":[1,"x"]},"c":true}"#);
        assert_eq!(document.take("a"), Some(json!({"b": [1, "x"]}).into()));
        assert_eq!(document.get("a"), Some(&Document::Null));
        assert_eq!(document.take("z"), None);
        assert_eq!(document.get("c").and_then(Document::as_bool), Some(true));
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,30}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// It says what serde_json's own value says: read, looked at, written.
        #[test]
        fn it_is_the_same_document(value in json_value()) {
            let text = value.to_string();
            let document = read(&text);
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&document, &Document::from(value.clone()));
            prop_assert_eq!(document.to_string(), value.to_string());
            if let Some(members) = value.as_object() {
                for (name, member) in members {
                    prop_assert_eq!(document.get(name), Some(&Document::from(member.clone())));
                }
            }
            prop_assert_eq!(Value::from(document), value);
        }
    }
}
