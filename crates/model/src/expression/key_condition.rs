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
    /// Whether they come from `KeyConditions`, whose number is judged before the table is looked up.
    is_legacy: bool,
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
        let mut conditions = Vec::new();
        self.collect(&mut conditions).map_err(ExpressionError::new)?;
        Ok(KeyConditions { conditions, is_legacy: false })
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
                return Err("Invalid KeyConditionExpression: KeyConditionExpressions must only contain one \
                            condition per key"
                    .into());
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
        let conditions: Vec<AttributeCondition> = conditions.collect();
        if conditions.is_empty() || conditions.len() > count_max {
            return Err(ExpressionError::new(TOO_MANY));
        }
        Ok(KeyConditions { conditions, is_legacy: true })
    }

    /// Refuses more conditions than the key has attributes.
    fn check_count(&self, attributes: usize) -> Result<(), ExpressionError> {
        let count = self.conditions.len();
        if self.is_legacy || count <= attributes {
            return Ok(());
        }
        // Captured in eu-west-2 in October 2026; a table of a simple key, queried with two conditions, is told so too.
        Err(ExpressionError::new(format!(
            "The number of query conditions ({count}) exceeds the number of key attributes defined in the schema \
             ({attributes})"
        )))
    }

    /// The conditions as those on the keys of a table or index.
    pub fn for_schema(&self, schema: &KeySchema) -> Result<KeyCondition, ExpressionError> {
        let on = |attribute: &KeyAttribute| {
            self.conditions.iter().find(|condition| *condition.name == *attribute.name)
        };
        let missed = |attribute: &KeyAttribute| {
            ExpressionError::new(format!("Query condition missed key schema element: {}", attribute.name))
        };
        self.check_count(schema.attributes().count())?;
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
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
