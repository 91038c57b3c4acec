//! Key conditions: which items of which partition a Query reads.
//!
//! The service judges them in three steps with other checks in between: the
//! source with the other expressions, the shape before the table is looked up,
//! and then whether they fit the schema of the table or index.

mod of_index;

use super::condition::ConditionTree;
use super::legacy::{AttributeComparison, ComparisonOperator};
use super::operators::Comparator;
use super::placeholders::Placeholders;
use super::tree::{Function, NodeId, NodeKind};
use super::{ExpressionError, ExpressionKind};
use crate::attribute::AttributeValue;
use crate::key::{
    KeyAttribute, KeyError, KeySchema, KeyValue, PARTITION_KEY_BYTES_MAX, SORT_KEY_BYTES_MAX, SortCondition,
};

/// A parsed `KeyConditionExpression`.
#[derive(Clone)]
pub struct KeyConditionExpression {
    condition: ConditionTree,
}

/// Conditions on attributes that should be the keys', one for each attribute.
#[derive(Clone)]
pub struct KeyConditions {
    conditions: Vec<AttributeCondition>,
}

/// What a Query reads: one partition, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCondition {
    /// The partition key.
    pub hash: KeyValue,
    /// The condition on the sort key, if there is one.
    pub sort: Option<SortCondition>,
}

/// A condition on one attribute.
#[derive(Clone)]
struct AttributeCondition {
    name: Box<str>,
    operator: Operator,
    values: Vec<AttributeValue>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Compare(Comparator),
    Between,
    BeginsWith,
    /// One that no key can be looked up by.
    NotIndexable,
}

impl KeyConditionExpression {
    /// Parses the `KeyConditionExpression` of a request.
    pub fn parse(
        source: &str,
        placeholders: &mut Placeholders,
    ) -> Result<KeyConditionExpression, ExpressionError> {
        let condition = ConditionTree::parse(ExpressionKind::KeyCondition, source, placeholders)?;
        Ok(KeyConditionExpression { condition })
    }

    /// The conditions, if they have the shape of key conditions. To be called
    /// after all expressions of the request were parsed.
    pub fn conditions(&self) -> Result<KeyConditions, ExpressionError> {
        self.conditions_at_most(TABLE_CONDITIONS_MAX)
    }

    fn conditions_at_most(&self, count_max: usize) -> Result<KeyConditions, ExpressionError> {
        let mut conditions = Vec::new();
        self.collect(&mut conditions).map_err(ExpressionError::new)?;
        KeyConditions::new(conditions, count_max)
    }

    fn collect(&self, conditions: &mut Vec<AttributeCondition>) -> Result<(), String> {
        let tree = &self.condition.tree;
        // Left before right, with a stack of what is to be visited.
        let mut pending = vec![self.condition.root];
        while let Some(id) = pending.pop() {
            if tree.node(id).kind == NodeKind::And {
                pending.push(tree.child(id, 1));
                pending.push(tree.child(id, 0));
                continue;
            }
            let condition = self.attribute_condition(id)?;
            if conditions.iter().any(|other| other.name == condition.name) {
                return Err("KeyConditionExpressions must only contain one condition per key".into());
            }
            conditions.push(condition);
        }
        Ok(())
    }

    fn attribute_condition(&self, id: NodeId) -> Result<AttributeCondition, String> {
        let tree = &self.condition.tree;
        let invalid = |name: &str| Err(format!("Invalid operator used in KeyConditionExpression: {name}"));
        let mut operator = match tree.node(id).kind {
            NodeKind::Or => return invalid("OR"),
            NodeKind::Not => return invalid("NOT"),
            NodeKind::In => return invalid("IN"),
            NodeKind::Compare(Comparator::NotEqual) => return invalid("<>"),
            NodeKind::Call(Some(Function::BeginsWith)) => Operator::BeginsWith,
            NodeKind::Call(function) => return invalid(function.map_or("", Function::name)),
            NodeKind::Compare(comparator) => Operator::Compare(comparator),
            _ => Operator::Between,
        };
        let first_name = match operator {
            Operator::Between => Some("BETWEEN"),
            Operator::BeginsWith => Some(Function::BeginsWith.name()),
            _ => None,
        };
        let first = tree.child(id, 0);
        if let (Some(name), Some(_)) = (first_name, tree.value(first)) {
            return Err(format!(
                "Invalid condition in KeyConditionExpression: {name} operator must have the key \
                 attribute as its first operand"
            ));
        }
        let mut attribute: Option<(usize, &str)> = None;
        let mut values = Vec::new();
        for (position, child) in tree.children(id).enumerate() {
            if let Some(path) = tree.path(child) {
                if attribute.is_some() {
                    return Err("Invalid condition in KeyConditionExpression: Multiple attribute names \
                                used in one condition"
                        .into());
                }
                if !path.steps().is_empty() {
                    return Err("KeyConditionExpressions cannot have conditions on nested attributes".into());
                }
                attribute = Some((position, path.name()));
            } else if let Some(value) = tree.value(child) {
                values.push(AttributeValue::clone(value));
            } else {
                return Err("KeyConditionExpressions cannot contain nested operations".into());
            }
        }
        let Some((position, name)) = attribute else {
            return Err("Invalid condition in KeyConditionExpression: No key attribute specified".into());
        };
        if let (Operator::Compare(comparator), 1) = (operator, position) {
            operator = Operator::Compare(comparator.mirrored());
        }
        Ok(AttributeCondition { name: name.into(), operator, values })
    }
}

impl KeyConditions {
    /// The conditions that `KeyConditions` are.
    pub fn from_comparisons(comparisons: Vec<AttributeComparison>) -> Result<KeyConditions, ExpressionError> {
        KeyConditions::of_comparisons(comparisons, TABLE_CONDITIONS_MAX)
    }

    fn of_comparisons(
        comparisons: Vec<AttributeComparison>,
        count_max: usize,
    ) -> Result<KeyConditions, ExpressionError> {
        comparisons.iter().try_for_each(AttributeComparison::check)?;
        let conditions = comparisons.into_iter().map(|comparison| {
            let operator = match (comparison.operator, comparison.operator.comparator()) {
                (ComparisonOperator::Between, _) => Operator::Between,
                (ComparisonOperator::BeginsWith, _) => Operator::BeginsWith,
                (_, Some(comparator)) if comparator != Comparator::NotEqual => Operator::Compare(comparator),
                _ => Operator::NotIndexable,
            };
            AttributeCondition { name: comparison.name.into_boxed_str(), operator, values: comparison.values }
        });
        KeyConditions::new(conditions.collect(), count_max)
    }

    fn new(conditions: Vec<AttributeCondition>, count_max: usize) -> Result<KeyConditions, ExpressionError> {
        if conditions.is_empty() || conditions.len() > count_max {
            return Err(ExpressionError::new(TOO_MANY));
        }
        Ok(KeyConditions { conditions })
    }

    /// The conditions as those on the keys of a table or index.
    pub fn for_schema(&self, schema: &KeySchema) -> Result<KeyCondition, ExpressionError> {
        let on = |attribute: &KeyAttribute| {
            self.conditions.iter().find(|condition| *condition.name == *attribute.name)
        };
        let missed = |attribute: &KeyAttribute| {
            ExpressionError::new(format!("Query condition missed key schema element: {}", attribute.name))
        };
        if schema.range.is_none() && self.conditions.len() > 1 {
            return Err(ExpressionError::new(NOT_SUPPORTED));
        }
        let hash_condition = on(&schema.hash).ok_or_else(|| missed(&schema.hash))?;
        let hash_values = hash_condition.key_values(&schema.hash)?;
        let (Operator::Compare(Comparator::Equal), [hash]) = (hash_condition.operator, &hash_values[..])
        else {
            return Err(ExpressionError::new(NOT_SUPPORTED));
        };
        check_partition_values(&schema.hash, &hash_values)?;
        let sort = match &schema.range {
            Some(range) if self.conditions.len() > 1 => {
                Some(on(range).ok_or_else(|| missed(range))?.sort_condition(range)?)
            }
            _ => None,
        };
        Ok(KeyCondition { hash: hash.clone(), sort })
    }
}

impl AttributeCondition {
    /// The condition's values as those of a key attribute.
    fn key_values(&self, attribute: &KeyAttribute) -> Result<Vec<KeyValue>, ExpressionError> {
        if self.operator == Operator::NotIndexable {
            return Err(ExpressionError::new(
                "Attempted conditional constraint is not an indexable operation",
            ));
        }
        let values = self.values.iter().map(|value| KeyValue::of(value, attribute.key_type));
        values.collect::<Option<_>>().ok_or_else(|| {
            ExpressionError::new(
                "One or more parameter values were invalid: Condition parameter type does not match \
                 schema type",
            )
        })
    }

    fn sort_condition(&self, attribute: &KeyAttribute) -> Result<SortCondition, ExpressionError> {
        let values = self.key_values(attribute)?;
        check_sort_values(attribute, &values)?;
        let mut values = values.into_iter();
        let mut next = || values.next().ok_or_else(|| ExpressionError::new(NOT_SUPPORTED));
        Ok(match self.operator {
            Operator::Compare(Comparator::Equal) => SortCondition::Equal(next()?),
            Operator::Compare(Comparator::Less) => SortCondition::Less(next()?),
            Operator::Compare(Comparator::LessOrEqual) => SortCondition::LessOrEqual(next()?),
            Operator::Compare(Comparator::Greater) => SortCondition::Greater(next()?),
            Operator::Compare(Comparator::GreaterOrEqual) => SortCondition::GreaterOrEqual(next()?),
            Operator::Between => SortCondition::Between(next()?, next()?),
            Operator::BeginsWith => SortCondition::BeginsWith(next()?),
            Operator::Compare(Comparator::NotEqual) | Operator::NotIndexable => {
                return Err(ExpressionError::new(NOT_SUPPORTED));
            }
        })
    }
}

/// Refuses values that no partition key has.
fn check_partition_values(attribute: &KeyAttribute, values: &[KeyValue]) -> Result<(), ExpressionError> {
    check_not_empty(attribute, values)?;
    check_sizes(values, PARTITION_KEY_BYTES_MAX, &KeyError::PartitionKeyTooLarge)
}

/// Refuses values that no sort key has.
fn check_sort_values(attribute: &KeyAttribute, values: &[KeyValue]) -> Result<(), ExpressionError> {
    check_not_empty(attribute, values)?;
    check_sizes(values, SORT_KEY_BYTES_MAX, &KeyError::SortKeyTooLarge)
}

fn check_sizes(values: &[KeyValue], bytes_max: usize, error: &KeyError) -> Result<(), ExpressionError> {
    match values.iter().any(|value| value.bytes_length() > bytes_max) {
        false => Ok(()),
        true => Err(ExpressionError::new(error.to_string())),
    }
}

fn check_not_empty(attribute: &KeyAttribute, values: &[KeyValue]) -> Result<(), ExpressionError> {
    let empty = values.iter().find_map(|value| match value {
        KeyValue::S(text) if text.is_empty() => Some("string"),
        KeyValue::B(bytes) if bytes.is_empty() => Some("binary"),
        _ => None,
    });
    match empty {
        None => Ok(()),
        Some(kind) => Err(ExpressionError::new(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
             contain an empty {kind} value. Key: {}",
            attribute.name
        ))),
    }
}

/// A table's key has two attributes at most.
const TABLE_CONDITIONS_MAX: usize = 2;

const TOO_MANY: &str = "Conditions can be of length 1 or 2 only";
const NOT_SUPPORTED: &str = "Query key condition not supported";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;
    use crate::json::from_json;
    use crate::key::KeyType;
    use crate::number::Number;

    fn placeholders() -> Placeholders {
        let values = [
            (":n", json!({"N": "1"})),
            (":n2", json!({"N": "2"})),
            (":s", json!({"S": "x"})),
            (":s2", json!({"S": "y"})),
            (":e", json!({"S": ""})),
            (":x1024", json!({"S": "x".repeat(1024)})),
            (":x1025", json!({"S": "x".repeat(1025)})),
            (":x2048", json!({"S": "x".repeat(2048)})),
            (":x2049", json!({"S": "x".repeat(2049)})),
            (":b", json!({"B": "YQ=="})),
            (":type", json!({"S": "S"})),
            (":l", json!({"L": []})),
        ];
        let values = values.map(|(key, value)| (key.to_string(), from_json(&value).unwrap())).to_vec();
        Placeholders::new(Some(vec![("#p".into(), "pk".into())]), Some(values)).unwrap()
    }

    fn schema(range: Option<KeyType>) -> KeySchema {
        KeySchema {
            hash: KeyAttribute { name: "pk".into(), key_type: KeyType::S },
            range: range.map(|key_type| KeyAttribute { name: "sk".into(), key_type }),
        }
    }

    fn condition(source: &str, range: Option<KeyType>) -> Result<KeyCondition, String> {
        KeyConditionExpression::parse(source, &mut placeholders())
            .and_then(|expression| expression.conditions())
            .and_then(|conditions| conditions.for_schema(&schema(range)))
            .map_err(|error| error.message().to_string())
    }

    #[test]
    fn what_is_too_large_for_a_key_cannot_be_asked_for() {
        let large = |source: &str| condition(source, Some(KeyType::S)).map(|_| ());
        assert_eq!(large("pk = :x2048 AND sk BETWEEN :x1024 AND :x1024"), Ok(()));
        assert_eq!(large("pk = :x2049 AND sk > :x1025"), Err(KeyError::PartitionKeyTooLarge.to_string()));
        for sort in ["sk = :x1025", "begins_with(sk, :x1025)", "sk BETWEEN :s AND :x1025"] {
            assert_eq!(
                large(&format!("pk = :s AND {sort}")),
                Err(KeyError::SortKeyTooLarge.to_string()),
                "{sort}"
            );
        }
    }

    #[test]
    fn a_condition_on_the_partition_key_and_one_on_the_sort_key_are_understood() {
        let one = || KeyValue::N(Number::from(1));
        let two = || KeyValue::N(Number::from(2));
        for (source, sort) in [
            ("pk = :s", None),
            ("(#p = :s)", None),
            (":s = pk AND :n = sk", Some(SortCondition::Equal(one()))),
            ("((sk = :n) AND (pk = :s))", Some(SortCondition::Equal(one()))),
            ("pk = :s AND sk < :n", Some(SortCondition::Less(one()))),
            ("pk = :s AND sk <= :n", Some(SortCondition::LessOrEqual(one()))),
            ("pk = :s AND sk > :n", Some(SortCondition::Greater(one()))),
            ("pk = :s AND sk >= :n", Some(SortCondition::GreaterOrEqual(one()))),
            // The attribute may stand on the right, where the operator turns around.
            ("pk = :s AND :n < sk", Some(SortCondition::Greater(one()))),
            ("pk = :s AND :n >= sk", Some(SortCondition::LessOrEqual(one()))),
            ("pk = :s aNd sk bEtWeEn :n aNd :n2", Some(SortCondition::Between(one(), two()))),
        ] {
            let expected = KeyCondition { hash: KeyValue::S("x".into()), sort };
            assert_eq!(condition(source, Some(KeyType::N)), Ok(expected), "{source}");
        }
        let prefix = condition("begins_with(sk, :s) AND pk = :s2", Some(KeyType::S)).unwrap();
        assert_eq!(prefix.hash, KeyValue::S("y".into()));
        assert_eq!(prefix.sort, Some(SortCondition::BeginsWith(KeyValue::S("x".into()))));
    }

    #[test]
    fn the_old_parameter_means_the_same() {
        let comparison = |name: &str, operator: &str, values: &[serde_json::Value]| AttributeComparison {
            name: name.into(),
            operator: ComparisonOperator::from_name(operator).unwrap(),
            values: values.iter().map(|value| from_json(value).unwrap()).collect(),
        };
        let condition = |comparisons: Vec<AttributeComparison>| {
            KeyConditions::from_comparisons(comparisons)
                .and_then(|conditions| conditions.for_schema(&schema(Some(KeyType::N))))
                .map_err(|error| error.message().to_string())
        };
        let hash = || comparison("pk", "EQ", &[json!({"S": "x"})]);
        let one = || json!({"N": "1"});
        let sort = SortCondition::Between(KeyValue::N(Number::from(1)), KeyValue::N(Number::from(2)));
        assert_eq!(
            condition(vec![comparison("sk", "BETWEEN", &[one(), json!({"N": "2"})]), hash()]),
            Ok(KeyCondition { hash: KeyValue::S("x".into()), sort: Some(sort) })
        );
        assert_eq!(condition(vec![hash()]).unwrap().sort, None);
        let not_indexable = "Attempted conditional constraint is not an indexable operation";
        for (comparisons, message) in [
            (vec![], "Conditions can be of length 1 or 2 only"),
            (vec![hash(), hash(), hash()], "Conditions can be of length 1 or 2 only"),
            (vec![comparison("pk", "NULL", &[])], not_indexable),
            (vec![comparison("pk", "NE", &[json!({"S": "x"})])], not_indexable),
            (vec![hash(), comparison("sk", "CONTAINS", &[one()])], not_indexable),
            (vec![hash(), comparison("sk", "IN", &[one()])], not_indexable),
            (vec![comparison("pk", "LT", &[json!({"S": "x"})])], "Query key condition not supported"),
            (vec![hash(), comparison("zz", "EQ", &[one()])], "Query condition missed key schema element: sk"),
            (
                vec![hash(), comparison("sk", "EQ", &[])],
                "One or more parameter values were invalid: Invalid number of argument(s) for the EQ \
                 ComparisonOperator",
            ),
        ] {
            assert_eq!(condition(comparisons), Err(message.to_string()));
        }
    }

    #[test]
    fn what_is_not_of_the_shape_is_refused_in_the_services_words() {
        let invalid = |rest: &str| format!("Invalid operator used in KeyConditionExpression: {rest}");
        let condition_error = |rest: &str| format!("Invalid condition in KeyConditionExpression: {rest}");
        let nested_operation = "KeyConditionExpressions cannot contain nested operations".to_string();
        let nested_attribute =
            "KeyConditionExpressions cannot have conditions on nested attributes".to_string();
        let one_per_key = "KeyConditionExpressions must only contain one condition per key".to_string();
        let multiple = condition_error("Multiple attribute names used in one condition");
        let no_key = condition_error("No key attribute specified");
        for (source, message) in [
            ("a > b and size(b) > c or a > c", invalid("OR")),
            ("pk = :s OR sk = :n", invalid("OR")),
            ("not a > b", invalid("NOT")),
            ("a in (b, size(c), d)", invalid("IN")),
            ("pk = :s AND sk <> :n", invalid("<>")),
            ("attribute_exists(a)", invalid("attribute_exists")),
            ("attribute_not_exists(a)", invalid("attribute_not_exists")),
            ("attribute_type(a, :type)", invalid("attribute_type")),
            ("contains(a.d, b)", invalid("contains")),
            (
                ":s between size(b) and size(a) and b > :b",
                condition_error("BETWEEN operator must have the key attribute as its first operand"),
            ),
            (
                "begins_with(:s, b) and a > :b",
                condition_error("begins_with operator must have the key attribute as its first operand"),
            ),
            ("size(b) > a AND a.b > b AND b > c", nested_operation.clone()),
            ("a between size(b) and size(a)", nested_operation),
            ("a between b and size(a)", multiple.clone()),
            ("b > a.b", multiple.clone()),
            ("begins_with(a, b)", multiple),
            ("b.d > a AND c.d > e.f", nested_attribute.clone()),
            ("b[0] > a", nested_attribute),
            (":n > :n2 AND a < :n", no_key.clone()),
            (":n > b AND :n < :n2", no_key),
            ("b > :n AND b < :n and c = :n and d = :n", one_per_key.clone()),
            ("(a > :n and b > :n) and (b > :n and c > :n)", one_per_key),
            ("pk = :s AND sk = :n AND aa = :n", "Conditions can be of length 1 or 2 only".into()),
            (
                "pk = :s AND begins_with(sk, :n)",
                "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator \
                 or function: begins_with, operand type: N"
                    .into(),
            ),
            ("pk", "Invalid KeyConditionExpression: Syntax error; token: \"<EOF>\", near: \"pk\"".into()),
            ("", "Invalid KeyConditionExpression: The expression can not be empty;".into()),
            (
                "a between :n and :s",
                "Invalid KeyConditionExpression: The BETWEEN operator requires same data type for lower and \
                 upper bounds; lower bound operand: AttributeValue: {N:1}, upper bound operand: \
                 AttributeValue: {S:x}"
                    .into(),
            ),
        ] {
            assert_eq!(condition(source, Some(KeyType::N)), Err(message), "{source}");
        }
    }

    #[test]
    fn what_does_not_fit_the_schema_is_refused_in_the_services_words() {
        let missed = |name: &str| format!("Query condition missed key schema element: {name}");
        let not_supported = "Query key condition not supported".to_string();
        let wrong_type = "One or more parameter values were invalid: Condition parameter type does not \
                          match schema type"
            .to_string();
        let empty = |name: &str| {
            format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
                 contain an empty string value. Key: {name}"
            )
        };
        for (range, source, message) in [
            (Some(KeyType::N), "sk = :n", missed("pk")),
            (Some(KeyType::N), "aa = :n AND bb = :n", missed("pk")),
            (Some(KeyType::N), "pk = :s AND aa = :n", missed("sk")),
            (Some(KeyType::N), "pk = :e AND aa = :n", empty("pk")),
            (Some(KeyType::N), "pk < :s", not_supported.clone()),
            (Some(KeyType::N), "begins_with(pk, :s)", not_supported.clone()),
            (Some(KeyType::N), "pk BETWEEN :s AND :s2", not_supported.clone()),
            (Some(KeyType::N), "pk = :n", wrong_type.clone()),
            (Some(KeyType::N), "pk = :l", wrong_type.clone()),
            (Some(KeyType::N), "pk = :s AND begins_with(sk, :s)", wrong_type.clone()),
            (Some(KeyType::N), "pk = :s AND sk = :e", wrong_type.clone()),
            (Some(KeyType::S), "pk = :s AND sk = :b", wrong_type),
            (Some(KeyType::S), "pk = :s AND sk BETWEEN :e AND :s", empty("sk")),
            (Some(KeyType::S), "pk = :s AND begins_with(sk, :e)", empty("sk")),
            (None, "pk = :s AND sk = :n", not_supported.clone()),
            (None, "aa = :s", missed("pk")),
        ] {
            assert_eq!(condition(source, range), Err(message), "{source}");
        }
    }
}
