//! A printed tree parses to itself.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::parser::parse;
use super::super::syntax::{Action, Delete, Expr, ExprKind, Position, Returning, Source, Step, Update};
use super::*;

/// The text of an expression. Operands are in parentheses wherever they might need them.
fn print(expr: &Expr) -> String {
    let list = |parts: &[Expr]| parts.iter().map(print).collect::<Vec<_>>().join(", ");
    let joined = |parts: &[Expr], word: &str| parts.iter().map(part).collect::<Vec<_>>().join(word);
    match &expr.kind {
        ExprKind::Name(name) => format!("\"{}\"", name.replace('"', "\"\"")),
        ExprKind::Path(root, steps) => {
            let steps = steps.iter().map(|step| match step {
                Step::Member(name) => format!(".\"{}\"", name.replace('"', "\"\"")),
                Step::Index(index) => format!("[{}]", print(index)),
                Step::Unpivot => ".*".to_string(),
                Step::Wildcard => "[*]".to_string(),
            });
            format!("{}{}", print(root), steps.collect::<String>())
        }
        ExprKind::String(text) => format!("'{}'", text.replace('\'', "''")),
        ExprKind::Number(text) => text.clone(),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Null => "null".to_string(),
        ExprKind::Missing => "MISSING".to_string(),
        ExprKind::Ion(text) => format!("`{text}`"),
        ExprKind::Parameter(_) => "?".to_string(),
        ExprKind::Call(name, arguments) => format!("{name}({})", list(arguments)),
        ExprKind::Sign(sign, operand) => format!("{sign} {}", part(operand)),
        ExprKind::Not(operand) => format!("NOT {}", part(operand)),
        ExprKind::And(parts) => joined(parts, " AND "),
        ExprKind::Or(parts) => joined(parts, " or "),
        ExprKind::Binary(operator, left, right) => format!("{} {operator} {}", part(left), part(right)),
        ExprKind::Between(parts) => {
            format!("{} BETWEEN {} AND {}", part(&parts[0]), part(&parts[1]), part(&parts[2]))
        }
        ExprKind::In(value, values) => format!("{} IN {}", part(value), print(values)),
        ExprKind::Is(value, type_name) => format!("{} IS {type_name}", part(value)),
        ExprKind::List(elements) => format!("[{}]", list(elements)),
        ExprKind::Bag(elements) => format!("<<{}>>", list(elements)),
        ExprKind::Struct(members) => {
            let members = members.iter().map(|(key, value)| format!("{}: {}", print(key), print(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        ExprKind::Nested(_) => unreachable!("none is made"),
    }
}

fn part(expr: &Expr) -> String {
    format!("({})", print(expr))
}

fn of(kind: ExprKind) -> Expr {
    Expr { kind, at: Position::default() }
}

fn expression() -> impl Strategy<Value = Expr> {
    let name = || prop_oneof!["[a-z]{1,3}", "[a-z \"é]{1,4}", Just("select".to_string())];
    let number = "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?";
    let leaf = prop_oneof![
        name().prop_map(ExprKind::Name),
        "[a-z'\"?]{0,4}|\\PC{0,3}".prop_map(ExprKind::String),
        number.prop_map(ExprKind::Number),
        any::<bool>().prop_map(ExprKind::Bool),
        Just(ExprKind::Null),
        Just(ExprKind::Missing),
        "[a-z]{1,3}".prop_map(ExprKind::Ion),
    ]
    .prop_map(of);
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let some = || vec(inner.clone(), 1..3);
        let steps = prop_oneof![
            name().prop_map(Step::Member),
            (0..9_u8).prop_map(|index| Step::Index(of(ExprKind::Number(index.to_string())))),
            Just(Step::Unpivot),
            Just(Step::Wildcard),
        ];
        // One AND within another is the same AND.
        let no_and = inner.clone().prop_filter("joined", |expr| !matches!(expr.kind, ExprKind::And(_)));
        let no_or = inner.clone().prop_filter("joined", |expr| !matches!(expr.kind, ExprKind::Or(_)));
        let operator = prop::sample::select(vec![
            "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "||", "like",
        ]);
        let no_number = inner
            .clone()
            .prop_filter("a number takes its sign", |expr| !matches!(expr.kind, ExprKind::Number(_)));
        prop_oneof![
            (name(), vec(steps, 1..4))
                .prop_map(|(root, steps)| ExprKind::Path(Box::new(of(ExprKind::Name(root))), steps)),
            ("f[a-z_]{1,4}", vec(inner.clone(), 0..3)).prop_map(|(name, parts)| ExprKind::Call(name, parts)),
            (prop::sample::select(vec!["+", "-"]), no_number.prop_map(Box::new))
                .prop_map(|(sign, operand)| ExprKind::Sign(sign, operand)),
            boxed().prop_map(ExprKind::Not),
            vec(no_and, 2..4).prop_map(ExprKind::And),
            vec(no_or, 2..4).prop_map(ExprKind::Or),
            (operator, boxed(), boxed()).prop_map(|(name, left, right)| ExprKind::Binary(name, left, right)),
            [inner.clone(), inner.clone(), inner.clone()]
                .prop_map(|parts| ExprKind::Between(Box::new(parts))),
            (boxed(), some())
                .prop_map(|(value, list)| ExprKind::In(value, Box::new(of(ExprKind::List(list))))),
            (boxed(), prop::sample::select(vec!["NULL", "MISSING", "STRING", "TUPLE"]))
                .prop_map(|(value, name)| ExprKind::Is(value, name)),
            vec(inner.clone(), 0..3).prop_map(ExprKind::List),
            vec(inner.clone(), 0..3).prop_map(ExprKind::Bag),
            vec((inner.clone(), inner.clone()), 0..3).prop_map(ExprKind::Struct),
        ]
        .prop_map(of)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_condition_comes_back(condition in expression(), modified in any::<bool>(), old in any::<bool>()) {
        let from = Source { expr: of(ExprKind::Name("tbl".into())), has_alias: false, is_join: false };
        let returning = Returning { modified, old };
        let source = format!("DELETE FROM tbl WHERE {} {}", print(&condition), returning);
        let (parsed, _) = parse(&source).unwrap_or_else(|error| panic!("{source}: {}", error.message()));
        prop_assert_eq!(
            parsed,
            Syntax::Delete(Delete { from: from.clone(), condition: Some(condition.clone()), returning: Some(returning) })
        );
        let source = format!("UPDATE tbl SET a = {} REMOVE b.\"c\"[0]", part(&condition));
        let target = of(ExprKind::Name("a".into()));
        let removed = of(ExprKind::Path(
            Box::new(of(ExprKind::Name("b".into()))),
            vec![Step::Member("c".into()), Step::Index(of(ExprKind::Number("0".into())))],
        ));
        let actions = vec![Action::Set(target, condition), Action::Remove(removed)];
        let (parsed, _) = parse(&source).unwrap_or_else(|error| panic!("{source}: {}", error.message()));
        prop_assert_eq!(parsed, Syntax::Update(Update { from, actions, condition: None, returning: None }));
    }

    /// Nothing that is typed makes the parser panic, and errors have a text.
    #[test]
    fn noise_is_answered(words in vec(prop::sample::select(WORDS.to_vec()), 0..30)) {
        let source = words.join(" ");
        if let Err(error) = Statement::parse(&source, &[]) {
            prop_assert!(!error.message().is_empty());
        }
    }
}

const WORDS: &[&str] = &[
    "SELECT",
    "*",
    "FROM",
    "tbl",
    "WHERE",
    "pk",
    "=",
    "'a'",
    "AND",
    "OR",
    "NOT",
    "IN",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "<<",
    ">>",
    ",",
    ":",
    ".",
    "1",
    "-1",
    ".5e3",
    "?",
    "IS",
    "MISSING",
    "NULL",
    "BETWEEN",
    "INSERT",
    "INTO",
    "VALUE",
    "UPDATE",
    "SET",
    "REMOVE",
    "DELETE",
    "RETURNING",
    "ALL",
    "OLD",
    "NEW",
    "MODIFIED",
    "ORDER",
    "BY",
    "DESC",
    "list_append",
    "set_add",
    "size",
    "begins_with",
    "true",
    "\"q\"",
    "`x`",
    "--",
    "/*",
    "*/",
    "\n",
    ";",
    "@",
    "||",
    "LIKE",
    "EXISTS",
    "CASE",
    "LIMIT",
    "GROUP",
    "HAVING",
    "AS",
    "JOIN",
    "ON",
    "\u{1f512}",
];
