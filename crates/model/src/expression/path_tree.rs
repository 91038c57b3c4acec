//! Paths that do not get in each other's way, as a tree.
//!
//! The paths of a projection and the targets of an update are such: none is
//! within another, and no place is both a map and a list.

use super::hash_order::{string_hash, table_order};
use super::path::{Path, PathElement};
use crate::attribute::{AttributeValue, Item};

/// See the module's text. A node without children ends a path.
#[derive(Clone, Debug, Default)]
pub(super) struct PathTree {
    // INVARIANT (one kind): a node's children are all members or all indexes;
    // the root's are all members.
    children: Vec<Child>,
}

#[derive(Clone, Debug)]
struct Child {
    element: PathElement,
    /// The element's hash code, which also makes looking it up cheap.
    hash: u32,
    /// How many paths were added before the one that added this.
    position: usize,
    below: PathTree,
}

impl PathTree {
    /// The tree of these top-level attributes, which must differ.
    pub(super) fn of_attributes<'a>(names: impl Iterator<Item = &'a str>) -> PathTree {
        let member = |(position, name): (usize, &str)| Child::new(PathElement::Member(name.into()), position);
        PathTree { children: names.enumerate().map(member).collect() }
    }

    /// Adds a path, or says which other one it gets in the way of. `position`
    /// is how many were added before.
    ///
    /// The service names as the other one not always the path that is to
    /// blame, but the first that it comes across in that part of its tree. It
    /// inserts the paths of a source from the last to the first.
    pub(super) fn insert(&mut self, path: &Path, position: usize) -> Result<(), String> {
        let mut node = self;
        for depth in 0..path.len() {
            let child = Child::new(element(path, depth), position);
            if node.children.first().is_some_and(|other| other.is_index() != child.is_index()) {
                return Err(node.error("conflict", path, depth));
            }
            let is_last = depth + 1 == path.len();
            let position = match node.children.iter().position(|other| other.is_same(&child)) {
                Some(position) if is_last || node.children[position].below.children.is_empty() => {
                    return Err(node.error("overlap", path, depth));
                }
                Some(position) => position,
                None => {
                    node.children.push(child);
                    node.children.len() - 1
                }
            };
            node = &mut node.children[position].below;
        }
        Ok(())
    }

    /// The message for a path that cannot be added where its element at this
    /// depth would be a child of this node.
    fn error(&self, relation: &str, path: &Path, depth: usize) -> String {
        let mut other: Vec<String> = (0..depth).map(|depth| print(&element(path, depth))).collect();
        let mut node = self;
        while let Some(child) = node.children_in_service_order().next() {
            other.push(print(&child.element));
            node = &child.below;
        }
        format!(
            "Two document paths {relation} with each other; must remove or rewrite one of these paths; \
             path one: {path}, path two: [{}]",
            other.join(", ")
        )
    }

    /// Puts list elements in the order of their indexes. To be called after
    /// the last [`PathTree::insert`]. It recurses at most as deep as a path.
    pub(super) fn sort(&mut self) {
        if self.children.first().is_some_and(Child::is_index) {
            self.children.sort_by(|left, right| left.element.cmp(&right.element));
        }
        for child in &mut self.children {
            child.below.sort();
        }
    }

    /// The values of an item at these paths, nested as in the item. Elements
    /// of a list move together; what holds none of the values is left out.
    pub(super) fn select(&self, members: &Item) -> Item {
        let selected = self.children.iter().filter_map(|child| match &child.element {
            PathElement::Member(name) => {
                let value = child.below.select_in(members.get(&**name)?)?;
                Some((String::from(&**name), value))
            }
            PathElement::Index(_) => None,
        });
        selected.collect()
    }

    fn select_in(&self, value: &AttributeValue) -> Option<AttributeValue> {
        if self.children.is_empty() {
            return Some(value.clone());
        }
        match value {
            AttributeValue::M(members) => {
                let selected = self.select(members);
                (!selected.is_empty()).then_some(AttributeValue::M(selected))
            }
            AttributeValue::L(elements) => {
                let selected = self.children.iter().filter_map(|child| match child.element {
                    PathElement::Index(index) => child.below.select_in(elements.get(index as usize)?),
                    PathElement::Member(_) => None,
                });
                let selected: Vec<_> = selected.collect();
                (!selected.is_empty()).then_some(AttributeValue::L(selected))
            }
            _ => None,
        }
    }

    /// The positions of the paths in the order in which the service goes
    /// through its tree. To be called before [`PathTree::sort`].
    pub(super) fn in_service_order(&self) -> Vec<usize> {
        let mut positions = Vec::new();
        self.collect_in_service_order(&mut positions);
        positions
    }

    fn collect_in_service_order(&self, positions: &mut Vec<usize>) {
        for child in self.children_in_service_order() {
            match child.below.children.is_empty() {
                true => positions.push(child.position),
                false => child.below.collect_in_service_order(positions),
            }
        }
    }

    fn children_in_service_order(&self) -> impl Iterator<Item = &Child> {
        let hashes: Vec<u32> = self.children.iter().map(|child| child.hash).collect();
        table_order(&hashes).into_iter().map(|entry| &self.children[entry])
    }
}

impl Child {
    fn new(element: PathElement, position: usize) -> Child {
        let hash = match &element {
            PathElement::Member(name) => string_hash(name),
            PathElement::Index(index) => *index,
        };
        // What the service adds to the hash code of a name or index is
        // unknown; this fits what its messages show.
        Child { element, hash: hash.wrapping_add(0x00ff_f031), position, below: PathTree::default() }
    }

    fn is_index(&self) -> bool {
        matches!(self.element, PathElement::Index(_))
    }

    fn is_same(&self, other: &Child) -> bool {
        self.hash == other.hash && self.element == other.element
    }
}

/// A path's element at this depth, the top-level attribute's name first.
fn element(path: &Path, depth: usize) -> PathElement {
    match depth.checked_sub(1) {
        None => PathElement::Member(path.name().into()),
        Some(step) => path.steps()[step].clone(),
    }
}

fn print(element: &PathElement) -> String {
    match element {
        PathElement::Member(name) => name.to_string(),
        PathElement::Index(index) => format!("[{index}]"),
    }
}
