//! WHERE as a condition.

use std::sync::Arc;

use super::error::PartiqlError;
use super::syntax::{Expr, ExprKind};
use super::{literal, path};
use crate::attribute::AttributeValue;
use crate::expression::{Comparator, Function, Operand, Term};

/// The term that a WHERE clause is.
pub(super) fn term(expr: &Expr, parameters: &[AttributeValue]) -> Result<Term, PartiqlError> {
    Translation { parameters }
        .condition(expr, "WHERE clause must contain an expression that resolves to a boolean")
}

struct Translation<'a> {
    parameters: &'a [AttributeValue],
}

impl Translation<'_> {
    /// A condition; `otherwise` is the error where the expression is none.
    fn condition(&self, expr: &Expr, otherwise: &str) -> Result<Term, PartiqlError> {
        match &expr.kind {
            ExprKind::Missing => Err(PartiqlError::new(MISSING_COMPARED)),
            kind if is_value(kind) => Err(PartiqlError::new(otherwise)),
            _ => self.term(expr),
        }
    }

    fn conditions(&self, parts: &[Expr], operator: &str) -> Result<Vec<Term>, PartiqlError> {
        let parts = parts.iter().map(|part| {
            if matches!(&part.kind, ExprKind::Call(name, _) if name == "size") {
                return Err(PartiqlError::new(format!(
                    "Incorrect operand type for operator or function; operator or function: {operator}, \
                     operand type: N"
                )));
            }
            self.condition(part, "The arguments to AND/OR must be Expressions")
        });
        parts.collect()
    }

    fn term(&self, expr: &Expr) -> Result<Term, PartiqlError> {
        Ok(match &expr.kind {
            ExprKind::And(parts) => Term::And(self.conditions(parts, "AND")?),
            ExprKind::Or(parts) => Term::Or(self.conditions(parts, "OR")?),
            ExprKind::Not(part) => {
                let part = self.condition(part, "The argument to NOT must be a Type or Expression")?;
                Term::Not(Box::new(part))
            }
            ExprKind::Binary(operator, left, right) => {
                let comparator = comparator(operator).ok_or_else(|| unsupported_operator(operator))?;
                Term::Compare(comparator, self.operand(left)?, self.operand(right)?)
            }
            ExprKind::Between(parts) => {
                let [value, lower, upper] = &**parts;
                Term::Between(Box::new([self.operand(value)?, self.operand(lower)?, self.operand(upper)?]))
            }
            ExprKind::In(value, values) => {
                let (ExprKind::List(values) | ExprKind::Bag(values)) = &values.kind else {
                    return Err(PartiqlError::new(INVALID_IN));
                };
                if values.is_empty() {
                    return Err(PartiqlError::new(INVALID_IN));
                }
                let value = self.operand(value)?;
                let values = values.iter().map(|value| self.operand(value));
                Term::In(value, values.collect::<Result<_, _>>()?)
            }
            ExprKind::Is(value, type_name) => self.is_type(expr, value, type_name)?,
            ExprKind::Call(name, arguments) => {
                let function = Function::from_name(name).ok_or_else(|| unrecognized_function(name, expr))?;
                let operands = arguments.iter().map(|argument| self.operand(argument));
                Term::Call(function, operands.collect::<Result<_, _>>()?)
            }
            ExprKind::Sign(operator, _) => return Err(unsupported_operator(operator)),
            ExprKind::Nested(_) => {
                return Err(PartiqlError::at("Unsupported token in expression: SELECT", expr.at));
            }
            other => return Err(unsupported_operator(other.operation_name())),
        })
    }

    fn operand(&self, expr: &Expr) -> Result<Operand, PartiqlError> {
        match &expr.kind {
            ExprKind::Name(_) | ExprKind::Path(..) => path::path(expr).map(Operand::Path),
            ExprKind::Missing => Err(PartiqlError::new(MISSING_COMPARED)),
            kind if is_value(kind) => {
                let value = literal::value(expr, self.parameters)?;
                Ok(Operand::Value(Arc::new(value)))
            }
            _ => self.term(expr).map(|term| Operand::Term(Box::new(term))),
        }
    }

    /// `x IS type`. A missing attribute is of no type, not even NULL.
    fn is_type(&self, expr: &Expr, value: &Expr, type_name: &str) -> Result<Term, PartiqlError> {
        let operand = match &value.kind {
            ExprKind::Missing => return Ok(Term::And(Vec::new())),
            ExprKind::Name(_) | ExprKind::Path(..) => self.operand(value)?,
            kind if is_value(kind) => self.operand(value)?,
            _ => {
                return Err(PartiqlError::new(
                    "The left hand side argument to IS must be a Variable Reference, Literal, or Path",
                ));
            }
        };
        let dynamodb_type = match type_name {
            "MISSING" if matches!(operand, Operand::Value(_)) => return Ok(Term::Or(Vec::new())),
            "MISSING" => return Ok(Term::Call(Function::AttributeNotExists, vec![operand])),
            "NULL" => "NULL",
            "BOOLEAN" => "BOOL",
            "BLOB" => "B",
            "STRING" => "S",
            "NUMERIC" => "N",
            "STRUCT" | "TUPLE" => "M",
            "LIST" => "L",
            other => {
                return Err(PartiqlError::at(
                    format_args!(
                        "Unsupported data type for IS operator: {other}. Supported data types are [MISSING, \
                         NULL, BOOLEAN, BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST]"
                    ),
                    expr.at,
                ));
            }
        };
        let name = Operand::Value(Arc::new(AttributeValue::S(dynamodb_type.to_owned())));
        Ok(Term::Call(Function::AttributeType, vec![operand, name]))
    }
}

/// Whether an expression stands for a value rather than for a condition.
fn is_value(kind: &ExprKind) -> bool {
    matches!(
        kind,
        ExprKind::Name(_)
            | ExprKind::Path(..)
            | ExprKind::String(_)
            | ExprKind::Number(_)
            | ExprKind::Bool(_)
            | ExprKind::Null
            | ExprKind::Ion(_)
            | ExprKind::Parameter(_)
            | ExprKind::List(_)
            | ExprKind::Bag(_)
            | ExprKind::Struct(_)
    )
}

fn comparator(operator: &str) -> Option<Comparator> {
    Some(match operator {
        "=" => Comparator::Equal,
        "<>" => Comparator::NotEqual,
        "<" => Comparator::Less,
        "<=" => Comparator::LessOrEqual,
        ">" => Comparator::Greater,
        ">=" => Comparator::GreaterOrEqual,
        _ => return None,
    })
}

fn unsupported_operator(operator: &str) -> PartiqlError {
    PartiqlError::new(format!("Unsupported operator in Condition Expression. Operator: {operator}"))
}

pub(super) fn unrecognized_function(name: &str, expr: &Expr) -> PartiqlError {
    PartiqlError::at(format_args!("Unrecognized function: {name}"), expr.at)
}

pub(super) const MISSING_COMPARED: &str = "MISSING must be compared using IS operator";
const INVALID_IN: &str = "IN operator must have a left hand argument of type Variable Reference and right hand \
     argument of type Seq with at least one member";
