//! Applies an update to an item.
//!
//! All effects are worked out from the item as it was, and only then made: new
//! values in place first, then elements beyond the end of a list in the order
//! of their indexes, then removals, the last element of a list first. So no
//! index moves while it is still needed.
//!
//! One value may be named hundreds of times. New values are copied while they
//! may fit an item together, and then only looked at.

use std::borrow::Cow;

use super::{Action, Operand, Section, Update};
use crate::attribute::{AttributeValue, Item};
use crate::expression::ExpressionError;
use crate::expression::path::{Path, PathElement, last_first};
use crate::expression::tree::{Function, NodeId, NodeKind};
use crate::number::Number;
use crate::size::{ITEM_BYTES_MAX, value_bytes};

pub(super) fn apply(
    update: &Update,
    existing: Option<&Item>,
    key: &Item,
) -> Result<Option<Item>, ExpressionError> {
    let old = existing.unwrap_or(key);
    let mut puts = Vec::new();
    let mut appends = Vec::new();
    let mut removals = Vec::new();
    let mut room = Room(ITEM_BYTES_MAX);
    for action in &update.actions {
        if !action.target.has_place_in(old) {
            // Nothing can be removed from an item that does not exist.
            if existing.is_none() && matches!(action.section, Section::Remove | Section::Delete) {
                continue;
            }
            return Err(ExpressionError::new(INVALID_PATH));
        }
        let current = action.target.value_in(old);
        match effect(update, action, old, current, &mut room)? {
            Effect::None => {}
            Effect::Remove => removals.push(&action.target),
            Effect::Put(value) if action.target.ends_in_list() && current.is_none() => {
                appends.push((&action.target, value));
            }
            Effect::Put(value) => puts.push((&action.target, value)),
        }
    }
    if room.is_used_up() {
        return Err(ExpressionError::new(Update::TOO_LARGE));
    }
    if existing.is_none() && !update.actions.is_empty() && puts.is_empty() && appends.is_empty() {
        return Ok(None);
    }

    let mut item = old.clone();
    for (path, value) in puts {
        put(&mut item, path, value);
    }
    appends.sort_by_key(|(path, _)| *path);
    for (path, value) in appends {
        if let Some((AttributeValue::L(elements), _)) = path.container_in(&mut item) {
            elements.push(value);
        }
    }
    removals.sort_by(|left, right| last_first(left, right));
    for path in removals {
        remove(&mut item, path);
    }
    Ok(Some(item))
}

/// How many bytes of new values an item still has room for; `0` once they did not fit, whatever else happens to it: no
/// two targets overlap, so each new value is in the item in the end.
struct Room(usize);

impl Room {
    fn is_used_up(&self) -> bool {
        self.0 == 0
    }

    /// What puts the value in its place, or nothing where there is no room.
    fn put(&mut self, value: Cow<'_, AttributeValue>) -> Effect {
        if self.is_used_up() {
            return Effect::None;
        }
        self.0 = self.0.saturating_sub(value_bytes(&value));
        if self.is_used_up() { Effect::None } else { Effect::Put(value.into_owned()) }
    }
}

/// What an action does to its target.
enum Effect {
    None,
    Put(AttributeValue),
    Remove,
}

fn effect(
    update: &Update,
    action: &Action,
    old: &Item,
    current: Option<&AttributeValue>,
    room: &mut Room,
) -> Result<Effect, ExpressionError> {
    Ok(match action.section {
        Section::Set => {
            let value = operand(update, action, old, room)?;
            room.put(value)
        }
        Section::Remove if current.is_some() => Effect::Remove,
        Section::Remove => Effect::None,
        Section::Add => {
            let operand = operand(update, action, old, room)?;
            match current {
                None => room.put(operand),
                Some(current) => room.put(Cow::Owned(sum(current, &operand, update.is_legacy)?)),
            }
        }
        Section::Delete => {
            let operand = operand(update, action, old, room)?;
            match current {
                None => Effect::None,
                Some(current) => match difference(current, &operand, update.is_legacy)? {
                    None => Effect::Remove,
                    Some(rest) => room.put(Cow::Owned(rest)),
                },
            }
        }
    })
}

fn operand<'a>(
    update: &'a Update,
    action: &'a Action,
    old: &'a Item,
    room: &Room,
) -> Result<Cow<'a, AttributeValue>, ExpressionError> {
    match &action.operand {
        Operand::Node(id) => value(update, *id, old, room),
        Operand::Value(value) => Ok(Cow::Borrowed(value)),
        Operand::None => Err(ExpressionError::new(INCORRECT_TYPE)),
    }
}

/// The value of a node. It recurses once per nested function, of which an
/// expression has at most 300.
fn value<'a>(
    update: &'a Update,
    id: NodeId,
    old: &'a Item,
    room: &Room,
) -> Result<Cow<'a, AttributeValue>, ExpressionError> {
    let tree = &update.tree;
    match tree.node(id).kind {
        NodeKind::Value(_) => tree.value(id).map(|value| Cow::Borrowed(&**value)),
        NodeKind::Path(_) => tree.path(id).and_then(|path| path.value_in(old)).map(Cow::Borrowed),
        NodeKind::Call(Some(Function::IfNotExists)) => {
            // The service wants the second operand to exist even where it is not used.
            let otherwise = value(update, tree.child(id, 1), old, room)?;
            let path = tree.path(tree.child(id, 0));
            match path.and_then(|path| path.value_in(old)) {
                Some(value) => Some(Cow::Borrowed(value)),
                None => Some(otherwise),
            }
        }
        NodeKind::Call(_) => {
            let list = value(update, tree.child(id, 0), old, room)?;
            let more = value(update, tree.child(id, 1), old, room)?;
            Some(Cow::Owned(AttributeValue::L(joined(list, more, room)?)))
        }
        kind => {
            let left = number(&*value(update, tree.child(id, 0), old, room)?)?;
            let right = number(&*value(update, tree.child(id, 1), old, room)?)?;
            let result = if kind == NodeKind::Plus { left.add(right) } else { left.sub(right) };
            let number = result.map_err(|error| ExpressionError::new(error.to_string()))?;
            Some(Cow::Owned(AttributeValue::N(number)))
        }
    }
    .ok_or_else(|| ExpressionError::new(MISSING_ATTRIBUTE))
}

/// Two lists as one. What is longer than an item has room for ends soon after: it is in no item that is stored.
fn joined(
    list: Cow<'_, AttributeValue>,
    more: Cow<'_, AttributeValue>,
    room: &Room,
) -> Result<Vec<AttributeValue>, ExpressionError> {
    let (AttributeValue::L(first), AttributeValue::L(second)) = (&*list, &*more) else {
        return Err(ExpressionError::new(INCORRECT_TYPE));
    };
    let mut bytes = 0;
    let has_room = |element: &&AttributeValue| {
        let had_room = bytes < room.0;
        bytes += value_bytes(element) + 1;
        had_room
    };
    Ok(first.iter().chain(second).take_while(has_room).cloned().collect())
}

fn number(value: &AttributeValue) -> Result<Number, ExpressionError> {
    match value {
        AttributeValue::N(number) => Ok(*number),
        _ => Err(ExpressionError::new(INCORRECT_TYPE)),
    }
}

/// What ADD makes of a value: a sum of numbers or a union of sets.
fn sum(
    current: &AttributeValue,
    operand: &AttributeValue,
    is_legacy: bool,
) -> Result<AttributeValue, ExpressionError> {
    Ok(match (current, operand) {
        (AttributeValue::N(current), AttributeValue::N(operand)) => {
            let sum = current.add(*operand);
            AttributeValue::N(sum.map_err(|error| ExpressionError::new(error.to_string()))?)
        }
        (AttributeValue::Ss(current), AttributeValue::Ss(more)) => AttributeValue::Ss(union(current, more)),
        (AttributeValue::Ns(current), AttributeValue::Ns(more)) => AttributeValue::Ns(union(current, more)),
        (AttributeValue::Bs(current), AttributeValue::Bs(more)) => AttributeValue::Bs(union(current, more)),
        (AttributeValue::L(current), AttributeValue::L(more)) if is_legacy => {
            AttributeValue::L([&current[..], more].concat())
        }
        _ => return Err(incorrect_type(is_legacy)),
    })
}

/// What DELETE leaves of a set; none where that is nothing.
fn difference(
    current: &AttributeValue,
    operand: &AttributeValue,
    is_legacy: bool,
) -> Result<Option<AttributeValue>, ExpressionError> {
    Ok(match (current, operand) {
        (AttributeValue::Ss(current), AttributeValue::Ss(less)) => {
            without(current, less).map(AttributeValue::Ss)
        }
        (AttributeValue::Ns(current), AttributeValue::Ns(less)) => {
            without(current, less).map(AttributeValue::Ns)
        }
        (AttributeValue::Bs(current), AttributeValue::Bs(less)) => {
            without(current, less).map(AttributeValue::Bs)
        }
        _ => return Err(incorrect_type(is_legacy)),
    })
}

fn incorrect_type(is_legacy: bool) -> ExpressionError {
    ExpressionError::new(if is_legacy { "Type mismatch for attribute to update" } else { INCORRECT_TYPE })
}

fn union<T: Clone + Ord>(left: &[T], right: &[T]) -> Vec<T> {
    let mut elements = [left, right].concat();
    elements.sort();
    elements.dedup();
    elements
}

fn without<T: Clone + Ord>(elements: &[T], less: &[T]) -> Option<Vec<T>> {
    // INVARIANT (sorted sets): both are sorted, so each look-up can halve.
    let kept = elements.iter().filter(|element| less.binary_search(element).is_err());
    let rest: Vec<T> = kept.cloned().collect();
    (!rest.is_empty()).then_some(rest)
}

/// Puts a value where [`Path::has_place_in`] said that there is a place.
fn put(item: &mut Item, path: &Path, value: AttributeValue) {
    match path.container_in(item) {
        Some((AttributeValue::M(members), PathElement::Member(name))) => {
            members.insert(String::from(&**name), value);
        }
        Some((AttributeValue::L(elements), PathElement::Index(index))) => {
            if let Some(element) = elements.get_mut(*index as usize) {
                *element = value;
            }
        }
        _ => {
            item.insert(path.name().into(), value);
        }
    }
}

/// Removes a value that is there.
fn remove(item: &mut Item, path: &Path) {
    match path.container_in(item) {
        Some((AttributeValue::M(members), PathElement::Member(name))) => {
            members.remove(&**name);
        }
        Some((AttributeValue::L(elements), PathElement::Index(index))) => {
            if (*index as usize) < elements.len() {
                elements.remove(*index as usize);
            }
        }
        _ => {
            item.remove(path.name());
        }
    }
}

const INVALID_PATH: &str = "The document path provided in the update expression is invalid for update";
const MISSING_ATTRIBUTE: &str =
    "The provided expression refers to an attribute that does not exist in the item";
const INCORRECT_TYPE: &str = "An operand in the update expression has an incorrect data type";
