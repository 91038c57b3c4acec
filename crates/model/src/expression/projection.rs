//! Projections: which parts of an item to return.

use std::collections::BTreeSet;

use super::condition::{check_index_key_access, check_key_access};
use super::lexer::{TokenKind, Tokens};
use super::path::Path;
use super::path_tree::PathTree;
use super::placeholders::Placeholders;
use super::tree::Tree;
use super::{ExpressionError, ExpressionKind};
use crate::attribute::Item;
use crate::index::IndexSchema;
use crate::key::KeySchema;

/// The parts of an item to return.
#[derive(Clone, Debug)]
pub struct Projection {
    paths: Vec<Path>,
    tree: PathTree,
    /// Where the values do not stay in their places: a top-level name for each path.
    names: Option<Vec<String>>,
}

impl Projection {
    /// Parses the `ProjectionExpression` of a request.
    pub fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Projection, ExpressionError> {
        ExpressionKind::Projection.check_size(source)?;
        parse(source, placeholders).map_err(|text| ExpressionError::invalid(ExpressionKind::Projection, text))
    }

    /// The projection that `AttributesToGet` is: to top-level attributes,
    /// each of which may be named once.
    pub fn from_attributes_to_get(names: &[String]) -> Result<Projection, ExpressionError> {
        let mut seen = BTreeSet::new();
        if let Some(duplicate) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(ExpressionError::new(format!(
                "One or more parameter values were invalid: Duplicate value in attribute name: {duplicate}"
            )));
        }
        let tree = PathTree::of_attributes(names.iter().map(String::as_str));
        Ok(Projection { paths: names.iter().map(|name| Path::top_level(name)).collect(), tree, names: None })
    }

    /// The projection to these paths, each value under a top-level name of its own.
    pub(crate) fn renamed(paths: Vec<(String, Path)>) -> Result<Projection, ExpressionError> {
        let mut tree = PathTree::default();
        for (position, (_, path)) in paths.iter().enumerate() {
            tree.insert(path, position).map_err(ExpressionError::new)?;
        }
        tree.sort();
        let (names, paths) = paths.into_iter().unzip();
        Ok(Projection { paths, tree, names: Some(names) })
    }

    /// The paths, in the order of the source.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Refuses paths that lead below a key attribute, which is always a scalar.
    pub fn check_key_access(&self, schema: &KeySchema) -> Result<(), ExpressionError> {
        check_key_access(&self.paths, schema)
    }

    /// Refuses paths that lead below a key attribute of an index.
    pub fn check_index_key_access<'a>(
        &self,
        indexes: impl IntoIterator<Item = &'a IndexSchema>,
    ) -> Result<(), ExpressionError> {
        check_index_key_access(&self.paths, indexes)
    }

    /// The projected parts of an item, nested as in the item. Of a list only
    /// the wanted elements are left, in their order.
    pub fn apply(&self, item: &Item) -> Item {
        let Some(names) = &self.names else { return self.tree.select(item) };
        let values = names.iter().zip(&self.paths);
        values.filter_map(|(name, path)| Some((name.clone(), path.value_in(item)?.clone()))).collect()
    }
}

/// Checks words first, then what they stand for, from the last path to the first.
fn parse(source: &str, placeholders: &mut Placeholders) -> Result<Projection, String> {
    let mut tokens = Tokens::new(source);
    let mut syntax = Tree::with_room();
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
        tree.insert(&path, paths.len())?;
        paths.push(path);
    }
    paths.reverse();
    tree.sort();
    Ok(Projection { paths, tree, names: None })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use super::*;
    use crate::json::{item_from_json, item_to_json};

    fn parse(source: &str) -> Result<Projection, ExpressionError> {
        let names = [("#a", "a"), ("#b", "[3]"), ("#dot", "m.x")];
        let names = names.map(|(key, name)| (key.to_string(), name.to_string())).to_vec();
        Projection::parse(source, &mut Placeholders::new(Some(names), None).unwrap())
    }

    fn error(source: &str) -> String {
        let error = parse(source).err().unwrap_or_else(|| panic!("`{source}` was accepted"));
        error.message().strip_prefix("Invalid ProjectionExpression: ").unwrap().to_string()
    }

    #[test]
    fn errors_are_the_services_and_in_its_order() {
        let overlap = |one: &str, two: &str| {
            format!(
                "Two document paths overlap with each other; must remove or rewrite one of these paths; \
                 path one: {one}, path two: {two}"
            )
        };
        let conflict = |one: &str, two: &str| {
            format!(
                "Two document paths conflict with each other; must remove or rewrite one of these paths; \
                 path one: {one}, path two: {two}"
            )
        };
        let undefined =
            "An expression attribute name used in the document path is not defined; attribute name: #c";
        for (source, message) in [
            ("", "The expression can not be empty;".into()),
            ("!!", "Syntax error; token: \"!\", near: \"!!\"".into()),
            ("a,,b", "Syntax error; token: \",\", near: \",,b\"".into()),
            ("a,", "Syntax error; token: \"<EOF>\", near: \",\"".into()),
            ("(a)", "Syntax error; token: \"(\", near: \"(a\"".into()),
            ("size(a)", "Syntax error; token: \"(\", near: \"size(a\"".into()),
            (":a", "Syntax error; token: \":a\", near: \":a\"".into()),
            ("a b c d", "Syntax error; token: \"b\", near: \"a b c\"".into()),
            ("a[0]b", "Syntax error; token: \"b\", near: \"]b\"".into()),
            ("a-b", "Syntax error; token: \"-\", near: \"a-b\"".into()),
            ("#c, a.abORt", "Attribute name is a reserved keyword; reserved keyword: abORt".into()),
            ("a[99999999999]", "List index is not within the allowable range; index: [99999999999]".into()),
            ("a, a, #c", undefined.into()),
            (
                &format!("a{}", ".b".repeat(32)),
                "The document path has too many nesting levels; nesting levels: 33".into(),
            ),
            ("a,a", overlap("[a]", "[a]")),
            ("a,b,a", overlap("[a]", "[b]")),
            ("a, #a[1]", overlap("[a]", "[a, [1]]")),
            ("b[1], b.a, #a.b, a", overlap("[a, b]", "[a]")),
            ("a.b, #a[1], #b", conflict("[a, b]", "[a, [1]]")),
            ("a.b[1], #a[1], #b", conflict("[a, b, [1]]", "[a, [1]]")),
            ("a[3].b, #a.#b.b", conflict("[a, [3], b]", "[a, [3], b]")),
        ] {
            assert_eq!(error(source), message, "{source}");
        }
        let long = vec!["ab"; 1400].join(",");
        assert_eq!(error(&long), "Expression size has exceeded the maximum allowed size;");
    }

    #[test]
    fn parts_keep_their_places_and_elements_move_together() {
        let item = json!({
            "pk": {"S": "k"},
            "m.x": {"S": "dotted"},
            "m": {"M": {"x": {"N": "1"}, "y": {"L": [{"N": "0"}, {"M": {"p": {"N": "1"}, "q": {"N": "2"}}}]}}},
            "l": {"L": [{"N": "0"}, {"N": "1"}, {"L": [{"S": "a"}, {"S": "b"}]}, {"N": "3"}]},
        });
        let item = item_from_json(&item).unwrap();
        let cases: [(&str, Value); 12] = [
            ("pk, no_such", json!({"pk": {"S": "k"}})),
            ("#dot", json!({"m.x": {"S": "dotted"}})),
            ("m.x", json!({"m": {"M": {"x": {"N": "1"}}}})),
            ("m.y[1].q", json!({"m": {"M": {"y": {"L": [{"M": {"q": {"N": "2"}}}]}}}})),
            ("m.y[0], m.x", json!({"m": {"M": {"x": {"N": "1"}, "y": {"L": [{"N": "0"}]}}}})),
            ("l[3], l[0]", json!({"l": {"L": [{"N": "0"}, {"N": "3"}]}})),
            (
                "l[3],l[9],l[2][1],l[0],l[2][0]",
                json!({"l": {"L": [{"N": "0"}, {"L": [{"S": "a"}, {"S": "b"}]}, {"N": "3"}]}}),
            ),
            ("l[10], l[2][5]", json!({})),
            ("m.z, m.y[7], m.y[0].p", json!({})),
            ("m[0], l.x, pk.x, pk2[0]", json!({})),
            ("no_such.x[1]", json!({})),
            (
                "m.y[1].p, l[1]",
                json!({
                    "m": {"M": {"y": {"L": [{"M": {"p": {"N": "1"}}}]}}},
                    "l": {"L": [{"N": "1"}]},
                }),
            ),
        ];
        for (source, expected) in cases {
            let projected = parse(source).unwrap_or_else(|error| panic!("`{source}`: {error}")).apply(&item);
            assert_eq!(item_to_json(&projected), expected, "{source}");
        }
        let attributes = ["pk", "m.x", "z"].map(String::from);
        let projected = Projection::from_attributes_to_get(&attributes).unwrap().apply(&item);
        assert_eq!(item_to_json(&projected), json!({"pk": {"S": "k"}, "m.x": {"S": "dotted"}}));
        let twice = Projection::from_attributes_to_get(&["a", "b", "a"].map(String::from));
        assert_eq!(
            twice.unwrap_err().message(),
            "One or more parameter values were invalid: Duplicate value in attribute name: a"
        );
    }
}
