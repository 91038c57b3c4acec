//! Conditions: `ConditionExpression`, `FilterExpression` and what a
//! `KeyConditionExpression` is made from.

mod built;
mod check;
mod parser;
#[cfg(test)]
mod tests;

pub(crate) use built::{Operand, Term};

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::legacy::{AttributeComparison, Comparisons, ConditionalOperator, Expectation};
use super::operators::Comparator;
use super::operators::{begins_with, contains, order, size};
use super::path::Path;
use super::placeholders::Placeholders;
use super::tree::{Function, NodeId, NodeKind, Tree};
use super::{ExpressionError, ExpressionKind};
use crate::attribute::{AttributeValue, Item};
use crate::index::IndexSchema;
use crate::key::{KeyAttribute, KeySchema};

/// A condition that an item matches or not.
#[derive(Clone)]
pub struct Condition(Form);

#[derive(Clone)]
enum Form {
    Tree(ConditionTree),
    Comparisons(Comparisons),
}

impl Condition {
    /// Parses a condition of a request; `kind` names the parameter in errors.
    pub fn parse(
        kind: ExpressionKind,
        source: &str,
        placeholders: &mut Placeholders,
    ) -> Result<Condition, ExpressionError> {
        ConditionTree::parse(kind, source, placeholders).map(|tree| Condition(Form::Tree(tree)))
    }

    /// The condition that a `QueryFilter` or `ScanFilter` is.
    pub fn from_filter(
        comparisons: Vec<AttributeComparison>,
        operator: ConditionalOperator,
    ) -> Result<Condition, ExpressionError> {
        Comparisons::new(comparisons, operator).map(|form| Condition(Form::Comparisons(form)))
    }

    /// The condition that `Expected` is.
    pub fn from_expected(
        expectations: Vec<Expectation>,
        operator: ConditionalOperator,
    ) -> Result<Condition, ExpressionError> {
        Comparisons::of_expectations(expectations, operator).map(|form| Condition(Form::Comparisons(form)))
    }

    /// How often all of an item is looked at to see whether it matches, at the most.
    pub fn passes_max(&self) -> usize {
        match &self.0 {
            Form::Tree(condition) => condition.tree.nodes.len(),
            // Each looks at another attribute.
            Form::Comparisons(_) => 1,
        }
    }

    /// Whether an item matches. An item that does not exist is an empty one.
    pub fn matches(&self, item: &Item) -> bool {
        match &self.0 {
            Form::Tree(condition) => condition.holds(condition.root, item),
            Form::Comparisons(comparisons) => comparisons.hold(item),
        }
    }

    /// Refuses paths that lead below a key attribute, which is always a scalar.
    pub fn check_key_access(&self, schema: &KeySchema) -> Result<(), ExpressionError> {
        match &self.0 {
            Form::Tree(condition) => check_key_access(&condition.tree.paths, schema),
            Form::Comparisons(_) => Ok(()),
        }
    }

    /// Refuses paths that lead below a key attribute of an index.
    pub fn check_index_key_access<'a>(
        &self,
        indexes: impl IntoIterator<Item = &'a IndexSchema>,
    ) -> Result<(), ExpressionError> {
        match &self.0 {
            Form::Tree(condition) => check_index_key_access(&condition.tree.paths, indexes),
            Form::Comparisons(_) => Ok(()),
        }
    }

    /// Refuses a filter that looks at a key attribute of what it filters.
    pub fn check_no_key_attribute(&self, schema: &KeySchema) -> Result<(), ExpressionError> {
        self.check_none_of(schema.attributes())
    }

    /// Refuses a filter that looks at one of these key attributes of what it filters.
    pub fn check_none_of<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a KeyAttribute>,
    ) -> Result<(), ExpressionError> {
        let parameter = match &self.0 {
            Form::Tree(_) => "Filter Expression",
            Form::Comparisons(_) => "QueryFilter",
        };
        let names = self.attribute_names();
        match keys.into_iter().find(|attribute| names.contains(attribute.name.as_str())) {
            None => Ok(()),
            Some(attribute) => Err(ExpressionError::new(format!(
                "{parameter} can only contain non-primary key attributes: Primary key attribute: {}",
                attribute.name
            ))),
        }
    }

    /// The top-level attributes that the condition looks at.
    pub fn attribute_names(&self) -> BTreeSet<&str> {
        match &self.0 {
            Form::Tree(condition) => condition.tree.paths.iter().map(Path::name).collect(),
            Form::Comparisons(comparisons) => comparisons.names().collect(),
        }
    }
}

/// A parsed and checked condition.
#[derive(Clone)]
pub(super) struct ConditionTree {
    pub(super) tree: Tree,
    pub(super) root: NodeId,
}

impl ConditionTree {
    pub(super) fn parse(
        kind: ExpressionKind,
        source: &str,
        placeholders: &mut Placeholders,
    ) -> Result<ConditionTree, ExpressionError> {
        kind.check_size(source)?;
        parser::parse(source)
            .and_then(|(mut tree, root)| {
                check::check(&mut tree, source, placeholders)?;
                Ok(ConditionTree { tree, root })
            })
            .map_err(|text| ExpressionError::invalid(kind, text))
    }

    /// Whether a node that is a condition is true. It recurses once per
    /// operator, of which there are at most 300.
    fn holds(&self, id: NodeId, item: &Item) -> bool {
        let operand = |position| self.operand(self.tree.child(id, position), item);
        match self.tree.node(id).kind {
            NodeKind::And => self.tree.children(id).all(|child| self.holds(child, item)),
            NodeKind::Or => self.tree.children(id).any(|child| self.holds(child, item)),
            NodeKind::Not => !self.holds(self.tree.child(id, 0), item),
            NodeKind::Compare(comparator) => comparator.holds(operand(0).as_deref(), operand(1).as_deref()),
            NodeKind::Between => {
                let (Some(value), Some(lower), Some(upper)) = (operand(0), operand(1), operand(2)) else {
                    return false;
                };
                order(&value, &lower).is_some_and(Ordering::is_ge)
                    && order(&value, &upper).is_some_and(Ordering::is_le)
            }
            NodeKind::In => {
                let value = operand(0);
                let mut options = self.tree.children(id).skip(1);
                options.any(|option| {
                    Comparator::Equal.holds(value.as_deref(), self.operand(option, item).as_deref())
                })
            }
            NodeKind::Call(Some(function)) => match (function, operand(0)) {
                (Function::AttributeExists, value) => value.is_some(),
                (Function::AttributeNotExists, value) => value.is_none(),
                (_, None) => false,
                (_, Some(value)) => operand(1).is_some_and(|second| match function {
                    Function::AttributeType => {
                        matches!(&*second, AttributeValue::S(name) if value.type_name() == name)
                    }
                    Function::BeginsWith => begins_with(&value, &second),
                    Function::Contains => contains(&value, &second),
                    _ => false,
                }),
            },
            // The checks leave no other kind where a condition stands.
            _ => false,
        }
    }

    /// The value of an operand, if it has one.
    fn operand<'a>(&'a self, id: NodeId, item: &'a Item) -> Option<Cow<'a, AttributeValue>> {
        match self.tree.node(id).kind {
            NodeKind::Path(_) => self.tree.path(id)?.value_in(item).map(Cow::Borrowed),
            NodeKind::Value(_) => self.tree.value(id).map(|value| Cow::Borrowed(&**value)),
            NodeKind::Call(Some(Function::Size)) => {
                let value = self.operand(self.tree.child(id, 0), item)?;
                size(&value).map(|size| Cow::Owned(AttributeValue::N(size)))
            }
            // A condition is an operand only in languages that let it be compared.
            kind if kind.is_condition() => Some(Cow::Owned(AttributeValue::Bool(self.holds(id, item)))),
            _ => None,
        }
    }
}

/// Refuses paths that lead below a key attribute.
pub(super) fn check_key_access<'a>(
    paths: impl IntoIterator<Item = &'a Path, IntoIter: Clone>,
    schema: &KeySchema,
) -> Result<(), ExpressionError> {
    let nested = paths.into_iter().filter(|path| !path.steps().is_empty());
    match schema.attributes().find(|attribute| nested.clone().any(|path| path.name() == attribute.name)) {
        None => Ok(()),
        Some(attribute) => Err(ExpressionError::new(format!(
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not \
             allowed: Key: {}",
            attribute.name
        ))),
    }
}

/// Refuses paths that lead below a key attribute of an index.
pub(super) fn check_index_key_access<'a, 'b>(
    paths: impl IntoIterator<Item = &'a Path, IntoIter: Clone>,
    indexes: impl IntoIterator<Item = &'b IndexSchema>,
) -> Result<(), ExpressionError> {
    let nested = paths.into_iter().filter(|path| !path.steps().is_empty());
    let mut keys = indexes.into_iter().flat_map(IndexSchema::attributes);
    match keys.find(|attribute| nested.clone().any(|path| path.name() == attribute.name)) {
        None => Ok(()),
        Some(attribute) => Err(ExpressionError::new(format!(
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not \
             allowed: IndexKey: {}",
            attribute.name
        ))),
    }
}
