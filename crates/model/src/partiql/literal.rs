//! Literals as attribute values.

use std::collections::BTreeSet;

use super::error::PartiqlError;
use super::syntax::{Expr, ExprKind};
use crate::attribute::{AttributeValue, Item};
use crate::json;
use crate::number::Number;

/// The value of a literal, or of a parameter, which stands for a whole value only.
pub(super) fn value(expr: &Expr, parameters: &[AttributeValue]) -> Result<AttributeValue, PartiqlError> {
    if let ExprKind::Parameter(position) = expr.kind {
        return parameter(position, parameters);
    }
    let value = nested(expr, ROOT, false)?;
    if value.levels() > json::NESTING_MAX {
        return Err(PartiqlError::new(json::nesting_exceeded().message));
    }
    Ok(value)
}

/// The item that an INSERT writes; parameters stand for whole attributes.
pub(super) fn item(members: &[(Expr, Expr)], parameters: &[AttributeValue]) -> Result<Item, PartiqlError> {
    let mut item = Item::new();
    for (key, member) in members {
        let name = member_name(key, ROOT, &item)?;
        if name.is_empty() {
            return Err(PartiqlError::new(EMPTY_NAME));
        }
        let value = match &member.kind {
            ExprKind::Parameter(position) => parameter(*position, parameters)?,
            ExprKind::List(_) | ExprKind::Struct(_) => {
                let value = nested(member, ROOT, true)?;
                if value.levels() > json::NESTING_MAX {
                    return Err(PartiqlError::new(json::nesting_exceeded().message));
                }
                value
            }
            _ => nested(member, ROOT, false)?,
        };
        item.insert(name.to_owned(), value);
    }
    Ok(item)
}

fn parameter(position: usize, parameters: &[AttributeValue]) -> Result<AttributeValue, PartiqlError> {
    parameters.get(position).cloned().ok_or_else(|| PartiqlError::new(PARAMETER_COUNT))
}

/// The value of a literal that stands at `path` in what is written; `within`
/// says whether it is a part of a list or map.
fn nested(expr: &Expr, path: &str, within: bool) -> Result<AttributeValue, PartiqlError> {
    let unsupported = |name: &str| {
        Err(PartiqlError::at(format_args!("Unsupported data type: {name} under key {path}"), expr.at))
    };
    Ok(match &expr.kind {
        ExprKind::String(text) => AttributeValue::S(text.clone()),
        ExprKind::Number(text) => AttributeValue::N(number(text, path)?),
        ExprKind::Bool(value) => AttributeValue::Bool(*value),
        ExprKind::Null => AttributeValue::Null,
        ExprKind::List(elements) => {
            let elements = elements.iter().enumerate();
            let values =
                elements.map(|(position, element)| nested(element, &format!("{path}[{position}]"), true));
            AttributeValue::L(values.collect::<Result<_, _>>()?)
        }
        ExprKind::Struct(members) => {
            let mut map = Item::new();
            for (key, member) in members {
                let name = member_name(key, path, &map)?;
                let value = nested(member, &format!("{path}.{name}"), true)?;
                map.insert(name.to_owned(), value);
            }
            AttributeValue::M(map)
        }
        ExprKind::Bag(elements) => set(elements, path)?,
        ExprKind::Ion(text) => {
            let kind = ion_type(text);
            return Err(PartiqlError::at(
                format_args!("Ion Literals are not supported: {kind} under key {path}"),
                expr.at,
            ));
        }
        ExprKind::Missing => return unsupported("MISSING"),
        ExprKind::Parameter(_) => return unsupported("Parameter"),
        ExprKind::Name(_) if within => return unsupported("VariableReference"),
        ExprKind::Name(name) => return unsupported(name),
        ExprKind::Call(name, _) => return unsupported(name),
        ExprKind::Binary(operator, ..) | ExprKind::Sign(operator, _) => return unsupported(operator),
        other => return unsupported(other.operation_name()),
    })
}

fn number(text: &str, path: &str) -> Result<Number, PartiqlError> {
    Number::parse(text).map_err(|error| PartiqlError::new(format!("{error} under {path}")))
}

fn member_name<'a>(key: &'a Expr, path: &str, others: &Item) -> Result<&'a str, PartiqlError> {
    let ExprKind::String(name) = &key.kind else {
        let actual = match &key.kind {
            ExprKind::Name(_) => "VariableReference",
            other => other.operation_name(),
        };
        return Err(PartiqlError::at(
            format_args!("Tuple keys must be of type String. Actual type: {actual} under {path}"),
            key.at,
        ));
    };
    if others.contains_key(name) {
        return Err(PartiqlError::at(
            format_args!("Duplicate keys in tuple. Key: {name} under {path}"),
            key.at,
        ));
    }
    Ok(name)
}

/// A set, of strings or of numbers.
fn set(elements: &[Expr], path: &str) -> Result<AttributeValue, PartiqlError> {
    let mut strings = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for element in elements {
        match &element.kind {
            ExprKind::String(text) => {
                strings.insert(text.clone());
            }
            ExprKind::Number(text) => {
                numbers.insert(number(text, path)?);
            }
            _ => return Err(PartiqlError::at(UNSUPPORTED_IN_BAG, element.at)),
        }
    }
    if elements.is_empty() {
        return Err(PartiqlError::new("Empty bags are not supported"));
    }
    if !strings.is_empty() && !numbers.is_empty() {
        return Err(PartiqlError::new(UNSUPPORTED_IN_BAG));
    }
    if strings.len() + numbers.len() < elements.len() {
        let texts = elements.iter().filter_map(|element| match &element.kind {
            ExprKind::String(text) | ExprKind::Number(text) => Some(text.as_str()),
            _ => None,
        });
        let texts: Vec<&str> = texts.collect();
        return Err(PartiqlError::new(format!(
            "One or more parameter values were invalid: Input collection [{}] contains duplicates.",
            texts.join(", ")
        )));
    }
    Ok(match strings.is_empty() {
        true => AttributeValue::Ns(numbers.into_iter().collect()),
        false => AttributeValue::Ss(strings.into_iter().collect()),
    })
}

/// The type of an Ion value, by what it begins with.
fn ion_type(text: &str) -> &'static str {
    let text = text.trim_start();
    match text.chars().next() {
        Some('"') => "STRING",
        Some('[') => "LIST",
        Some('(') => "SEXP",
        Some('{') if text.starts_with("{{\"") => "CLOB",
        Some('{') if text.starts_with("{{") => "BLOB",
        Some('{') => "STRUCT",
        Some('0'..='9' | '-') if text.contains('T') => "TIMESTAMP",
        Some('0'..='9' | '-') if text.contains('e') => "FLOAT",
        Some('0'..='9' | '-') if text.contains('.') => "DECIMAL",
        Some('0'..='9' | '-') => "INT",
        _ => match text {
            "null" => "NULL",
            "true" | "false" => "BOOL",
            _ => "SYMBOL",
        },
    }
}

pub(super) const EMPTY_NAME: &str = "Path component cannot be an empty string";
pub(super) const PARAMETER_COUNT: &str = "Number of parameters in request and statement don't match.";
const UNSUPPORTED_IN_BAG: &str =
    "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags";
const ROOT: &str = "root";
