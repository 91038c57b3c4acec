//! Updates: the SET, REMOVE, ADD and DELETE sections of an
//! `UpdateExpression`.

mod apply;
mod attributes;
mod built;
mod charge;
mod check;
mod parser;
#[cfg(test)]
mod tests;

pub use attributes::{AttributeUpdate, UpdateAction};
pub(crate) use built::{Change, ChangeValue};

use super::condition::{check_index_key_access, check_key_access};
use super::path::Path;
use super::path_tree::PathTree;
use super::placeholders::Placeholders;
use super::tree::{NodeId, Tree};
use super::{ExpressionError, ExpressionKind};
use crate::attribute::{AttributeValue, Item};
use crate::index::{IndexKeyError, IndexSchema};
use crate::key::KeySchema;

/// What an update does with an item.
#[derive(Clone)]
pub struct Update {
    tree: Tree,
    /// In the order in which the service applies them.
    actions: Vec<Action>,
    targets: PathTree,
    /// Whether it comes from `AttributeUpdates`, which differ in details.
    is_legacy: bool,
}

/// One action of an update.
#[derive(Clone)]
struct Action {
    section: Section,
    target: Path,
    operand: Operand,
}

/// What an action sets, adds or deletes.
#[derive(Clone)]
enum Operand {
    None,
    Node(NodeId),
    Value(AttributeValue),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Set,
    Remove,
    Add,
    Delete,
}

impl Section {
    fn name(self) -> &'static str {
        match self {
            Section::Set => "SET",
            Section::Remove => "REMOVE",
            Section::Add => "ADD",
            Section::Delete => "DELETE",
        }
    }
}

impl Update {
    /// What is said of an item that an update would make too large.
    pub const TOO_LARGE: &str = "Item size to update has exceeded the maximum allowed size";

    /// Parses the `UpdateExpression` of a request.
    pub fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Update, ExpressionError> {
        ExpressionKind::Update.check_size(source)?;
        parser::parse(source)
            .and_then(|parsed| check::check(parsed, source, placeholders))
            .map_err(|text| ExpressionError::invalid(ExpressionKind::Update, text))
    }

    /// What the update is charged for its own size, in bytes: it must not exceed that of the largest item. Only an
    /// `UpdateExpression` is charged, neither `AttributeUpdates` nor a statement of PartiQL.
    pub fn charge(&self) -> usize {
        charge::bytes(self)
    }

    /// The update that `AttributeUpdates` are.
    pub fn from_attribute_updates(updates: Vec<AttributeUpdate>) -> Result<Update, ExpressionError> {
        attributes::update(updates)
    }

    /// Refuses to change a key attribute of the table. Of both, the partition key is told.
    pub fn check_key_attributes(&self, schema: &KeySchema) -> Result<(), ExpressionError> {
        match schema.attributes().find(|key| self.targets().any(|path| path.name() == key.name)) {
            None => Ok(()),
            Some(key) => Err(ExpressionError::new(format!(
                "One or more parameter values were invalid: Cannot update attribute {}. \
                 This attribute is part of the key",
                key.name
            ))),
        }
    }

    /// Refuses values read from below a key attribute, which is always a scalar.
    pub fn check_key_access(&self, schema: &KeySchema) -> Result<(), ExpressionError> {
        check_key_access(&self.tree.paths, schema)
    }

    /// Refuses to change or read what would be below a key attribute of an index.
    pub fn check_index_key_access<'a>(
        &self,
        indexes: impl IntoIterator<Item = &'a IndexSchema>,
    ) -> Result<(), ExpressionError> {
        let paths: Vec<&Path> = self.targets().chain(&self.tree.paths).collect();
        check_index_key_access(paths, indexes)
    }

    /// Refuses values of the request that cannot be what they would be: a key attribute of an index.
    pub fn check_index_keys<'a>(
        &self,
        indexes: impl IntoIterator<Item = &'a IndexSchema>,
    ) -> Result<(), IndexKeyError> {
        let given: Vec<(&str, &AttributeValue)> = self
            .actions
            .iter()
            .filter_map(|action| Some((action.target.name(), self.given_value(action)?)))
            .collect();
        let mut first: Option<(&str, IndexKeyError)> = None;
        for index in indexes {
            let error = given.iter().find_map(|(name, value)| index.check_given(name, value).err());
            // The service names the index whose name comes first.
            if let Some(error) = error
                && first.as_ref().is_none_or(|(name, _)| *name > index.name.as_str())
            {
                first = Some((&index.name, error));
            }
        }
        first.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// The value to which an action sets a top-level attribute, if the request shows it.
    fn given_value<'a>(&'a self, action: &'a Action) -> Option<&'a AttributeValue> {
        if action.section != Section::Set || !action.target.steps().is_empty() {
            return None;
        }
        match &action.operand {
            Operand::None => None,
            Operand::Node(id) => self.tree.value(*id).map(|value| &**value),
            Operand::Value(value) => Some(value),
        }
    }

    /// The item as it is after the update: `None` where there was none and
    /// nothing was set.
    ///
    /// `existing` is the item as it was, if there was one, and `key` the key
    /// attributes of one to be made. All values are read from the item as it
    /// was, and all indexes count its elements.
    pub fn apply(&self, existing: Option<&Item>, key: &Item) -> Result<Option<Item>, ExpressionError> {
        apply::apply(self, existing, key)
    }

    /// The paths that the update changes.
    pub fn targets(&self) -> impl Iterator<Item = &Path> {
        self.actions.iter().map(|action| &action.target)
    }

    /// What `UPDATED_OLD` returns of the item as it was, and `UPDATED_NEW` of
    /// the item as it is: its values at the paths of the update, nested as in
    /// the item. The index of a path counts the elements of the given item.
    pub fn updated_attributes(&self, item: &Item) -> Item {
        self.targets.select(item)
    }
}
