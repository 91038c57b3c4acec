//! Document paths: where in an item a value is.

use std::cmp::Ordering;
use std::fmt;

use crate::attribute::{AttributeValue, Item};

/// One step below a top-level attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathElement {
    /// A member of a map.
    Member(Box<str>),
    /// An element of a list, from 0.
    Index(u32),
}

/// The place of a value in an item: a top-level attribute, and steps below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    name: Box<str>,
    steps: Vec<PathElement>,
}

impl Path {
    /// The path of a top-level attribute.
    pub fn top_level(name: &str) -> Path {
        Path { name: name.into(), steps: Vec::new() }
    }

    /// The path one step below this one.
    pub(crate) fn push(&mut self, element: PathElement) {
        self.steps.push(element);
    }

    /// The top-level attribute's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The steps below the top-level attribute.
    pub fn steps(&self) -> &[PathElement] {
        &self.steps
    }

    /// How many elements the path has, the top-level attribute included.
    pub(crate) fn len(&self) -> usize {
        1 + self.steps.len()
    }

    /// The value at this place, if the item has one.
    pub fn value_in<'a>(&self, item: &'a Item) -> Option<&'a AttributeValue> {
        let top = item.get(&*self.name)?;
        self.steps.iter().try_fold(top, step_down)
    }

    /// Whether an item has a place for a value here: what is above it exists
    /// and is a map or a list as the last step wants.
    pub(super) fn has_place_in(&self, item: &Item) -> bool {
        let Some((last, above)) = self.steps.split_last() else {
            return true;
        };
        let parent = item.get(&*self.name).and_then(|top| above.iter().try_fold(top, step_down));
        matches!(
            (parent, last),
            (Some(AttributeValue::M(_)), PathElement::Member(_))
                | (Some(AttributeValue::L(_)), PathElement::Index(_))
        )
    }

    /// The map or list that holds the value at this place, and the last step;
    /// none for a top-level attribute and where [`Path::has_place_in`] says no.
    pub(super) fn container_in<'a>(
        &self,
        item: &'a mut Item,
    ) -> Option<(&'a mut AttributeValue, &PathElement)> {
        let (last, above) = self.steps.split_last()?;
        let top = item.get_mut(&*self.name)?;
        let container = above.iter().try_fold(top, |value, step| match (value, step) {
            (AttributeValue::M(members), PathElement::Member(name)) => members.get_mut(&**name),
            (AttributeValue::L(elements), PathElement::Index(index)) => elements.get_mut(*index as usize),
            _ => None,
        })?;
        Some((container, last))
    }

    /// Whether the last step is into a list.
    pub(super) fn ends_in_list(&self) -> bool {
        matches!(self.steps.last(), Some(PathElement::Index(_)))
    }
}

fn step_down<'a>(value: &'a AttributeValue, step: &PathElement) -> Option<&'a AttributeValue> {
    match (value, step) {
        (AttributeValue::M(members), PathElement::Member(name)) => members.get(&**name),
        (AttributeValue::L(elements), PathElement::Index(index)) => elements.get(*index as usize),
        _ => None,
    }
}

impl fmt::Display for Path {
    /// As the service prints it: `[a, [1], b]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.name)?;
        for step in &self.steps {
            match step {
                PathElement::Member(name) => write!(f, ", {name}")?,
                PathElement::Index(index) => write!(f, ", [{index}]")?,
            }
        }
        f.write_str("]")
    }
}

/// The order in which elements can be removed from lists one by one without
/// moving one that is yet to be removed.
pub(super) fn last_first(left: &Path, right: &Path) -> Ordering {
    right.cmp(left)
}
