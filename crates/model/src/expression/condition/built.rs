//! Conditions that were not written as expressions but in a language with a
//! grammar of its own. The same rules check them.

use std::sync::Arc;

use super::{Condition, ConditionTree, Form, check::check_operands};
use crate::attribute::AttributeValue;
use crate::expression::ExpressionError;
use crate::expression::operators::Comparator;
use crate::expression::path::Path;
use crate::expression::tree::{Function, NodeId, NodeKind, Tree, misused_function};

/// A condition, or a function that can be a condition or an operand.
///
/// Whoever makes one bounds its depth: it is walked and dropped by recursion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    /// True where all are; true of none.
    And(Vec<Term>),
    /// True where one is; false of none.
    Or(Vec<Term>),
    Not(Box<Term>),
    Compare(Comparator, Operand, Operand),
    /// The value, the lower and the upper bound.
    Between(Box<[Operand; 3]>),
    /// The value and what it is compared with.
    In(Operand, Vec<Operand>),
    Call(Function, Vec<Operand>),
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Path(Path),
    Value(Arc<AttributeValue>),
    /// A condition, as a boolean; or `size`.
    Term(Box<Term>),
}

impl Condition {
    /// The condition that a term is.
    pub(crate) fn from_term(term: &Term) -> Result<Condition, ExpressionError> {
        let mut tree = Tree::with_room();
        let root = add_term(&mut tree, term, true).map_err(ExpressionError::new)?;
        tree.check_operator_count().map_err(ExpressionError::new)?;
        Ok(Condition(Form::Tree(ConditionTree { tree, root })))
    }
}

/// Adds a term; `alone` says whether it is a whole condition, not an operand.
fn add_term(tree: &mut Tree, term: &Term, alone: bool) -> Result<NodeId, String> {
    let mut children = Vec::new();
    let kind = match term {
        Term::And(terms) | Term::Or(terms) => {
            for term in terms {
                children.push(add_term(tree, term, true)?);
            }
            if matches!(term, Term::And(_)) { NodeKind::And } else { NodeKind::Or }
        }
        Term::Not(term) => {
            children.push(add_term(tree, term, true)?);
            NodeKind::Not
        }
        Term::Compare(comparator, left, right) => {
            children.push(add_operand(tree, left)?);
            children.push(add_operand(tree, right)?);
            NodeKind::Compare(*comparator)
        }
        Term::Between(operands) => {
            for operand in operands.iter() {
                children.push(add_operand(tree, operand)?);
            }
            NodeKind::Between
        }
        Term::In(value, options) => {
            children.push(add_operand(tree, value)?);
            for option in options {
                children.push(add_operand(tree, option)?);
            }
            NodeKind::In
        }
        Term::Call(function, _) if function.is_of_updates() => {
            return Err(format!(
                "The function is not allowed in a condition expression; function: {}",
                function.name()
            ));
        }
        Term::Call(Function::Size, _) if alone => return Err(misused_function(Function::Size)),
        Term::Call(function, operands) => {
            for operand in operands {
                children.push(add_operand(tree, operand)?);
            }
            NodeKind::Call(Some(*function))
        }
    };
    let id = tree.add_built(kind, &children);
    check_operands(tree, id)?;
    Ok(id)
}

fn add_operand(tree: &mut Tree, operand: &Operand) -> Result<NodeId, String> {
    match operand {
        Operand::Path(path) => Ok(tree.add_path(path)),
        Operand::Value(value) => Ok(tree.add_value(value)),
        Operand::Term(term) => add_term(tree, term, false),
    }
}
