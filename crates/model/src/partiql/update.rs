//! SET and REMOVE as an update.

use std::sync::Arc;

use super::condition::{MISSING_COMPARED, unrecognized_function};
use super::error::PartiqlError;
use super::syntax::{Action, Expr, ExprKind};
use super::{literal, path};
use crate::attribute::AttributeValue;
use crate::expression::{Change, ChangeValue, Function, Path, Update};

/// The update that the actions of a statement are.
pub(super) fn update(actions: &[Action], parameters: &[AttributeValue]) -> Result<Update, PartiqlError> {
    let changes = actions.iter().map(|action| match action {
        Action::Set(target, value) => change(path::path(target)?, value, parameters),
        Action::Remove(target) => Ok(Change::Remove(path::path(target)?)),
        Action::Insert => {
            Err(PartiqlError::new("Only SET and REMOVE are supported in update expressions at this time"))
        }
    });
    Ok(Update::from_changes(changes.collect::<Result<_, _>>()?)?)
}

fn change(target: Path, value: &Expr, parameters: &[AttributeValue]) -> Result<Change, PartiqlError> {
    let (name, arguments) = match &value.kind {
        ExprKind::Call(name, arguments) if matches!(name.as_str(), "set_add" | "set_delete") => {
            (name.to_ascii_uppercase(), arguments)
        }
        _ => return Ok(Change::Set(target, change_value(value, parameters)?)),
    };
    let [first, second] = &arguments[..] else {
        return Err(PartiqlError::at(format_args!("{name} must have exactly two arguments"), value.at));
    };
    let is_path = matches!(first.kind, ExprKind::Name(_) | ExprKind::Path(..));
    if !is_path || path::path(first)? != target {
        return Err(PartiqlError::at(
            format_args!("The first argument to {name} must equal the assignment value"),
            value.at,
        ));
    }
    let set = match &second.kind {
        ExprKind::Bag(_) | ExprKind::Parameter(_) => Some(literal::value(second, parameters)?),
        _ => None,
    };
    let is_set = |value: &AttributeValue| {
        matches!(value, AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_))
    };
    match set.filter(is_set) {
        None => Err(PartiqlError::at(
            format_args!("The second argument to {name} must be a value with type SET"),
            first.at,
        )),
        Some(set) if name == "SET_ADD" => Ok(Change::Add(target, set)),
        Some(set) => Ok(Change::Delete(target, set)),
    }
}

fn change_value(expr: &Expr, parameters: &[AttributeValue]) -> Result<ChangeValue, PartiqlError> {
    let unsupported = |operator: &str| {
        Err(PartiqlError::new(format!("Unsupported operator in Update Expression. Operator: {operator}")))
    };
    Ok(match &expr.kind {
        ExprKind::Name(_) | ExprKind::Path(..) => ChangeValue::Path(path::path(expr)?),
        ExprKind::Missing => return Err(PartiqlError::new(MISSING_COMPARED)),
        ExprKind::Call(name, arguments) => {
            let function = Function::from_name(name).ok_or_else(|| unrecognized_function(name, expr))?;
            let arguments = arguments.iter().map(|argument| change_value(argument, parameters));
            ChangeValue::Call(function, arguments.collect::<Result<_, _>>()?)
        }
        ExprKind::Binary(operator @ ("+" | "-"), left, right) => {
            let operands = vec![change_value(left, parameters)?, change_value(right, parameters)?];
            if *operator == "+" { ChangeValue::Plus(operands) } else { ChangeValue::Minus(operands) }
        }
        ExprKind::Sign(operator, _) => {
            return Err(PartiqlError::new(format!(
                "Incorrect number of operands for operator or function; operator or function: {operator}, \
                 number of operands: 1"
            )));
        }
        ExprKind::Is(..) => {
            return Err(PartiqlError::new("IS operator is not supported in update expressions"));
        }
        ExprKind::Binary(operator, ..) => return unsupported(operator),
        ExprKind::And(_) => return unsupported("and"),
        ExprKind::Or(_) => return unsupported("or"),
        ExprKind::Not(_) => return unsupported("not"),
        ExprKind::Between(_) => return unsupported("between"),
        ExprKind::In(..) => return unsupported("in"),
        ExprKind::Nested(_) => {
            return Err(PartiqlError::at("Unsupported token in expression: SELECT", expr.at));
        }
        _ => ChangeValue::Value(Arc::new(literal::value(expr, parameters)?)),
    })
}
