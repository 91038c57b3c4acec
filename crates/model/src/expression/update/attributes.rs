//! `AttributeUpdates`: updates of top-level attributes from before expressions.

use super::{Action, Operand, Section, Update};
use crate::attribute::AttributeValue;
use crate::expression::ExpressionError;
use crate::expression::path::Path;
use crate::expression::path_tree::PathTree;
use crate::expression::tree::Tree;

/// An `AttributeValueUpdate`.
#[derive(Clone)]
pub struct AttributeUpdate {
    /// The attribute's name; each name at most once in a request.
    pub name: String,
    /// `Action`; PUT where it is absent.
    pub action: UpdateAction,
    /// `Value`, if present.
    pub value: Option<AttributeValue>,
}

/// What an [`AttributeUpdate`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateAction {
    /// Adds to a number, to a set or to the end of a list.
    Add,
    /// Deletes from a set, or the attribute.
    Delete,
    /// Sets the attribute.
    #[default]
    Put,
}

pub(super) fn update(updates: Vec<AttributeUpdate>) -> Result<Update, ExpressionError> {
    let actions = updates.into_iter().map(|update| {
        let section = match (update.action, &update.value) {
            (UpdateAction::Delete, None) => Section::Remove,
            (_, None) => {
                return Err(invalid("Only DELETE action is allowed when no attribute value is specified"));
            }
            (UpdateAction::Put, Some(_)) => Section::Set,
            (UpdateAction::Delete, Some(value)) if !is_set(value) => {
                return Err(invalid(&format!(
                    "DELETE action with value is not supported for the type {}",
                    value.type_name()
                )));
            }
            (UpdateAction::Delete, Some(_)) => Section::Delete,
            (UpdateAction::Add, Some(value)) => match value {
                AttributeValue::N(_) | AttributeValue::L(_) => Section::Add,
                value if is_set(value) => Section::Add,
                value => {
                    return Err(invalid(&format!(
                        "ADD action is not supported for the type {}",
                        value.type_name()
                    )));
                }
            },
        };
        let operand = update.value.map_or(Operand::None, Operand::Value);
        Ok(Action { section, target: Path::top_level(&update.name), operand })
    });
    let actions: Vec<Action> = actions.collect::<Result<_, _>>()?;
    let targets = PathTree::of_attributes(actions.iter().map(|action| action.target.name()));
    Ok(Update { tree: Tree::default(), actions, targets, is_legacy: true })
}

fn is_set(value: &AttributeValue) -> bool {
    matches!(value, AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_))
}

fn invalid(text: &str) -> ExpressionError {
    ExpressionError::new(format!("One or more parameter values were invalid: {text}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use super::*;
    use crate::attribute::Item;
    use crate::json::{from_json, item_from_json, item_to_json};

    fn parse(name: &str, action: UpdateAction, value: Option<Value>) -> Result<Update, String> {
        let value = value.map(|value| from_json(&value).unwrap());
        let update = AttributeUpdate { name: name.into(), action, value };
        Update::from_attribute_updates(vec![update]).map_err(|error| error.message().to_string())
    }

    #[test]
    fn actions_take_their_types_of_values() {
        let refused = |action, value| parse("a", action, value).err().unwrap();
        let prefix = "One or more parameter values were invalid: ";
        for action in [UpdateAction::Put, UpdateAction::Add] {
            assert_eq!(
                refused(action, None),
                format!("{prefix}Only DELETE action is allowed when no attribute value is specified")
            );
        }
        for (name, value) in [("S", json!("a")), ("BOOL", json!(true)), ("M", json!({}))] {
            assert_eq!(
                refused(UpdateAction::Add, Some(json!({name: value}))),
                format!("{prefix}ADD action is not supported for the type {name}")
            );
        }
        for (name, value) in [("S", json!("a")), ("N", json!("1")), ("L", json!([]))] {
            assert_eq!(
                refused(UpdateAction::Delete, Some(json!({name: value}))),
                format!("{prefix}DELETE action with value is not supported for the type {name}")
            );
        }
    }

    #[test]
    fn updates_change_top_level_attributes() {
        let item = json!({
            "n": {"N": "1"}, "s": {"S": "x"}, "l": {"L": [{"N": "1"}]}, "ss": {"SS": ["a", "b"]},
            "a.b": {"S": "dotted"},
        });
        let item = item_from_json(&item).unwrap();
        let mismatch = || Err("Type mismatch for attribute to update".to_string());
        for (name, action, value, expected) in [
            ("n", UpdateAction::Put, Some(json!({"S": "y"})), Ok(Some(json!({"S": "y"})))),
            ("a.b", UpdateAction::Put, Some(json!({"S": "y"})), Ok(Some(json!({"S": "y"})))),
            ("n", UpdateAction::Add, Some(json!({"N": "2"})), Ok(Some(json!({"N": "3"})))),
            ("new", UpdateAction::Add, Some(json!({"N": "2"})), Ok(Some(json!({"N": "2"})))),
            (
                "l",
                UpdateAction::Add,
                Some(json!({"L": [{"N": "2"}]})),
                Ok(Some(json!({"L": [{"N": "1"}, {"N": "2"}]}))),
            ),
            (
                "ss",
                UpdateAction::Add,
                Some(json!({"SS": ["b", "c"]})),
                Ok(Some(json!({"SS": ["a", "b", "c"]}))),
            ),
            ("ss", UpdateAction::Delete, Some(json!({"SS": ["b", "c"]})), Ok(Some(json!({"SS": ["a"]})))),
            ("ss", UpdateAction::Delete, Some(json!({"SS": ["a", "b"]})), Ok(None)),
            ("new", UpdateAction::Delete, Some(json!({"SS": ["a"]})), Ok(None)),
            ("s", UpdateAction::Delete, None, Ok(None)),
            ("s", UpdateAction::Add, Some(json!({"N": "2"})), mismatch()),
            ("n", UpdateAction::Add, Some(json!({"L": []})), mismatch()),
            ("ss", UpdateAction::Add, Some(json!({"NS": ["1"]})), mismatch()),
            ("s", UpdateAction::Delete, Some(json!({"SS": ["a"]})), mismatch()),
        ] {
            let update = parse(name, action, value).unwrap();
            let updated = update.apply(Some(&item), &Item::new());
            let attribute = updated
                .map(|updated| item_to_json(&updated.unwrap()).get(name).cloned())
                .map_err(|error| error.message().to_string());
            assert_eq!(attribute, expected, "{name} {action:?}");
            let old = update.updated_attributes(&item);
            assert_eq!(old.get(name), item.get(name));
        }
    }

    #[test]
    fn no_update_at_all_makes_an_item_but_a_deletion_does_not() {
        let key = item_from_json(&json!({"pk": {"S": "k"}})).unwrap();
        let nothing = Update::from_attribute_updates(Vec::new()).unwrap();
        assert_eq!(nothing.apply(None, &key), Ok(Some(key.clone())));
        assert!(nothing.updated_attributes(&key).is_empty());
        let deletion = parse("a", UpdateAction::Delete, None).unwrap();
        assert_eq!(deletion.apply(None, &key), Ok(None));
    }
}
