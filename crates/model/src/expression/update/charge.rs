//! What an `UpdateExpression` is charged for its own size.
//!
//! UpdateItem holds two sizes to the limit of an item: that of the finished item, and that of what the expression
//! writes, with a fixed cost for each of its clauses. At a short key the second is the greater, so that an item of
//! exactly 400 KB cannot be written by it. The figures were measured on the service in October 2026, to the byte:
//! docs/decisions/charge-of-an-update.md.

use super::{Action, Operand, Section, Update};
use crate::expression::path::{Path, PathElement};
use crate::expression::tree::{Function, NodeId, NodeKind, Tree};
use crate::size::value_bytes;

/// What each update costs.
const UPDATE_BYTES: usize = 3;
/// What a clause costs that writes a value: SET and ADD.
const WRITING_CLAUSE_BYTES: usize = 19;
/// What a clause costs that takes something away: REMOVE and DELETE. What it takes away is free.
const REMOVING_CLAUSE_BYTES: usize = 1;
const TARGET_STEP_BYTES: usize = 4;
const PATH_BYTES: usize = 1;
const PATH_ELEMENT_BYTES: usize = 14;
const PLUS_BYTES: usize = 34;
const MINUS_BYTES: usize = 37;
const IF_NOT_EXISTS_BYTES: usize = 39;
const LIST_APPEND_BYTES: usize = 37;

pub(super) fn bytes(update: &Update) -> usize {
    UPDATE_BYTES + update.actions.iter().map(|action| clause_bytes(&update.tree, action)).sum::<usize>()
}

fn clause_bytes(tree: &Tree, action: &Action) -> usize {
    let target = target_bytes(&action.target);
    match (action.section, &action.operand) {
        (Section::Remove | Section::Delete, _) => REMOVING_CLAUSE_BYTES + target,
        (Section::Set | Section::Add, Operand::None) => WRITING_CLAUSE_BYTES + target,
        (Section::Set | Section::Add, Operand::Value(value)) => {
            WRITING_CLAUSE_BYTES + target + value_bytes(value)
        }
        (Section::Set | Section::Add, Operand::Node(id)) => {
            WRITING_CLAUSE_BYTES + target + operand_bytes(tree, *id)
        }
    }
}

fn target_bytes(path: &Path) -> usize {
    path.name().len() + path.steps().iter().map(|step| TARGET_STEP_BYTES + element_bytes(step)).sum::<usize>()
}

/// The cost of a node with all below it; each use of a value counts. It recurses once per nested function, of which an
/// expression has at most 300.
fn operand_bytes(tree: &Tree, id: NodeId) -> usize {
    if let Some(value) = tree.value(id) {
        return value_bytes(value);
    }
    if let Some(path) = tree.path(id) {
        let steps = path.steps().iter().map(|step| PATH_ELEMENT_BYTES + element_bytes(step)).sum::<usize>();
        return PATH_BYTES + PATH_ELEMENT_BYTES + path.name().len() + steps;
    }
    let own = match tree.node(id).kind {
        NodeKind::Plus => PLUS_BYTES,
        NodeKind::Minus => MINUS_BYTES,
        NodeKind::Call(Some(Function::IfNotExists)) => IF_NOT_EXISTS_BYTES,
        _ => LIST_APPEND_BYTES,
    };
    own + tree.children(id).map(|child| operand_bytes(tree, child)).sum::<usize>()
}

/// The bytes of a name or the digits of an index.
fn element_bytes(element: &PathElement) -> usize {
    match element {
        PathElement::Member(name) => name.len(),
        PathElement::Index(index) => index.checked_ilog10().unwrap_or(0) as usize + 1,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;
    use crate::expression::Placeholders;
    use crate::json::from_json;

    /// What `source` is charged, beyond what each update is.
    fn charge(source: &str) -> usize {
        let values = [
            (":s", json!({"S": "x".repeat(10)})),
            (":one", json!({"N": "1"})),
            (":list", json!({"L": [{"S": "x".repeat(10)}]})),
            (":map", json!({"M": {"a": {"S": "x".repeat(100)}}})),
            (":set", json!({"SS": ["x".repeat(500)]})),
        ];
        let values = values.map(|(key, value)| (key.to_owned(), from_json(&value).unwrap())).to_vec();
        let names = vec![("#twelvechars".to_owned(), "b".to_owned())];
        let mut placeholders = Placeholders::new(Some(names), Some(values)).unwrap();
        let update = Update::parse(source, &mut placeholders).unwrap();
        update.charge() - 3
    }

    #[test]
    fn each_kind_of_clause_costs_what_was_measured() {
        for (source, bytes) in [
            ("SET b = :s", 19 + 1 + 10),
            ("SET #twelvechars = :s", 19 + 1 + 10),
            ("SET b = :s, c = :one", 19 + 1 + 10 + 19 + 1 + 2),
            ("SET b = :s REMOVE r", 19 + 1 + 10 + 2),
            ("SET b.leaf = :s", 19 + 1 + 4 + 4 + 10),
            ("SET b[0] = :s", 19 + 1 + 4 + 1 + 10),
            ("SET c = abcdefghij", 19 + 1 + 15 + 10),
            ("SET c = m.a.z", 19 + 1 + 1 + 15 + 15 + 15),
            ("SET c = l[10]", 19 + 1 + 1 + 15 + 16),
            ("SET l = list_append(l, :list)", 19 + 1 + 37 + 16 + 14),
            ("SET l = list_append(:list, :list)", 19 + 1 + 37 + 14 + 14),
            ("SET c = if_not_exists(c, :map)", 19 + 1 + 39 + 16 + 105),
            ("SET c = if_not_exists(c, :s), d = if_not_exists(d, :s)", 2 * (19 + 1 + 39 + 16 + 10)),
            ("SET n = n + :one", 19 + 1 + 34 + 16 + 2),
            ("SET n = n - :one", 19 + 1 + 37 + 16 + 2),
            ("ADD abcdefghij :one", 19 + 10 + 2),
            ("ADD ss :set", 19 + 2 + 500),
            ("REMOVE abcdefghij", 1 + 10),
            ("REMOVE m.yyyyyyyyyy", 1 + 1 + 4 + 10),
            ("REMOVE abcdefghij[1]", 1 + 10 + 4 + 1),
            ("REMOVE l[10]", 1 + 1 + 4 + 2),
            ("DELETE abcdefghij :set", 1 + 10),
        ] {
            assert_eq!(charge(source), bytes, "{source}");
        }
    }
}
