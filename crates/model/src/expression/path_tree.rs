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
    children: Vec<(PathElement, PathTree)>,
}

impl PathTree {
    /// The tree of these top-level attributes, which must differ.
    pub(super) fn of_attributes<'a>(names: impl Iterator<Item = &'a str>) -> PathTree {
        let child = |name: &str| (PathElement::Member(name.into()), PathTree::default());
        PathTree { children: names.map(child).collect() }
    }

    /// Adds a path, or says which other one it gets in the way of.
    ///
    /// The service names as the other one not always the path that is to
    /// blame, but the first that it comes across in that part of its tree. It
    /// inserts the paths of a source from the last to the first.
    pub(super) fn insert(&mut self, path: &Path) -> Result<(), String> {
        let mut node = self;
        let top = PathElement::Member(path.name().into());
        let elements: Vec<&PathElement> = std::iter::once(&top).chain(path.steps()).collect();
        let mut is_new = false;
        for (depth, element) in elements.iter().enumerate() {
            let error = |relation: &str, node: &PathTree, depth: usize| {
                let mut other: Vec<_> = elements[..depth].to_vec();
                node.first_path(&mut other);
                Err(format!(
                    "Two document paths {relation} with each other; must remove or rewrite one of \
                     these paths; path one: {path}, path two: {}",
                    print(&other)
                ))
            };
            if node.children.first().is_some_and(|(other, _)| is_index(other) != is_index(element)) {
                return error("conflict", node, depth);
            }
            let position = match node.children.iter().position(|(other, _)| other == *element) {
                Some(position) => {
                    let child = &node.children[position].1;
                    if child.children.is_empty() || depth + 1 == elements.len() {
                        return error("overlap", node, depth);
                    }
                    position
                }
                None => {
                    is_new = true;
                    node.children.push(((*element).clone(), PathTree::default()));
                    node.children.len() - 1
                }
            };
            node = &mut node.children[position].1;
        }
        debug_assert!(is_new, "a path that adds no node overlaps");
        Ok(())
    }

    /// Puts list elements in the order of their indexes. To be called after
    /// the last [`PathTree::insert`]. It recurses at most as deep as a path.
    pub(super) fn sort(&mut self) {
        if self.children.first().is_some_and(|(element, _)| is_index(element)) {
            self.children.sort_by(|(left, _), (right, _)| left.cmp(right));
        }
        for (_, child) in &mut self.children {
            child.sort();
        }
    }

    /// The values of an item at these paths, nested as in the item. Elements
    /// of a list move together; what holds none of the values is left out.
    pub(super) fn select(&self, item: &Item) -> Item {
        self.select_members(item)
    }

    fn select_members(&self, members: &Item) -> Item {
        let selected = self.children.iter().filter_map(|(element, child)| {
            let PathElement::Member(name) = element else {
                return None;
            };
            let value = child.select_in(members.get(&**name)?)?;
            Some((String::from(&**name), value))
        });
        selected.collect()
    }

    fn select_in(&self, value: &AttributeValue) -> Option<AttributeValue> {
        let Some((first, _)) = self.children.first() else {
            return Some(value.clone());
        };
        match (value, first) {
            (AttributeValue::M(members), PathElement::Member(_)) => {
                let selected = self.select_members(members);
                (!selected.is_empty()).then_some(AttributeValue::M(selected))
            }
            (AttributeValue::L(elements), PathElement::Index(_)) => {
                let selected = self.children.iter().filter_map(|(element, child)| match element {
                    PathElement::Index(index) => child.select_in(elements.get(*index as usize)?),
                    PathElement::Member(_) => None,
                });
                let selected: Vec<_> = selected.collect();
                (!selected.is_empty()).then_some(AttributeValue::L(selected))
            }
            _ => None,
        }
    }

    /// The paths in the order in which the service goes through its tree. To
    /// be called before [`PathTree::sort`].
    pub(super) fn in_service_order(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        for (element, child) in self.children_in_service_order() {
            if let PathElement::Member(name) = element {
                child.collect_in_service_order(Path::top_level(name), &mut paths);
            }
        }
        paths
    }

    fn collect_in_service_order(&self, path: Path, paths: &mut Vec<Path>) {
        for (element, child) in self.children_in_service_order() {
            let mut below = path.clone();
            below.push(element.clone());
            child.collect_in_service_order(below, paths);
        }
        if self.children.is_empty() {
            paths.push(path);
        }
    }

    fn children_in_service_order(&self) -> impl Iterator<Item = &(PathElement, PathTree)> {
        let hashes: Vec<u32> = self.children.iter().map(|(element, _)| element_hash(element)).collect();
        table_order(&hashes).into_iter().map(|entry| &self.children[entry])
    }

    /// Extends a path to the first one below this node, as the service goes
    /// through its tables of elements.
    fn first_path<'a>(&'a self, elements: &mut Vec<&'a PathElement>) {
        let mut node = self;
        while let Some((element, child)) = node.children_in_service_order().next() {
            elements.push(element);
            node = child;
        }
    }
}

/// The hash code of a path's element. What the service adds to that of the
/// name or index is unknown; this fits what its messages show.
fn element_hash(element: &PathElement) -> u32 {
    let hash = match element {
        PathElement::Member(name) => string_hash(name),
        PathElement::Index(index) => *index,
    };
    hash.wrapping_add(0x00ff_f031)
}

fn is_index(element: &PathElement) -> bool {
    matches!(element, PathElement::Index(_))
}

fn print(elements: &[&PathElement]) -> String {
    let texts: Vec<String> = elements
        .iter()
        .map(|element| match element {
            PathElement::Member(name) => name.to_string(),
            PathElement::Index(index) => format!("[{index}]"),
        })
        .collect();
    format!("[{}]", texts.join(", "))
}
