//! Sizes and capacity units, as the service counts them.
//!
//! These sizes decide what is refused and what is billed; they are not the
//! bytes that we store. The rules are those of the developer guide's page on
//! item sizes, with the details that were measured on the service.

use crate::attribute::{AttributeValue, Item};
use crate::number::Number;

/// The largest item: 400 KB, names and values together.
pub const ITEM_BYTES_MAX: usize = 400 * 1024;

/// How many bytes one read capacity unit covers.
pub const READ_UNIT_BYTES: usize = 4 * 1024;

/// How many bytes one write capacity unit covers.
pub const WRITE_UNIT_BYTES: usize = 1024;

/// The size of an item in bytes: of each attribute, its name's UTF-8 and its value.
pub fn item_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

/// The size of an attribute value in bytes, without its name.
pub fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_bytes(*number),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Bool(_) | AttributeValue::Null => 1,
        AttributeValue::L(values) => {
            CONTAINER_BYTES + values.len() + values.iter().map(value_bytes).sum::<usize>()
        }
        AttributeValue::M(members) => CONTAINER_BYTES + members.len() + item_bytes(members),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().copied().map(number_bytes).sum(),
        AttributeValue::Bs(blobs) => blobs.iter().map(|bytes| bytes.len()).sum(),
    }
}

/// The size of a number: one byte and one for every two digits, counted in
/// pairs from the decimal point, and one more for a negative number that does
/// not fill its 20 pairs. At most 21.
pub fn number_bytes(number: Number) -> usize {
    let digits = number.significant_digits() as usize;
    if digits == 0 {
        return 1;
    }
    // An even count of digits that begins in the middle of a pair takes one pair more.
    let starts_in_pair = number.magnitude() % 2 == 0;
    let pairs = digits.div_ceil(2) + usize::from(digits.is_multiple_of(2) && starts_in_pair);
    1 + pairs + usize::from(number.is_negative() && pairs < NUMBER_PAIRS_MAX)
}

/// Capacity units for reading `bytes` at once: at least one unit, and half as
/// much where the read may be eventually consistent.
pub fn read_units(bytes: usize, consistent: bool) -> f64 {
    let units = bytes.div_ceil(READ_UNIT_BYTES).max(1) as f64;
    if consistent { units } else { units / 2.0 }
}

/// Capacity units for writing an item whose larger version, before or after,
/// has `bytes`: at least one.
pub fn write_units(bytes: usize) -> f64 {
    bytes.div_ceil(WRITE_UNIT_BYTES).max(1) as f64
}

/// What a list or map takes apart from its members.
pub(crate) const CONTAINER_BYTES: usize = 3;
const NUMBER_PAIRS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;
    use crate::json::item_from_json_owned;

    fn number_size(text: &str) -> usize {
        number_bytes(Number::parse(text).unwrap())
    }

    /// Two items that were measured on the service to be just within 4 KB:
    /// one unit to read, and two with one byte more.
    #[test]
    fn items_at_the_edge_of_a_unit_are_counted_to_the_byte() {
        let first = |filler: usize| {
            json!({
                "a": {"S": "0123456789"},
                "bb": {"S": "b".repeat(filler)},
                "ccc": {"N": "12.3456"},
                "dddd": {"B": "AQI="},
                "eeeee": {"BS": ["AQI=", "Ag==", "AQ=="]},
                "ffffff": {"NULL": true},
                "ggggggg": {"BOOL": false},
                "hhhhhhhh": {"L": [{"S": "a"}, {"S": "aa"}, {"S": "bb"}, {"S": "ccc"}]},
                "iiiiiiiii": {"M": {"aa": {"S": "aa"}, "bbb": {"S": "bbb"}}},
            })
        };
        let second = |filler: usize| {
            json!({
                "a": {"S": "0123456789"},
                "ab": {"S": "b".repeat(filler)},
                "abc": {"NULL": true},
                "abcd": {"BOOL": true},
                "abcde": {"L": [{"S": "aa"}, {"N": "12.3456"}, {"B": "AQI="}]},
                "abcdef": {"M": {"aa": {"S": "aa"}, "bbb": {"N": "12.3456"}, "cccc": {"B": "AQI="}}},
            })
        };
        let size = |json| item_bytes(&item_from_json_owned(json).unwrap());
        assert_eq!(size(first(3999)), READ_UNIT_BYTES);
        assert_eq!(size(second(4026)), READ_UNIT_BYTES);
        assert_eq!(read_units(size(first(3999)), true), 1.0);
        assert_eq!(read_units(size(first(4000)), true), 2.0);
        assert_eq!(read_units(size(second(4026)), false), 0.5);
        assert_eq!(read_units(size(second(4027)), false), 1.0);
    }

    /// Sizes measured on the service by filling items up to the limit.
    #[test]
    fn numbers_are_counted_in_pairs_of_digits() {
        let zeros = |count: usize| "0".repeat(count);
        assert_eq!(number_size("0"), 1);
        assert_eq!(number_size(&format!("{}{}", "1".repeat(38), zeros(88))), 20);
        assert_eq!(number_size(&format!("1{}", zeros(125))), 2);
        assert_eq!(number_size(&format!("11{}", zeros(124))), 2);
        assert_eq!(number_size(&format!("11111{}", zeros(121))), 4);
        assert_eq!(number_size(&format!("111111{}", zeros(120))), 4);
        assert_eq!(number_size(&format!("1111111{}", zeros(119))), 5);
        assert_eq!(number_size("1.2"), 3);
        assert_eq!(number_size("12"), 2);
        assert_eq!(number_size("-12"), 3);
        assert_eq!(number_size("-1.2345678901234567890123456789012345678"), 21);
    }

    #[test]
    fn nothing_is_read_or_written_for_free() {
        assert_eq!(read_units(0, true), 1.0);
        assert_eq!(read_units(0, false), 0.5);
        assert_eq!(write_units(0), 1.0);
        assert_eq!(write_units(1024), 1.0);
        assert_eq!(write_units(1025), 2.0);
    }
}
