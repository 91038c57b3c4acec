//! Projections: which parts of an item to return.

use super::condition::check_key_access;
use super::lexer::{TokenKind, Tokens};
use super::path::Path;
use super::path_tree::PathTree;
use super::placeholders::Placeholders;
use super::tree::Tree;
use super::{ExpressionError, ExpressionKind};
use crate::attribute::Item;
use crate::key::KeySchema;

/// The parts of an item to return.
#[derive(Clone, Debug)]
pub struct Projection {
    paths: Vec<Path>,
    tree: PathTree,
}

impl Projection {
    /// Parses the `ProjectionExpression` of a request.
    pub fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Projection, ExpressionError> {
        ExpressionKind::Projection.check_size(source)?;
        parse(source, placeholders).map_err(|text| ExpressionError::invalid(ExpressionKind::Projection, text))
    }

    /// The projection to these top-level attributes, each named once.
    pub fn of_attributes<'a>(names: impl IntoIterator<Item = &'a str>) -> Projection {
        let mut tree = PathTree::default();
        let mut paths: Vec<Path> = Vec::new();
        for path in names.into_iter().map(Path::top_level) {
            // A name that is there already selects nothing more.
            if tree.insert(&path).is_ok() {
                paths.push(path);
            }
        }
        Projection { paths, tree }
    }

    /// The paths, in the order of the source.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Refuses paths that lead below a key attribute, which is always a scalar.
    pub fn check_key_access(&self, schema: &KeySchema) -> Result<(), ExpressionError> {
        check_key_access(&self.paths, schema)
    }

    /// The projected parts of an item, nested as in the item. Of a list only
    /// the wanted elements are left, in their order.
    pub fn apply(&self, item: &Item) -> Item {
        self.tree.select(item)
    }
}

/// Checks words first, then what they stand for, from the last path to the first.
fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Projection, String> {
    let mut tokens = Tokens::new(source);
    let mut syntax = Tree::default();
    let mut ids = Vec::new();
    loop {
        ids.push(syntax.take_path(&mut tokens)?);
        if tokens.take_if(TokenKind::Comma).is_none() {
            break;
        }
    }
    tokens.expect(TokenKind::End)?;
    for id in &ids {
        syntax.check_path_source(*id, source)?;
    }
    let mut paths = Vec::with_capacity(ids.len());
    let mut tree = PathTree::default();
    for id in ids.iter().rev() {
        let path = syntax.resolve_path(*id, source, placeholders)?;
        tree.insert(&path)?;
        paths.push(path);
    }
    paths.reverse();
    tree.sort();
    Ok(Projection { paths, tree })
}
