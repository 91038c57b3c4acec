//! Which parts of a table a SELECT reads.
//!
//! Equality or IN on the partition key makes reads of those partitions, and
//! conditions on the sort key narrow them; OR makes the reads of all its
//! alternatives. Anything else is a scan. The whole condition then filters what
//! was read, so a plan may be wider than the condition and never narrower.

use std::ops::Bound;

use super::keys::{check_key_value, compared, conjuncts, equal_value, is_attribute};
use super::syntax::{ExprKind, OrderItem};
use super::{PartiqlError, Select};
use crate::expression::{Comparator, Function, Operand, Term};
use crate::index::{IndexCondition, IndexSchema};
use crate::key::{self, KeyAttribute, KeyRange, KeySchema, KeyValue, SortCondition};

/// How a SELECT reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The parts to read, one after another; none for a scan of everything.
    /// They do not overlap.
    pub sections: Option<Vec<Section>>,
    /// Whether each part is read backwards.
    pub descending: bool,
    /// Whether one condition on the partition key holds for everything that is read.
    pub is_keyed: bool,
}

/// A part of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The stored keys of the part.
    pub range: KeyRange,
    /// The only key that can be in it, where the whole primary key is given.
    pub point: Option<Vec<u8>>,
    /// Where IN names the partitions: which page of them. A page does not go beyond its partitions.
    pub page: usize,
    /// The partition; none of what is not within one.
    hash: Option<KeyValue>,
}

/// The most reads that one statement makes; the documentation names this
/// bound for the partition keys of IN.
const SECTIONS_MAX: usize = 50;

/// How many of the partitions that IN names are read in one page: "Results are
/// returned in pages of up to 10 items", says the documentation, and that a
/// longer list has a NextToken.
const PARTITIONS_PER_PAGE: usize = 10;

/// The keys by which a table or an index is read.
struct Keys<'a> {
    hash: &'a KeyAttribute,
    range: Option<&'a KeyAttribute>,
    /// The stored keys of a part of a partition.
    range_of: &'a dyn Fn(&KeyValue, Option<&SortCondition>) -> Option<KeyRange>,
    /// Whether no two rows have the same keys.
    is_unique: bool,
}

/// One alternative of a condition.
struct Branch<'a> {
    hashes: Vec<KeyValue>,
    /// Conditions on the sort key that ranges can serve.
    sorts: Vec<&'a Term>,
    /// Whether there are others on it.
    has_other_sorts: bool,
}

/// The keys of ORDER BY.
pub(super) fn order(items: &[OrderItem], has_condition: bool) -> Result<Vec<(String, bool)>, PartiqlError> {
    if !items.is_empty() && !has_condition {
        return Err(PartiqlError::new("Must have WHERE clause in the statement when using ORDER BY clause."));
    }
    let items = items.iter().map(|item| match &item.expr.kind {
        ExprKind::Name(name) => Ok((name.clone(), item.descending)),
        other => {
            let name = match other {
                ExprKind::Path(..) => "PATH",
                ExprKind::Number(text) | ExprKind::String(text) => text,
                other => other.operation_name(),
            };
            Err(PartiqlError::new(format!(
                "Argument to ORDER BY must be of type VariableReference. Type: {name}"
            )))
        }
    });
    items.collect()
}

impl Select {
    /// How to read, given the keys of the table.
    pub fn plan(&self, schema: &KeySchema) -> Result<Plan, PartiqlError> {
        self.plan_by(&Keys {
            hash: &schema.hash,
            range: schema.range.as_ref(),
            range_of: &key::sort_range,
            is_unique: true,
        })
    }

    /// How to read an index.
    pub fn plan_on_index(&self, index: &IndexSchema) -> Result<Plan, PartiqlError> {
        let ([hash], true) = (&index.hash[..], has_single_keys(index)) else {
            return Err(PartiqlError::new(SEVERAL_ATTRIBUTES));
        };
        let range_of = |hash: &KeyValue, sort: Option<&SortCondition>| {
            let condition =
                IndexCondition { hash: vec![hash.clone()], equal: Vec::new(), sort: sort.cloned() };
            index.query_range(&condition)
        };
        self.plan_by(&Keys { hash, range: index.range.first(), range_of: &range_of, is_unique: false })
    }

    fn plan_by(&self, keys: &Keys<'_>) -> Result<Plan, PartiqlError> {
        let foreign = self.order.iter().find(|(name, _)| !keys.contains(name));
        if let Some((name, _)) = foreign {
            return Err(PartiqlError::new(format!(
                "Variable reference {name} in ORDER BY clause must be part of the primary key"
            )));
        }
        let branches = match &self.term {
            None => None,
            Some(term) => branches(term, keys)?,
        };
        let Some(branches) = branches else {
            if !self.order.is_empty() {
                return Err(PartiqlError::new(
                    "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY \
                     clause.",
                ));
            }
            return Ok(Plan { sections: None, descending: false, is_keyed: false });
        };
        let direction = |attribute: &KeyAttribute| {
            let found = self.order.iter().find(|(name, _)| *name == attribute.name);
            found.map(|(_, descending)| *descending)
        };
        let hash_direction = direction(keys.hash);
        let descending = keys.range.and_then(direction).unwrap_or(false);
        let mut hashes: Vec<KeyValue> = Vec::new();
        for hash in branches.iter().flat_map(|branch| &branch.hashes) {
            if !hashes.contains(hash) {
                hashes.push(hash.clone());
            }
        }
        if hashes.len() > SECTIONS_MAX {
            return Err(PartiqlError::new("Too many decomposed read operations for a given query."));
        }
        if hashes.len() > 1 && !self.order.is_empty() && hash_direction.is_none() {
            return Err(PartiqlError::new(
                "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE \
                 clause.",
            ));
        }
        if let Some(backwards) = hash_direction {
            hashes.sort();
            if backwards {
                hashes.reverse();
            }
        }
        let is_list = self.term.as_ref().is_some_and(|term| names_list(term, keys));
        let mut sections = Vec::new();
        for (number, hash) in hashes.into_iter().enumerate() {
            let page = if is_list { number / PARTITIONS_PER_PAGE } else { 0 };
            let mut ranges = partition_ranges(&hash, &branches, keys)?;
            ranges.sort_by(|left, right| start(left).cmp(start(right)));
            if descending {
                ranges.reverse();
            }
            sections.extend(ranges.into_iter().map(|range| Section::new(range, hash.clone(), page, keys)));
        }
        if sections.len() > SECTIONS_MAX {
            // Whole partitions instead, once each: the condition still filters.
            sections.dedup_by(|later, earlier| later.hash == earlier.hash);
            for section in &mut sections {
                let Some(hash) = section.hash.clone() else { continue };
                if let Some(range) = (keys.range_of)(&hash, None) {
                    *section = Section::new(range, hash, section.page, keys);
                }
            }
        }
        let is_keyed = !matches!(self.term, Some(Term::Or(_)));
        Ok(Plan { sections: Some(sections), descending, is_keyed })
    }
}

/// Whether neither key of an index has several attributes: PartiQL reads no others, nor does the service's.
pub fn has_single_keys(index: &IndexSchema) -> bool {
    index.hash.len() == 1 && index.range.len() <= 1
}

/// The refusal of an index whose keys have several attributes. It speaks of tables.
pub(super) const SEVERAL_ATTRIBUTES: &str = "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys.";

impl Keys<'_> {
    fn contains(&self, name: &str) -> bool {
        self.hash.name == name || self.range.is_some_and(|range| range.name == name)
    }
}

impl Section {
    /// A part that is not within one partition.
    pub fn of_range(range: KeyRange) -> Section {
        Section { range, point: None, page: 0, hash: None }
    }

    fn new(range: KeyRange, hash: KeyValue, page: usize, keys: &Keys<'_>) -> Section {
        let point = match (&range.0, &range.1) {
            _ if !keys.is_unique => None,
            (Bound::Included(first), _) if keys.range.is_none() => Some(first.clone()),
            // No key lies between a key and the same with a zero byte more.
            (Bound::Included(first), Bound::Excluded(end))
                if end.strip_prefix(first.as_slice()) == Some(&[0][..]) =>
            {
                Some(first.clone())
            }
            _ => None,
        };
        Section { range, point, page, hash: Some(hash) }
    }
}

/// The alternatives of a condition; none where one of them does not name partitions.
fn branches<'a>(term: &'a Term, keys: &Keys<'_>) -> Result<Option<Vec<Branch<'a>>>, PartiqlError> {
    let alternatives = match term {
        Term::Or(terms) => terms.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut branches = Vec::with_capacity(alternatives.len());
    for alternative in alternatives {
        let mut branch = Branch { hashes: Vec::new(), sorts: Vec::new(), has_other_sorts: false };
        for term in conjuncts(alternative) {
            if branch.hashes.is_empty()
                && let Some(hashes) = hash_values(term, keys.hash)?
            {
                branch.hashes = hashes;
                continue;
            }
            let Some(range) = keys.range else { continue };
            if sort_conditions(term, range)?.is_some() {
                branch.sorts.push(term);
            } else {
                branch.has_other_sorts |= mentions(term, &range.name);
            }
        }
        if branch.hashes.is_empty() {
            return Ok(None);
        }
        branches.push(branch);
    }
    Ok(Some(branches).filter(|branches| !branches.is_empty()))
}

/// Whether IN names values of the partition key.
fn names_list(term: &Term, keys: &Keys<'_>) -> bool {
    match term {
        Term::In(operand, _) => is_attribute(operand, &keys.hash.name),
        Term::And(terms) | Term::Or(terms) => terms.iter().any(|term| names_list(term, keys)),
        _ => false,
    }
}

/// The values that a term allows a partition key.
fn hash_values(term: &Term, attribute: &KeyAttribute) -> Result<Option<Vec<KeyValue>>, PartiqlError> {
    if let Some(value) = equal_value(term, &attribute.name) {
        return Ok(Some(vec![check_key_value(attribute, value)?]));
    }
    match term {
        Term::In(operand, options) if is_attribute(operand, &attribute.name) => {
            let mut values = Vec::with_capacity(options.len());
            for option in options {
                let Operand::Value(value) = option else { return Ok(None) };
                values.push(check_key_value(attribute, value)?);
            }
            Ok(Some(values))
        }
        Term::Or(terms) => {
            let mut values = Vec::new();
            for term in terms {
                let Some(more) = hash_values(term, attribute)? else { return Ok(None) };
                values.extend(more);
            }
            Ok(Some(values))
        }
        _ => Ok(None),
    }
}

/// The conditions, of which one must hold, that a term makes on a sort key.
fn sort_conditions(
    term: &Term,
    attribute: &KeyAttribute,
) -> Result<Option<Vec<SortCondition>>, PartiqlError> {
    let one = |condition| Ok(Some(vec![condition]));
    if let Some((comparator, value)) = compared(term, &attribute.name) {
        let condition: fn(KeyValue) -> SortCondition = match comparator {
            Comparator::Equal => SortCondition::Equal,
            Comparator::Less => SortCondition::Less,
            Comparator::LessOrEqual => SortCondition::LessOrEqual,
            Comparator::Greater => SortCondition::Greater,
            Comparator::GreaterOrEqual => SortCondition::GreaterOrEqual,
            Comparator::NotEqual => return Ok(None),
        };
        return one(condition(check_key_value(attribute, value)?));
    }
    match term {
        Term::Between(operands) => match &**operands {
            [operand, Operand::Value(lower), Operand::Value(upper)]
                if is_attribute(operand, &attribute.name) =>
            {
                let (lower, upper) = (check_key_value(attribute, lower)?, check_key_value(attribute, upper)?);
                one(SortCondition::Between(lower, upper))
            }
            _ => Ok(None),
        },
        Term::Call(Function::BeginsWith, operands) => match &operands[..] {
            [operand, Operand::Value(prefix)] if is_attribute(operand, &attribute.name) => {
                one(SortCondition::BeginsWith(check_key_value(attribute, prefix)?))
            }
            _ => Ok(None),
        },
        Term::In(operand, options) if is_attribute(operand, &attribute.name) => {
            let mut conditions = Vec::with_capacity(options.len());
            for option in options {
                let Operand::Value(value) = option else { return Ok(None) };
                conditions.push(SortCondition::Equal(check_key_value(attribute, value)?));
            }
            Ok(Some(conditions))
        }
        Term::Or(terms) => {
            let mut conditions = Vec::new();
            for term in terms {
                let Some(more) = sort_conditions(term, attribute)? else { return Ok(None) };
                conditions.extend(more);
            }
            Ok(Some(conditions))
        }
        _ => Ok(None),
    }
}

/// The parts of a partition that the branches read.
fn partition_ranges(
    hash: &KeyValue,
    branches: &[Branch<'_>],
    keys: &Keys<'_>,
) -> Result<Vec<KeyRange>, PartiqlError> {
    let mut found: Vec<(KeyRange, bool)> = Vec::new();
    for branch in branches.iter().filter(|branch| branch.hashes.contains(hash)) {
        let mut ranges: Vec<KeyRange> = (keys.range_of)(hash, None).into_iter().collect();
        for term in &branch.sorts {
            let Some(attribute) = keys.range else { continue };
            let conditions = sort_conditions(term, attribute)?.unwrap_or_default();
            let allowed: Vec<KeyRange> =
                conditions.iter().filter_map(|condition| (keys.range_of)(hash, Some(condition))).collect();
            ranges = ranges
                .iter()
                .flat_map(|range| allowed.iter().filter_map(|other| intersection(range, other)))
                .collect();
        }
        for range in ranges {
            add_range(&mut found, range, branch.has_other_sorts)?;
        }
    }
    Ok(found.into_iter().map(|(range, _)| range).collect())
}

/// Adds a range that may be there already. One that overlaps with another is
/// refused, as by the service, but not where a condition that no range can
/// serve had a part in one of them.
fn add_range(
    ranges: &mut Vec<(KeyRange, bool)>,
    range: KeyRange,
    may_overlap: bool,
) -> Result<(), PartiqlError> {
    let (mut range, mut may_overlap) = (range, may_overlap);
    while let Some(position) = ranges.iter().position(|(other, _)| intersection(other, &range).is_some()) {
        let (other, other_may) = ranges.swap_remove(position);
        if other != range && !may_overlap && !other_may {
            return Err(PartiqlError::new(
                "Overlapping conditions with range keys are not supported in where clause",
            ));
        }
        let first = start(&range).min(start(&other)).to_vec();
        let last = end(&range).max(end(&other)).to_vec();
        range = (Bound::Included(first), Bound::Excluded(last));
        may_overlap |= other_may;
    }
    ranges.push((range, may_overlap));
    Ok(())
}

fn intersection(left: &KeyRange, right: &KeyRange) -> Option<KeyRange> {
    let first = start(left).max(start(right));
    let last = end(left).min(end(right));
    (first < last).then(|| (Bound::Included(first.to_vec()), Bound::Excluded(last.to_vec())))
}

fn start(range: &KeyRange) -> &[u8] {
    match &range.0 {
        Bound::Included(start) | Bound::Excluded(start) => start,
        Bound::Unbounded => &[],
    }
}

fn end(range: &KeyRange) -> &[u8] {
    match &range.1 {
        Bound::Included(end) | Bound::Excluded(end) => end,
        Bound::Unbounded => &[],
    }
}

/// Whether a term looks at a top-level attribute.
fn mentions(term: &Term, name: &str) -> bool {
    let is_it = |operand: &Operand| match operand {
        Operand::Path(path) => path.name() == name,
        Operand::Value(_) => false,
        Operand::Term(term) => mentions(term, name),
    };
    match term {
        Term::And(terms) | Term::Or(terms) => terms.iter().any(|term| mentions(term, name)),
        Term::Not(term) => mentions(term, name),
        Term::Compare(_, left, right) => is_it(left) || is_it(right),
        Term::Between(operands) => operands.iter().any(is_it),
        Term::In(operand, options) => is_it(operand) || options.iter().any(is_it),
        Term::Call(_, operands) => operands.iter().any(is_it),
    }
}
