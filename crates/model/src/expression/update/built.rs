//! Updates that were not written as expressions but in a language with a
//! grammar of its own. The same rules check them.

use std::sync::Arc;

use super::check::check_operands;
use super::{Action, Operand, Section, Update};
use crate::attribute::AttributeValue;
use crate::expression::ExpressionError;
use crate::expression::path::Path;
use crate::expression::path_tree::PathTree;
use crate::expression::tree::{Function, NodeId, NodeKind, Tree};

/// One change of an update.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    Set(Path, ChangeValue),
    Remove(Path),
    /// Adds elements to a set.
    Add(Path, AttributeValue),
    /// Takes elements out of a set.
    Delete(Path, AttributeValue),
}

/// What a change sets an attribute to.
///
/// Whoever makes one bounds its depth: it is walked and dropped by recursion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChangeValue {
    Path(Path),
    Value(Arc<AttributeValue>),
    Call(Function, Vec<ChangeValue>),
    Plus(Vec<ChangeValue>),
    Minus(Vec<ChangeValue>),
}

impl Update {
    /// The update that these changes are, in the order of the source.
    pub(crate) fn from_changes(changes: Vec<Change>) -> Result<Update, ExpressionError> {
        let mut tree = Tree::with_room();
        let mut targets = PathTree::default();
        for (position, change) in changes.iter().enumerate() {
            let (Change::Set(path, _)
            | Change::Remove(path)
            | Change::Add(path, _)
            | Change::Delete(path, _)) = change;
            targets.insert(path, position).map_err(ExpressionError::new)?;
        }
        let order = targets.in_service_order();
        targets.sort();
        let mut actions = Vec::with_capacity(changes.len());
        for change in changes {
            let (section, target, operand) = match change {
                Change::Set(path, value) => {
                    let id = add_value(&mut tree, &value).map_err(ExpressionError::new)?;
                    (Section::Set, path, Operand::Node(id))
                }
                Change::Remove(path) => (Section::Remove, path, Operand::None),
                Change::Add(path, value) => (Section::Add, path, Operand::Value(value)),
                Change::Delete(path, value) => (Section::Delete, path, Operand::Value(value)),
            };
            actions.push(Some(Action { section, target, operand }));
        }
        tree.check_operator_count().map_err(ExpressionError::new)?;
        let actions = order.into_iter().filter_map(|position| actions[position].take()).collect();
        Ok(Update { tree, actions, targets, is_legacy: false })
    }
}

fn add_value(tree: &mut Tree, value: &ChangeValue) -> Result<NodeId, String> {
    let (kind, operands) = match value {
        ChangeValue::Path(path) => return Ok(tree.add_path(path)),
        ChangeValue::Value(value) => return Ok(tree.add_value(value)),
        ChangeValue::Call(function, _) if !function.is_of_updates() => {
            return Err(format!(
                "The function is not allowed in an update expression; function: {}",
                function.name()
            ));
        }
        ChangeValue::Call(function, operands) => (NodeKind::Call(Some(*function)), operands),
        ChangeValue::Plus(operands) => (NodeKind::Plus, operands),
        ChangeValue::Minus(operands) => (NodeKind::Minus, operands),
    };
    let mut children = Vec::with_capacity(operands.len());
    for operand in operands {
        children.push(add_value(tree, operand)?);
    }
    let id = tree.add_built(kind, &children);
    check_operands(tree, id)?;
    Ok(id)
}
