//! What operators and functions make of two values.

use std::cmp::Ordering;

use crate::attribute::AttributeValue;
use crate::number::Number;

/// The comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparator {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Comparator::Equal => "=",
            Comparator::NotEqual => "<>",
            Comparator::Less => "<",
            Comparator::LessOrEqual => "<=",
            Comparator::Greater => ">",
            Comparator::GreaterOrEqual => ">=",
        }
    }

    /// Whether the operator compares order, which only some types have.
    pub(super) fn is_order(self) -> bool {
        !matches!(self, Comparator::Equal | Comparator::NotEqual)
    }

    /// The operator with its operands exchanged.
    pub(crate) fn mirrored(self) -> Comparator {
        match self {
            Comparator::Less => Comparator::Greater,
            Comparator::LessOrEqual => Comparator::GreaterOrEqual,
            Comparator::Greater => Comparator::Less,
            Comparator::GreaterOrEqual => Comparator::LessOrEqual,
            same => same,
        }
    }

    /// Whether the comparison is true. A missing operand is unequal to
    /// everything, also to another missing one, and has no order.
    pub(super) fn holds(self, left: Option<&AttributeValue>, right: Option<&AttributeValue>) -> bool {
        let (Some(left), Some(right)) = (left, right) else {
            return self == Comparator::NotEqual;
        };
        match self {
            Comparator::Equal => left == right,
            Comparator::NotEqual => left != right,
            Comparator::Less => order(left, right).is_some_and(Ordering::is_lt),
            Comparator::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
            Comparator::Greater => order(left, right).is_some_and(Ordering::is_gt),
            Comparator::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
        }
    }
}

/// Whether values of the type have an order.
pub(super) fn has_order(type_name: &str) -> bool {
    matches!(type_name, "S" | "N" | "B")
}

/// The order of two values of one type that has an order: numbers by value,
/// strings by their UTF-8 bytes, binaries by their bytes.
pub(super) fn order(left: &AttributeValue, right: &AttributeValue) -> Option<Ordering> {
    match (left, right) {
        (AttributeValue::S(left), AttributeValue::S(right)) => Some(left.cmp(right)),
        (AttributeValue::N(left), AttributeValue::N(right)) => Some(left.cmp(right)),
        (AttributeValue::B(left), AttributeValue::B(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// `begins_with`: strings and binaries by their bytes, of one type.
pub(super) fn begins_with(value: &AttributeValue, prefix: &AttributeValue) -> bool {
    match (value, prefix) {
        (AttributeValue::S(value), AttributeValue::S(prefix)) => value.starts_with(prefix.as_str()),
        (AttributeValue::B(value), AttributeValue::B(prefix)) => value.starts_with(prefix),
        _ => false,
    }
}

/// `contains`: a part of a string or binary, an element of a set or list.
pub(super) fn contains(value: &AttributeValue, part: &AttributeValue) -> bool {
    match (value, part) {
        (AttributeValue::S(value), AttributeValue::S(part)) => value.contains(part.as_str()),
        (AttributeValue::B(value), AttributeValue::B(part)) => contains_bytes(value, part),
        (AttributeValue::Ss(elements), AttributeValue::S(part)) => elements.contains(part),
        (AttributeValue::Ns(elements), AttributeValue::N(part)) => elements.contains(part),
        (AttributeValue::Bs(elements), AttributeValue::B(part)) => elements.contains(part),
        (AttributeValue::L(elements), part) => elements.contains(part),
        _ => false,
    }
}

/// Takes time in proportion to both lengths, not to their product.
fn contains_bytes(value: &[u8], part: &[u8]) -> bool {
    if part.is_empty() {
        return true;
    }
    if value.len().saturating_mul(part.len()) < 1 << 16 {
        return value.windows(part.len()).any(|window| window == part);
    }
    // The search in strings is linear; a byte becomes the character of its number.
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    text(value).contains(&text(part))
}

/// `size`: a string's length in UTF-16 code units, a binary's in bytes, how
/// many elements a set, list or map has; none for the other types.
pub(super) fn size(value: &AttributeValue) -> Option<Number> {
    let size = match value {
        AttributeValue::S(text) => text.encode_utf16().count(),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Ss(elements) => elements.len(),
        AttributeValue::Ns(elements) => elements.len(),
        AttributeValue::Bs(elements) => elements.len(),
        AttributeValue::L(elements) => elements.len(),
        AttributeValue::M(members) => members.len(),
        AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => return None,
    };
    i64::try_from(size).ok().map(Number::from)
}
