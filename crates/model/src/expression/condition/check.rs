//! The checks of a condition's source, in the service's order: what its words
//! are, for the whole source; then what they stand for and whether they fit
//! together, part by part; then how many operators there are.

use std::cmp::Ordering;

use crate::attribute::AttributeValue;
use crate::expression::IN_OPERANDS_MAX;
use crate::expression::operators::{has_order, order};
use crate::expression::placeholders::Placeholders;
use crate::expression::tree::{
    Function, NodeId, NodeKind, Tree, check_distinct, check_operand_count, incorrect_type, invalid_function,
    misused_function, path_required, static_type,
};

/// Checks a parsed condition and resolves its paths and values.
pub(super) fn check(tree: &mut Tree, source: &str, placeholders: &mut Placeholders) -> Result<(), String> {
    for id in 0..tree.nodes.len() as NodeId {
        check_words(tree, id, source)?;
    }
    for position in 0..tree.finished_count() {
        let id = tree.finished_at(position);
        if !tree.resolve(id, source, placeholders)? {
            check_operands(tree, id)?;
        }
    }
    tree.check_operator_count()?;
    tree.forget_source();
    Ok(())
}

fn check_words(tree: &Tree, id: NodeId, source: &str) -> Result<(), String> {
    let node = tree.node(id);
    match node.kind {
        NodeKind::SourcePath(..) => tree.check_path_source(id, source),
        NodeKind::Call(None) => {
            Err(invalid_function(&source[usize::from(node.start)..usize::from(node.end)]))
        }
        NodeKind::Call(Some(function)) if function.is_of_updates() => Err(format!(
            "The function is not allowed in a condition expression; function: {}",
            function.name()
        )),
        // `size` is the one function that is an operand, and only that.
        NodeKind::Call(Some(function)) if node.stands_alone == (function == Function::Size) => {
            Err(misused_function(function))
        }
        _ => Ok(()),
    }
}

/// Checks the operands of a node, which are resolved and checked themselves.
pub(super) fn check_operands(tree: &Tree, id: NodeId) -> Result<(), String> {
    let types = || tree.children(id).filter_map(|child| static_type(tree, child));
    match tree.node(id).kind {
        NodeKind::Compare(comparator) => {
            check_distinct(tree, id, comparator.symbol())?;
            match types().find(|name| comparator.is_order() && !has_order(name)) {
                Some(name) => Err(incorrect_type(comparator.symbol(), name)),
                None => Ok(()),
            }
        }
        NodeKind::Between => {
            if let Some(name) = types().find(|name| !has_order(name)) {
                return Err(incorrect_type("BETWEEN", name));
            }
            check_distinct(tree, id, "BETWEEN")?;
            check_bounds(tree, id)
        }
        NodeKind::In => {
            let options = usize::from(tree.node(id).children) - 1;
            if options > IN_OPERANDS_MAX {
                return Err(format!(
                    "The IN operator is provided with too many operands; number of operands: {options}"
                ));
            }
            check_distinct(tree, id, "IN")
        }
        NodeKind::Call(Some(function)) => check_call(tree, id, function),
        _ => Ok(()),
    }
}

/// Refuses bounds that are both known and of two types or the wrong way round.
fn check_bounds(tree: &Tree, id: NodeId) -> Result<(), String> {
    let (Some(lower), Some(upper)) = (tree.value(tree.child(id, 1)), tree.value(tree.child(id, 2))) else {
        return Ok(());
    };
    let rule = match order(lower, upper) {
        None => "same data type for lower and upper bounds",
        Some(Ordering::Greater) => "upper bound to be greater than or equal to lower bound",
        Some(_) => return Ok(()),
    };
    Err(format!(
        "The BETWEEN operator requires {rule}; lower bound operand: AttributeValue: {}, \
         upper bound operand: AttributeValue: {}",
        print_scalar(lower),
        print_scalar(upper)
    ))
}

/// A bound as the service prints it: `{S:a}`.
fn print_scalar(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) => format!("{{S:{text}}}"),
        AttributeValue::N(number) => format!("{{N:{number}}}"),
        AttributeValue::B(bytes) => {
            use base64::Engine as _;
            format!("{{B:{}}}", base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        other => format!("{{{}}}", other.type_name()),
    }
}

fn check_call(tree: &Tree, id: NodeId, function: Function) -> Result<(), String> {
    check_operand_count(tree, id, function)?;
    check_distinct(tree, id, function.name())?;
    let first = tree.child(id, 0);
    match function {
        Function::AttributeExists | Function::AttributeNotExists if tree.path(first).is_none() => {
            Err(path_required(function))
        }
        Function::AttributeType => check_type_operand(tree, tree.child(id, 1)),
        Function::BeginsWith => {
            let mut types = tree.children(id).filter_map(|child| static_type(tree, child));
            match types.find(|name| !matches!(*name, "S" | "B")) {
                Some(name) => Err(incorrect_type(function.name(), name)),
                None => Ok(()),
            }
        }
        Function::Size => match static_type(tree, first) {
            Some(name @ ("N" | "BOOL" | "NULL")) => Err(incorrect_type(function.name(), name)),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The second operand of `attribute_type` must be a value that names a type.
fn check_type_operand(tree: &Tree, id: NodeId) -> Result<(), String> {
    let name = Function::AttributeType.name();
    match tree.value(id).map(|value| &**value) {
        Some(AttributeValue::S(text)) if is_type_name(text) => Ok(()),
        Some(AttributeValue::S(text)) => Err(format!(
            "Invalid attribute type name found; type: {text}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
        )),
        _ => {
            let types = static_type(tree, id).unwrap_or("{NS,SS,L,BS,N,M,B,BOOL,NULL,S}");
            Err(incorrect_type(name, types))
        }
    }
}

fn is_type_name(text: &str) -> bool {
    matches!(text, "B" | "NULL" | "SS" | "BOOL" | "L" | "BS" | "N" | "NS" | "S" | "M")
}
