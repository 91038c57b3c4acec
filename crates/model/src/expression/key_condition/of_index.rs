//! Key conditions on a secondary index, whose key may have up to eight attributes.

use super::{
    AttributeCondition, Comparator, KeyConditions, NOT_SUPPORTED, Operator, TABLE_CONDITIONS_MAX, TOO_MANY,
    check_partition_values, check_sort_values,
};
use crate::expression::ExpressionError;
use crate::expression::legacy::AttributeComparison;
use crate::index::{IndexCondition, IndexSchema, KEY_ATTRIBUTES_MAX};
use crate::key::{KeyAttribute, KeySchema};

impl KeyConditions {
    /// The conditions that the `KeyConditions` of a Query are which names an index.
    pub fn from_comparisons_on_index(
        comparisons: Vec<AttributeComparison>,
    ) -> Result<KeyConditions, ExpressionError> {
        KeyConditions::of_comparisons(comparisons, 2 * KEY_ATTRIBUTES_MAX)
    }

    /// The conditions as those on the keys of an index.
    pub fn for_index(&self, index: &IndexSchema) -> Result<IndexCondition, ExpressionError> {
        if let ([hash], [] | [_]) = (&index.hash[..], &index.range[..]) {
            if self.is_legacy && self.conditions.len() > TABLE_CONDITIONS_MAX {
                return Err(ExpressionError::new(TOO_MANY));
            }
            let schema = KeySchema { hash: hash.clone(), range: index.range.first().cloned() };
            let condition = self.for_schema(&schema)?;
            return Ok(IndexCondition {
                hash: vec![condition.hash],
                equal: Vec::new(),
                sort: condition.sort,
            });
        }
        self.check_count(index.attributes().count())?;
        self.for_many(index)
    }

    // All attributes of the partition key are equal to something; so are those of the sort key up to the last one
    // that has a condition.
    fn for_many(&self, index: &IndexSchema) -> Result<IndexCondition, ExpressionError> {
        let on = |attribute: &KeyAttribute| {
            self.conditions.iter().find(|condition| *condition.name == *attribute.name)
        };
        let mut hash = Vec::with_capacity(index.hash.len());
        for attribute in &index.hash {
            let condition = on(attribute).filter(|condition| condition.is_equality()).ok_or_else(|| {
                ExpressionError::new(format!(
                    "HASH key attributes {} must have equality conditions specified in the query",
                    attribute.name
                ))
            })?;
            let values = condition.key_values(attribute)?;
            check_partition_values(attribute, &values)?;
            hash.extend(values);
        }
        if self.conditions.iter().any(|condition| !index.contains(&condition.name)) {
            return Err(ExpressionError::new(NOT_SUPPORTED));
        }
        let last = index.range.iter().rposition(|attribute| on(attribute).is_some());
        let mut equal = Vec::new();
        let mut sort = None;
        for (position, attribute) in index.range.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
            let condition = on(attribute);
            if Some(position) == last {
                sort = condition.map(|condition| condition.sort_condition(attribute)).transpose()?;
                break;
            }
            let condition = condition.filter(|condition| condition.is_equality()).ok_or_else(|| {
                let present = &index.range[position + 1..];
                let other = present.iter().find(|other| on(other).is_some()).unwrap_or(attribute);
                ExpressionError::new(format!(
                    "RANGE key attributes {} must have equality conditions specified in the query because a \
                     condition is present on key attribute {}",
                    attribute.name, other.name
                ))
            })?;
            let values = condition.key_values(attribute)?;
            check_sort_values(attribute, &values)?;
            equal.extend(values);
        }
        Ok(IndexCondition { hash, equal, sort })
    }
}

impl AttributeCondition {
    fn is_equality(&self) -> bool {
        self.operator == Operator::Compare(Comparator::Equal) && self.values.len() == 1
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;
    use crate::expression::{KeyConditionExpression, Placeholders};
    use crate::index::Projected;
    use crate::json::from_json;
    use crate::key::{KeyType, KeyValue, SortCondition};

    fn index(hash: &[&str], range: &[&str]) -> IndexSchema {
        let attribute = |name: &&str| KeyAttribute { name: (*name).into(), key_type: KeyType::S };
        IndexSchema {
            name: "by".into(),
            number: 1,
            local: false,
            hash: hash.iter().map(attribute).collect(),
            range: range.iter().map(attribute).collect(),
            projection: Projected::All,
            table: KeySchema { hash: attribute(&"pk"), range: None },
        }
    }

    fn condition(source: &str, index: &IndexSchema) -> Result<IndexCondition, String> {
        let values = [(":s", json!({"S": "x"})), (":n", json!({"N": "1"})), (":e", json!({"S": ""}))];
        let values = values.map(|(key, value)| (key.to_string(), from_json(&value).unwrap())).to_vec();
        let mut placeholders = Placeholders::new(None, Some(values)).unwrap();
        KeyConditionExpression::parse(source, &mut placeholders)
            .and_then(|expression| expression.conditions())
            .and_then(|conditions| conditions.for_index(index))
            .map_err(|error| error.message().to_string())
    }

    #[test]
    fn the_sort_key_of_several_attributes_is_named_from_the_left() {
        let index = index(&["h1", "h2"], &["r1", "r2", "r3"]);
        let x = || KeyValue::S("x".into());
        let found = condition("r2 > :s AND h2 = :s AND r1 = :s AND h1 = :s", &index).unwrap();
        assert_eq!(
            found,
            IndexCondition {
                hash: vec![x(), x()],
                equal: vec![x()],
                sort: Some(SortCondition::Greater(x())),
            }
        );
        assert_eq!(condition("h1 = :s AND h2 = :s", &index).unwrap().sort, None);
        for (source, message) in [
            ("h1 = :s", "HASH key attributes h2 must have equality conditions specified in the query"),
            (
                "h1 > :s AND h2 = :s",
                "HASH key attributes h1 must have equality conditions specified in the query",
            ),
            (
                "h1 = :s AND h2 = :s AND r2 = :s",
                "RANGE key attributes r1 must have equality conditions specified in the query because a condition is \
                 present on key attribute r2",
            ),
            (
                "h1 = :s AND h2 = :s AND r1 > :s AND r3 = :s",
                "RANGE key attributes r1 must have equality conditions specified in the query because a condition is \
                 present on key attribute r3",
            ),
            ("h1 = :s AND h2 = :s AND elsewhere = :s", "Query key condition not supported"),
            (
                "h1 = :s AND h2 = :s AND r1 = :s AND r2 = :s AND r3 = :s AND elsewhere = :s",
                "The number of query conditions (6) exceeds the number of key attributes defined in the schema (5)",
            ),
            (
                "h1 = :n AND h2 = :s",
                "One or more parameter values were invalid: Condition parameter type does not match schema type",
            ),
            (
                "h1 = :s AND h2 = :e",
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                 empty string value. Key: h2",
            ),
        ] {
            assert_eq!(condition(source, &index), Err(message.into()), "{source}");
        }
    }

    #[test]
    fn an_index_with_a_key_like_a_tables_is_queried_like_one() {
        let simple = index(&["h1"], &["r1"]);
        assert!(condition("h1 = :s AND begins_with(r1, :s)", &simple).is_ok());
        for (source, message) in [
            ("h1 > :s", "Query key condition not supported"),
            ("r1 = :s", "Query condition missed key schema element: h1"),
            (
                "h1 = :s AND r1 = :s AND pk = :s",
                "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)",
            ),
        ] {
            assert_eq!(condition(source, &simple), Err(message.into()), "{source}");
        }
    }
}
