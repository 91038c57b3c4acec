//! The keys that statements name.

use super::{Insert, PartiqlError, Select, Write};
use crate::attribute::{AttributeValue, Item};
use crate::expression::{Comparator, Condition, Function, Operand, Path, Term};
use crate::key::{KeyAttribute, KeySchema, KeyValue, PrimaryKey};

/// The one item that a statement writes.
pub struct WriteTarget {
    /// Its key attributes.
    pub key: Item,
    /// What else must hold. An UPDATE wants the item to be there; a DELETE of
    /// an item that is not there does nothing, whatever else it asks.
    pub condition: Option<Condition>,
}

impl Write {
    /// The item that the statement names by equality on all key attributes.
    pub fn target(&self, schema: &KeySchema) -> Result<WriteTarget, PartiqlError> {
        if let Some(update) = &self.update {
            update.check_key_attributes(schema)?;
            update.check_key_access(schema)?;
        }
        let missed =
            || PartiqlError::new("Where clause does not contain a mandatory equality on all key attributes");
        let term = self.term.as_ref().ok_or_else(missed)?;
        // The whole is checked, also what then becomes the key.
        Condition::from_term(term)?.check_key_access(schema)?;
        let mut key = Item::new();
        let mut rest = Vec::new();
        for term in conjuncts(term) {
            let found = schema
                .attributes()
                .find_map(|attribute| Some((attribute, equal_value(term, &attribute.name)?)));
            let Some((attribute, value)) = found else {
                rest.push(term.clone());
                continue;
            };
            check_key_value(attribute, value)?;
            match key.insert(attribute.name.clone(), value.clone()) {
                Some(other) if other != *value => {
                    return Err(PartiqlError::new(format!(
                        "Multiple conditions on same key {}. Only single item Update/Insert/Delete are \
                         supported",
                        attribute.name
                    )));
                }
                _ => {}
            }
        }
        if key.len() < schema.attributes().count() {
            return Err(missed());
        }
        schema.key_of_item(&key)?;
        let presence = |function| {
            let hash = Operand::Path(Path::top_level(&schema.hash.name));
            Term::Call(function, vec![hash])
        };
        let condition = if self.update.is_some() {
            rest.push(presence(Function::AttributeExists));
            Some(Term::And(rest))
        } else if rest.is_empty() {
            None
        } else {
            Some(Term::Or(vec![presence(Function::AttributeNotExists), Term::And(rest)]))
        };
        let condition = condition.as_ref().map(Condition::from_term).transpose()?;
        Ok(WriteTarget { key, condition })
    }
}

impl Select {
    /// The key of the one item that the statement reads, where its condition
    /// is equality on all key attributes and nothing else.
    pub fn single_key(&self, schema: &KeySchema) -> Result<Option<PrimaryKey>, PartiqlError> {
        let Some(term) = self.term.as_ref().filter(|_| self.index.is_none()) else {
            return Ok(None);
        };
        let mut key = Item::new();
        for term in conjuncts(term) {
            let found = schema
                .attributes()
                .find_map(|attribute| Some((attribute, equal_value(term, &attribute.name)?)));
            let Some((attribute, value)) = found else { return Ok(None) };
            check_key_value(attribute, value)?;
            if key.insert(attribute.name.clone(), value.clone()).is_some() {
                return Ok(None);
            }
        }
        match key.len() < schema.attributes().count() {
            true => Ok(None),
            false => Ok(Some(schema.key_of_item(&key)?)),
        }
    }
}

impl Insert {
    /// What must hold for the item to be new.
    pub fn condition(schema: &KeySchema) -> Result<Condition, PartiqlError> {
        let hash = Operand::Path(Path::top_level(&schema.hash.name));
        Ok(Condition::from_term(&Term::Call(Function::AttributeNotExists, vec![hash]))?)
    }

    /// Refuses an item without the key attributes, each of its type.
    pub fn check_keys(&self, schema: &KeySchema) -> Result<(), PartiqlError> {
        for attribute in schema.attributes() {
            let value = self.item.get(&attribute.name).ok_or_else(|| {
                PartiqlError::new(format!(
                    "Key attribute should be present in the item: Key {}",
                    attribute.name
                ))
            })?;
            check_key_value(attribute, value)?;
        }
        Ok(())
    }
}

/// The terms that must all hold, those of nested ANDs too.
pub(super) fn conjuncts(term: &Term) -> Vec<&Term> {
    let mut found = Vec::new();
    let mut pending = vec![term];
    while let Some(term) = pending.pop() {
        match term {
            Term::And(terms) => pending.extend(terms.iter().rev()),
            other => found.push(other),
        }
    }
    found
}

/// The value that a term says a top-level attribute equals.
pub(super) fn equal_value<'a>(term: &'a Term, name: &str) -> Option<&'a AttributeValue> {
    match compared(term, name)? {
        (Comparator::Equal, value) => Some(value),
        _ => None,
    }
}

/// What a term compares a top-level attribute with, the attribute on the left.
pub(super) fn compared<'a>(term: &'a Term, name: &str) -> Option<(Comparator, &'a AttributeValue)> {
    let Term::Compare(comparator, left, right) = term else { return None };
    match (left, right) {
        (left, Operand::Value(value)) if is_attribute(left, name) => Some((*comparator, value)),
        (Operand::Value(value), right) if is_attribute(right, name) => Some((comparator.mirrored(), value)),
        _ => None,
    }
}

/// Whether an operand is this top-level attribute.
pub(super) fn is_attribute(operand: &Operand, name: &str) -> bool {
    matches!(operand, Operand::Path(path) if path.name() == name && path.steps().is_empty())
}

/// The value as that of a key attribute.
pub(super) fn check_key_value(
    attribute: &KeyAttribute,
    value: &AttributeValue,
) -> Result<KeyValue, PartiqlError> {
    let key = KeyValue::of(value, attribute.key_type).ok_or_else(|| {
        PartiqlError::new(format!(
            "Key attribute's data type should match its data type in table's schema: Key {}",
            attribute.name
        ))
    })?;
    let empty = match &key {
        KeyValue::S(text) if text.is_empty() => "string",
        KeyValue::B(bytes) if bytes.is_empty() => "binary",
        _ => return Ok(key),
    };
    Err(PartiqlError::new(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
         empty {empty} value. Key: {}",
        attribute.name
    )))
}
