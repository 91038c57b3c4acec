//! Random attribute values for property tests.

use bytes::Bytes;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::{AttributeValue, Item};
use crate::number::{Number, NumberError};

/// The text of a number that may be too large or too small, but has no more
/// than 38 digits. Half of the exponents are close to each other.
pub(crate) fn number_text() -> impl Strategy<Value = String> {
    let digits = "[1-9][0-9]{0,37}|[0-9]{1,3}|9{1,38}|10{0,37}";
    let exponent = prop_oneof![-40..40i32, -170..130i32];
    (any::<bool>(), digits, exponent).prop_map(|(negative, digits, exponent)| {
        let sign = if negative { "-" } else { "" };
        format!("{sign}{digits}e{exponent}")
    })
}

pub(crate) fn number() -> impl Strategy<Value = Number> {
    number_text().prop_filter_map("out of range", |text| match Number::parse(&text) {
        Ok(number) => Some(number),
        Err(NumberError::Overflow | NumberError::Underflow) => None,
        Err(other) => panic!("{text}: {other}"),
    })
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,3}", "\\PC{0,8}", "[\0-\u{1f}\"\\\\\u{7f}é\u{1f512}]{0,6}"]
}

pub(crate) fn binary() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..10).prop_map(Bytes::from)
}

pub(crate) fn value() -> impl Strategy<Value = AttributeValue> {
    let leaf = prop_oneof![
        text().prop_map(AttributeValue::S),
        number().prop_map(AttributeValue::N),
        binary().prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null),
        btree_set(text(), 1..4).prop_map(|set| AttributeValue::Ss(set.into_iter().collect())),
        btree_set(number(), 1..4).prop_map(|set| AttributeValue::Ns(set.into_iter().collect())),
        btree_set(binary(), 1..4).prop_map(|set| AttributeValue::Bs(set.into_iter().collect())),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            btree_map(name(), inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

pub(crate) fn item() -> impl Strategy<Value = Item> {
    btree_map(name(), value(), 0..6)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,2}", "\\PC{1,4}", "[\0-\u{1f}\"\\\\\u{7f}é\u{1f512}]{1,6}"]
}
