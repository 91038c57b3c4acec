//! The parameters from before expressions, read from a request.
//!
//! Each is read after [`expressions::check_parameters`](super::expressions::check_parameters) has refused to mix them
//! with expressions. An empty map of conditions is as good as none.

use strongroom_model::attribute::AttributeValue;
use strongroom_model::document::{Document, Object};
use strongroom_model::expression::{
    AttributeComparison, AttributeUpdate, ComparisonOperator, Condition, ConditionalOperator, Expectation,
    KeyConditions, Projection, Update, UpdateAction, check_conditional_operator,
};
use strongroom_model::json;

use super::input;
use super::refused::Refused;

/// The condition that `Expected` and `ConditionalOperator` are, if there is one.
pub fn expected(body: &mut Document) -> Result<Option<Condition>, Refused> {
    let expectations = entries(body, "Expected")
        .map(|(name, one)| expectation(name, one))
        .collect::<Result<Vec<_>, Refused>>()?;
    let count = expectations.len();
    let condition = Condition::from_expected(expectations, conditional_operator(body))?;
    present(body, condition, count)
}

/// The condition that `QueryFilter` or `ScanFilter` (`parameter`) and `ConditionalOperator` are, if there is one.
pub fn filter(body: &mut Document, parameter: &str) -> Result<Option<Condition>, Refused> {
    let comparisons = comparisons(body, parameter)?;
    let count = comparisons.len();
    let condition = Condition::from_filter(comparisons, conditional_operator(body))?;
    present(body, condition, count)
}

/// `KeyConditions`.
pub fn key_conditions(body: &mut Document) -> Result<KeyConditions, Refused> {
    let comparisons = comparisons(body, "KeyConditions")?;
    Ok(if input::has(body, "IndexName") {
        KeyConditions::from_comparisons_on_index(comparisons)?
    } else {
        KeyConditions::from_comparisons(comparisons)?
    })
}

/// The update that `AttributeUpdates` are, if there is anything to update.
pub fn attribute_updates(body: &mut Document) -> Result<Option<Update>, Refused> {
    let updates = entries(body, "AttributeUpdates")
        .map(|(name, mut update)| {
            let action = match input::text(&update, "Action") {
                Some("ADD") => UpdateAction::Add,
                Some("DELETE") => UpdateAction::Delete,
                _ => UpdateAction::Put,
            };
            let value = input::take(&mut update, "Value").map(attribute_value).transpose()?;
            Ok(AttributeUpdate { name: checked_name(name)?, action, value })
        })
        .collect::<Result<Vec<_>, Refused>>()?;
    if updates.is_empty() {
        return Ok(None);
    }
    Ok(Some(Update::from_attribute_updates(updates)?))
}

/// The projection that `AttributesToGet` is, if the request has it.
pub fn attributes_to_get(body: &Document) -> Result<Option<Projection>, Refused> {
    let Some(names) = body.get("AttributesToGet").and_then(Document::as_array) else { return Ok(None) };
    let names = names
        .iter()
        .map(|name| checked_name(name.as_str().unwrap_or_default().to_owned()))
        .collect::<Result<Vec<_>, Refused>>()?;
    Ok(Some(Projection::from_attributes_to_get(&names)?))
}

fn conditional_operator(body: &Document) -> ConditionalOperator {
    match input::text(body, "ConditionalOperator") {
        Some("OR") => ConditionalOperator::Or,
        _ => ConditionalOperator::And,
    }
}

// The service looks at the operator when the conditions themselves are found good.
fn present(body: &Document, condition: Condition, count: usize) -> Result<Option<Condition>, Refused> {
    if input::has(body, "ConditionalOperator") {
        check_conditional_operator(count)?;
    }
    Ok((count > 0).then_some(condition))
}

fn comparisons(body: &mut Document, parameter: &str) -> Result<Vec<AttributeComparison>, Refused> {
    entries(body, parameter)
        .map(|(name, mut condition)| {
            let operator = input::text(&condition, "ComparisonOperator")
                .and_then(ComparisonOperator::from_name)
                // The model requires it and allows no other names.
                .ok_or_else(|| Refused::rule("ComparisonOperator is required"))?;
            let values = values(&mut condition)?.unwrap_or_default();
            Ok(AttributeComparison { name: checked_name(name)?, operator, values })
        })
        .collect()
}

fn expectation(name: String, mut expected: Document) -> Result<Expectation, Refused> {
    Ok(Expectation {
        name: checked_name(name)?,
        value: input::take(&mut expected, "Value").map(attribute_value).transpose()?,
        exists: input::flag(&expected, "Exists"),
        operator: input::text(&expected, "ComparisonOperator").and_then(ComparisonOperator::from_name),
        values: values(&mut expected)?,
    })
}

fn values(condition: &mut Document) -> Result<Option<Vec<AttributeValue>>, Refused> {
    match input::take(condition, "AttributeValueList") {
        Some(Document::Array(values)) => {
            values.into_vec().into_iter().map(attribute_value).collect::<Result<_, _>>().map(Some)
        }
        _ => Ok(None),
    }
}

fn attribute_value(value: Document) -> Result<AttributeValue, Refused> {
    Ok(json::from_json_owned(value)?)
}

fn checked_name(name: String) -> Result<String, Refused> {
    json::check_name(&name)?;
    Ok(name)
}

fn entries(body: &mut Document, parameter: &str) -> impl Iterator<Item = (String, Document)> + use<> {
    let members = match input::take(body, parameter) {
        Some(Document::Object(members)) => members,
        _ => Object::default(),
    };
    members.into_iter().map(|(name, value)| (name.into_string(), value))
}
