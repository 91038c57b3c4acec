//! The expressions of a request, read in the service's order.

use strongroom_model::document::Document;
use strongroom_model::expression::{
    self as model, Condition, ExpressionError, ExpressionKind, ParameterUse, Placeholders, Projection,
};
use strongroom_model::json;

use super::input;
use super::refused::Refused;
use crate::wire::ApiError;

impl From<ExpressionError> for ApiError {
    fn from(error: ExpressionError) -> Self {
        Self::validation(error.message())
    }
}

/// Checks which parameters go together.
///
/// `expressions` are the operation's expression parameters and `legacy` the old ones they replace,
/// each in the order in which the service lists them.
pub fn check_parameters(
    body: &Document,
    expressions: &[&'static str],
    legacy: &[&'static str],
) -> Result<(), Refused> {
    check(body, expressions, legacy, true)
}

/// The same for PutItem, UpdateItem and DeleteItem, which do not say which expression they miss.
pub fn check_write_parameters(
    body: &Document,
    expressions: &[&'static str],
    legacy: &[&'static str],
) -> Result<(), Refused> {
    check(body, expressions, legacy, false)
}

fn check(
    body: &Document,
    expressions: &[&'static str],
    legacy: &[&'static str],
    says_what_is_missed: bool,
) -> Result<(), Refused> {
    let uses = |names: &[&'static str]| -> Vec<ParameterUse> {
        names.iter().map(|name| ParameterUse { name, present: input::has(body, name) }).collect()
    };
    Ok(model::check_parameters(
        &uses(expressions),
        &uses(legacy),
        input::has(body, "ExpressionAttributeNames"),
        input::has(body, "ExpressionAttributeValues"),
        says_what_is_missed,
    )?)
}

/// Reads the placeholders: the service looks at them after the values and the legacy parameters of the request.
pub fn placeholders(body: &mut Document) -> Result<Placeholders, Refused> {
    let names = entries(body, "ExpressionAttributeNames").map(|entries| {
        entries.into_iter().map(|(key, name)| (key, name.as_str().unwrap_or_default().to_owned())).collect()
    });
    let values = entries(body, "ExpressionAttributeValues");
    Placeholders::decode(names, values, |key, value| {
        json::from_json_owned(value).map_err(|error| Refused::from(error).of_expression_value(key))
    })
}

/// Parses a condition or filter, if there is one.
pub fn condition(
    kind: ExpressionKind,
    body: &Document,
    placeholders: &mut Placeholders,
) -> Result<Option<Condition>, Refused> {
    input::text(body, kind.name()).map(|source| Ok(Condition::parse(kind, source, placeholders)?)).transpose()
}

/// Parses the projection, if there is one.
pub fn projection(body: &Document, placeholders: &mut Placeholders) -> Result<Option<Projection>, Refused> {
    input::text(body, ExpressionKind::Projection.name())
        .map(|source| Ok(Projection::parse(source, placeholders)?))
        .transpose()
}

fn entries(body: &mut Document, name: &str) -> Option<Vec<(String, Document)>> {
    match input::take(body, name)? {
        Document::Object(members) => {
            Some(members.into_iter().map(|(name, value)| (name.into_string(), value)).collect())
        }
        _ => None,
    }
}
