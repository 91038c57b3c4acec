//! Ranges of stored keys: a partition's items, a segment of a Scan, what lies beyond a page.

use std::ops::Bound;

use super::{KeyValue, kind, partition_prefix};

/// A condition on the sort key, as a Query has at most one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortCondition {
    /// `=`
    Equal(KeyValue),
    /// `<`
    Less(KeyValue),
    /// `<=`
    LessOrEqual(KeyValue),
    /// `>`
    Greater(KeyValue),
    /// `>=`
    GreaterOrEqual(KeyValue),
    /// `BETWEEN lower AND upper`, both included.
    Between(KeyValue, KeyValue),
    /// `begins_with`, of a string or of bytes.
    BeginsWith(KeyValue),
}

/// A range of stored keys that is not empty: from the first bound up to the second.
pub type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The stored keys of a partition's items that meet the condition, in the
/// order of their sort keys; all of them without a condition. None where no
/// key can: a `Between` whose lower value is the greater one.
pub fn sort_range(hash: &KeyValue, condition: Option<&SortCondition>) -> Option<KeyRange> {
    // No key lies between a key and the same with a zero byte more.
    let next = |mut key: Vec<u8>| {
        key.push(0);
        key
    };
    sort_range_of(partition_prefix(hash), condition, next)
}

/// The keys that begin with `prefix` and go on with the encoding of a value that meets the condition. `beyond` is the
/// first key after all that have the value which a key ends with, or goes on behind.
pub(crate) fn sort_range_of(
    prefix: Vec<u8>,
    condition: Option<&SortCondition>,
    beyond: impl Fn(Vec<u8>) -> Vec<u8>,
) -> Option<KeyRange> {
    let at = |value: &KeyValue| {
        let mut key = prefix.clone();
        value.encode(&mut key);
        key
    };
    let after = |value: &KeyValue| beyond(at(value));
    let (start, end) = match condition {
        None => (prefix.clone(), successor(prefix)),
        Some(SortCondition::Equal(value)) => (at(value), after(value)),
        Some(SortCondition::Less(value)) => (prefix.clone(), at(value)),
        Some(SortCondition::LessOrEqual(value)) => (prefix.clone(), after(value)),
        Some(SortCondition::Greater(value)) => (after(value), successor(prefix)),
        Some(SortCondition::GreaterOrEqual(value)) => (at(value), successor(prefix)),
        Some(SortCondition::Between(lower, upper)) => (at(lower), after(upper)),
        Some(SortCondition::BeginsWith(value)) => {
            let mut start = prefix;
            value.encode_open(&mut start);
            (start.clone(), successor(start))
        }
    };
    (start < end).then_some((Bound::Included(start), Bound::Excluded(end)))
}

/// The stored keys of all items, or of those after one of them.
pub fn items_after(after: Option<&[u8]>) -> KeyRange {
    let start = after.map_or(Bound::Included(vec![kind::ITEM]), |after| Bound::Excluded(after.to_vec()));
    (start, Bound::Excluded(vec![kind::ITEM + 1]))
}

/// The stored keys of one segment of a parallel Scan. The segments of one
/// `total` cover all items, none of them twice.
///
/// None unless `segment < total`.
pub fn segment_range(segment: u32, total: u32) -> Option<KeyRange> {
    segment_range_of(&[kind::ITEM], segment, total)
}

/// One segment of the stored keys that begin with `prefix` and a hash.
pub(crate) fn segment_range_of(prefix: &[u8], segment: u32, total: u32) -> Option<KeyRange> {
    if segment >= total {
        return None;
    }
    let boundary = |segment: u32| {
        let hash = (u128::from(segment) << 64) / u128::from(total);
        match u64::try_from(hash) {
            Ok(hash) => [prefix, &hash.to_be_bytes()].concat(),
            Err(_) => successor(prefix.to_vec()),
        }
    };
    Some((Bound::Included(boundary(segment)), Bound::Excluded(boundary(segment + 1))))
}

/// The part of `range` that lies beyond `key`, where a page ended: after it
/// going forward, before it going backward. None where nothing is left.
pub fn beyond(range: KeyRange, key: &[u8], forward: bool) -> Option<KeyRange> {
    let (start, end) = range;
    let (start, end) = if forward {
        let mut after = key.to_vec();
        after.push(0);
        let start = match start {
            Bound::Included(start) if start > after => start,
            _ => after,
        };
        (Bound::Included(start), end)
    } else {
        let end = match end {
            Bound::Excluded(end) if end.as_slice() < key => end,
            _ => key.to_vec(),
        };
        (start, Bound::Excluded(end))
    };
    match (&start, &end) {
        (Bound::Included(first), Bound::Excluded(last)) if first >= last => None,
        _ => Some((start, end)),
    }
}

/// Whether `key` lies in `range`.
pub fn contains((start, end): &KeyRange, key: &[u8]) -> bool {
    let after_start = match start {
        Bound::Included(start) => start.as_slice() <= key,
        Bound::Excluded(start) => start.as_slice() < key,
        Bound::Unbounded => true,
    };
    let before_end = match end {
        Bound::Included(end) => key <= end.as_slice(),
        Bound::Excluded(end) => key < end.as_slice(),
        Bound::Unbounded => true,
    };
    after_start && before_end
}

/// The first key after all that begin with `prefix`, which begins with a kind.
pub(crate) fn successor(mut prefix: Vec<u8>) -> Vec<u8> {
    while prefix.pop_if(|byte| *byte == u8::MAX).is_some() {}
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}
