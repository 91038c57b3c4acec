//! The checks of an update's source, in the service's order: what its words
//! are; then what the targets stand for and whether they get in each other's
//! way; then the values; then how many operators there are. The service goes
//! through targets and values from the last action to the first, and applies
//! actions in the order of its tree of targets, which says whose error is told.

use super::parser::Parsed;
use super::{Action, Operand, Section, Update};
use crate::attribute::AttributeValue;
use crate::expression::path::Path;
use crate::expression::path_tree::PathTree;
use crate::expression::placeholders::Placeholders;
use crate::expression::tree::{
    Function, NONE, NodeId, NodeKind, Tree, check_distinct, check_operand_count, incorrect_type,
    invalid_function, misused_function, path_required, static_type,
};

pub(super) fn check(parsed: Parsed, source: &str, placeholders: &mut Placeholders) -> Result<Update, String> {
    let Parsed { mut tree, actions: parsed_actions, sections } = parsed;
    check_words(&tree, &sections, source)?;

    let mut targets = PathTree::default();
    let mut paths: Vec<Path> = Vec::with_capacity(parsed_actions.len());
    for action in parsed_actions.iter().rev() {
        let path = tree.resolve_path(action.target, source, placeholders)?;
        targets.insert(&path, paths.len())?;
        paths.push(path);
    }
    let order = targets.in_service_order();
    targets.sort();

    for action in parsed_actions.iter().rev() {
        for position in action.finished.clone() {
            let id = tree.finished_at(position);
            if !tree.resolve(id, source, placeholders)? {
                check_operands(&tree, id)?;
            }
        }
        if let Section::Add | Section::Delete = action.section {
            check_operand_of_section(action.section, &tree, action.value)?;
        }
    }
    tree.check_operator_count()?;
    tree.forget_source();

    // Paths and the positions in the order count from the last action.
    let mut paths: Vec<Option<Path>> = paths.into_iter().map(Some).collect();
    let actions = order.into_iter().filter_map(|position| {
        let action = &parsed_actions[parsed_actions.len() - 1 - position];
        Some(Action {
            section: action.section,
            target: paths[position].take()?,
            operand: if action.value == NONE { Operand::None } else { Operand::Node(action.value) },
        })
    });
    let actions = actions.collect();
    Ok(Update { tree, actions, targets, is_legacy: false })
}

fn check_words(tree: &Tree, sections: &[(Section, usize)], source: &str) -> Result<(), String> {
    let mut first = 0;
    for (position, (section, end)) in sections.iter().enumerate() {
        for id in first..*end {
            check_word(tree, id as NodeId, source)?;
        }
        first = *end;
        if sections[..position].iter().any(|(earlier, _)| earlier == section) {
            return Err(format!(
                "The \"{}\" section can only be used once in an update expression;",
                section.name()
            ));
        }
    }
    Ok(())
}

fn check_word(tree: &Tree, id: NodeId, source: &str) -> Result<(), String> {
    let node = tree.node(id);
    match node.kind {
        NodeKind::SourcePath(..) => tree.check_path_source(id, source),
        NodeKind::Call(None) => {
            Err(invalid_function(&source[usize::from(node.start)..usize::from(node.end)]))
        }
        NodeKind::Call(Some(function)) if !function.is_of_updates() => {
            Err(format!("The function is not allowed in an update expression; function: {}", function.name()))
        }
        // A list that was appended to cannot be an operand.
        NodeKind::Call(Some(function @ Function::ListAppend)) if !node.stands_alone => {
            Err(misused_function(function))
        }
        _ => Ok(()),
    }
}

/// Checks the operands of a node, which are resolved and checked themselves.
pub(super) fn check_operands(tree: &Tree, id: NodeId) -> Result<(), String> {
    let other_type_than = |wanted: &str| {
        let mut types = tree.children(id).filter_map(|child| static_type(tree, child));
        types.find(|name| *name != wanted)
    };
    match tree.node(id).kind {
        NodeKind::Call(Some(function @ Function::IfNotExists)) => {
            check_operand_count(tree, id, function)?;
            check_distinct(tree, id, function.name())?;
            if tree.path(tree.child(id, 0)).is_none() {
                return Err(path_required(function));
            }
            Ok(())
        }
        NodeKind::Call(Some(function)) => {
            check_operand_count(tree, id, function)?;
            match other_type_than("L") {
                Some(name) => Err(incorrect_type(function.name(), name)),
                None => Ok(()),
            }
        }
        NodeKind::Plus | NodeKind::Minus => {
            let symbol = if tree.node(id).kind == NodeKind::Plus { "+" } else { "-" };
            match other_type_than("N") {
                Some(name) => Err(incorrect_type(symbol, name)),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// ADD takes a number or a set, DELETE a set.
fn check_operand_of_section(section: Section, tree: &Tree, id: NodeId) -> Result<(), String> {
    let Some(value) = tree.value(id) else {
        return Ok(());
    };
    let type_name = match &**value {
        AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => return Ok(()),
        AttributeValue::N(_) if section == Section::Add => return Ok(()),
        AttributeValue::N(_) => "NUMBER",
        AttributeValue::S(_) => "STRING",
        AttributeValue::B(_) => "BINARY",
        AttributeValue::Bool(_) => "BOOLEAN",
        AttributeValue::Null => "NULL",
        AttributeValue::L(_) => "LIST",
        AttributeValue::M(_) => "MAP",
    };
    let name = section.name();
    Err(format!(
        "Incorrect operand type for operator or function; operator: {name}, operand type: {type_name}, \
         typeSet: ALLOWED_FOR_{name}_OPERAND"
    ))
}
