//! The top-level attributes of a stored item, without building the item.
//!
//! Indexes need a few of them with every write: their values as keys, and a
//! stored item that has only them.

use super::{Reader, StoredError, TRUNCATED, UNORDERED, VERSION, tag, write_block, write_varint};
use crate::key::KeyType;
use crate::number::Number;
use crate::size;

/// The top-level attributes of one stored item, in the order of their names.
pub struct Attributes<'a> {
    list: Vec<Attribute<'a>>,
}

struct Attribute<'a> {
    name: &'a str,
    /// Tag and body, as stored.
    value: &'a [u8],
    /// The value's size as the service counts it.
    value_bytes: usize,
}

/// A value that could be a key attribute's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyScalar<'a> {
    /// A string's UTF-8, or bytes.
    Bytes(&'a [u8]),
    /// A number.
    Number(Number),
}

impl<'a> Attributes<'a> {
    /// Reads where the attributes of a stored item are.
    pub fn read(bytes: &'a [u8]) -> Result<Self, StoredError> {
        let (_, mut reader) = Reader::open(bytes)?;
        let count = reader.count()?;
        let mut list: Vec<Attribute<'a>> = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let name = reader.text()?;
            if list.last().is_some_and(|previous| previous.name >= name) {
                return Err(UNORDERED);
            }
            let before = reader.rest;
            let value_bytes = reader.measure(1)?;
            let length = before.len() - reader.rest.len();
            list.push(Attribute { name, value: before.get(..length).ok_or(TRUNCATED)?, value_bytes });
        }
        reader.finish()?;
        Ok(Self { list })
    }

    /// The value of an attribute as that of a key attribute of this type; none where the item has no such
    /// attribute, or one of another type.
    pub fn key_scalar(&self, name: &str, key_type: KeyType) -> Option<KeyScalar<'a>> {
        let mut reader = Reader { rest: self.attribute(name)?.value };
        let tag = reader.byte().ok()?;
        match (tag, key_type) {
            (tag::S, KeyType::S) | (tag::B, KeyType::B) => reader.block().ok().map(KeyScalar::Bytes),
            (tag::N, KeyType::N) => reader.number().ok().map(KeyScalar::Number),
            _ => None,
        }
    }

    /// The stored item that has only the attributes `wanted` says yes to.
    pub fn select(&self, wanted: impl Fn(&str) -> bool) -> Vec<u8> {
        let chosen: Vec<&Attribute<'a>> =
            self.list.iter().filter(|attribute| wanted(attribute.name)).collect();
        let item_bytes: usize =
            chosen.iter().map(|attribute| attribute.name.len() + attribute.value_bytes).sum();
        let mut out = Vec::with_capacity(item_bytes + 4 * chosen.len() + 16);
        out.push(VERSION);
        write_varint(item_bytes, &mut out);
        write_varint(chosen.len(), &mut out);
        for attribute in chosen {
            write_block(attribute.name.as_bytes(), &mut out);
            out.extend_from_slice(attribute.value);
        }
        out
    }

    fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        let position = self.list.binary_search_by(|attribute| attribute.name.cmp(name)).ok()?;
        self.list.get(position)
    }
}

impl Reader<'_> {
    /// Reads past a value and says how large the service counts it: what
    /// `size::value_bytes` says of it.
    fn measure(&mut self, level: usize) -> Result<usize, StoredError> {
        Ok(match self.value_tag(level)? {
            tag::S => self.text()?.len(),
            tag::B => self.block()?.len(),
            tag::N => size::number_bytes(self.number()?),
            tag::FALSE | tag::TRUE | tag::NULL => 1,
            tag::L => {
                let count = self.count()?;
                let mut bytes = size::CONTAINER_BYTES + count;
                for _ in 0..count {
                    bytes += self.measure(level + 1)?;
                }
                bytes
            }
            tag::M => {
                let count = self.count()?;
                let mut bytes = size::CONTAINER_BYTES + count;
                let mut previous = None;
                for _ in 0..count {
                    let name = self.text()?;
                    if previous.replace(name).is_some_and(|previous| previous >= name) {
                        return Err(UNORDERED);
                    }
                    bytes += name.len() + self.measure(level + 1)?;
                }
                bytes
            }
            tag::SS => {
                let mut bytes = 0;
                self.set(Reader::text, |text| bytes += text.len())?;
                bytes
            }
            tag::NS => {
                let mut bytes = 0;
                self.set(Reader::number, |number| bytes += size::number_bytes(number))?;
                bytes
            }
            tag::BS => {
                let mut bytes = 0;
                self.set(Reader::block, |block| bytes += block.len())?;
                bytes
            }
            _ => return Err(StoredError::Damaged("a value has an unknown type")),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;
    use crate::attribute::{AttributeValue, arbitrary};
    use crate::stored::{decode, encode};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A stored item made of some attributes of another is what encoding those attributes gives,
        /// size included.
        #[test]
        fn selected_attributes_are_a_stored_item(item in arbitrary::item()) {
            let stored = encode(&item).unwrap();
            let attributes = Attributes::read(&stored).unwrap();
            prop_assert_eq!(&attributes.select(|_| true), &stored);
            let wanted = |name: &str| name.len().is_multiple_of(2);
            let some: crate::attribute::Item =
                item.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
            prop_assert_eq!(attributes.select(wanted), encode(&some).unwrap());
            for (name, value) in &item {
                let expected = match value {
                    AttributeValue::S(text) => (KeyType::S, Some(KeyScalar::Bytes(text.as_bytes()))),
                    AttributeValue::N(number) => (KeyType::N, Some(KeyScalar::Number(*number))),
                    AttributeValue::B(bytes) => (KeyType::B, Some(KeyScalar::Bytes(bytes))),
                    _ => (KeyType::S, None),
                };
                prop_assert_eq!(attributes.key_scalar(name, expected.0), expected.1);
            }
        }

        /// Bytes that are no stored item are refused, whatever they are.
        #[test]
        fn what_does_not_decode_has_no_attributes(mut stored in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(first) = stored.first_mut() {
                *first = VERSION;
            }
            prop_assert_eq!(decode(&stored).is_ok(), Attributes::read(&stored).is_ok());
        }
    }
}
