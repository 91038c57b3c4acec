//! Attribute values and items.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::number::Number;

/// An item, or the members of a map: attribute names with their values.
pub type Item = BTreeMap<String, AttributeValue>;

/// One DynamoDB attribute value.
///
/// Equality is DynamoDB's: numbers by value, sets whatever their order (sets
/// are kept sorted and without duplicates by whoever builds them).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// A string.
    S(String),
    /// A number of up to 38 significant digits.
    N(Number),
    /// Bytes.
    B(Bytes),
    /// A boolean.
    Bool(bool),
    /// The null value.
    Null,
    /// A list.
    L(Vec<AttributeValue>),
    /// A map.
    M(Item),
    /// A set of strings, sorted by their UTF-8 bytes.
    Ss(Vec<String>),
    /// A set of numbers, sorted by value.
    Ns(Vec<Number>),
    /// A set of byte strings, sorted.
    Bs(Vec<Bytes>),
}

/// What is wrong with the name of an attribute or of a map's member, in the service's words; such a name has 1 to
/// 65,535 bytes.
pub(crate) fn name_problem(name: &str) -> Option<&'static str> {
    match name.len() {
        0 => Some("Empty attribute name"),
        1..=65_535 => None,
        _ => Some("Attribute name is too large, must be less than 65536 bytes"),
    }
}

impl AttributeValue {
    /// The type's name on the wire and in messages: `S`, `N`, `B`, `BOOL`,
    /// `NULL`, `L`, `M`, `SS`, `NS` or `BS`.
    pub fn type_name(&self) -> &'static str {
        match self {
            AttributeValue::S(_) => "S",
            AttributeValue::N(_) => "N",
            AttributeValue::B(_) => "B",
            AttributeValue::Bool(_) => "BOOL",
            AttributeValue::Null => "NULL",
            AttributeValue::L(_) => "L",
            AttributeValue::M(_) => "M",
            AttributeValue::Ss(_) => "SS",
            AttributeValue::Ns(_) => "NS",
            AttributeValue::Bs(_) => "BS",
        }
    }

    /// How many levels the value has: 1 for one that holds no other.
    pub fn levels(&self) -> usize {
        let below = match self {
            AttributeValue::L(values) => values.iter().map(AttributeValue::levels).max(),
            AttributeValue::M(members) => members.values().map(AttributeValue::levels).max(),
            _ => None,
        };
        1 + below.unwrap_or(0)
    }
}

#[cfg(test)]
pub(crate) mod arbitrary;
