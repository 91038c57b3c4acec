#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod naive;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::number::Number;

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn n(text: &str) -> AttributeValue {
    AttributeValue::N(Number::parse(text).unwrap())
}

fn b(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Bytes::copy_from_slice(bytes))
}

fn strings(elements: &[&str]) -> AttributeValue {
    AttributeValue::Ss(elements.iter().map(|text| text.to_string()).collect())
}

/// One value of each type, and what the tests' expressions refer to.
fn values() -> Vec<(&'static str, AttributeValue)> {
    vec![
        (":n", n("1")),
        (":n2", n("2.0")),
        (":s", s("x")),
        (":type", s("N")),
        (":bin", b(b"a")),
        (":bool", AttributeValue::Bool(true)),
        (":null", AttributeValue::Null),
        (":list", AttributeValue::L(vec![n("1"), strings(&["p", "q"])])),
        (":map", AttributeValue::M(Item::from([("k".into(), n("1"))]))),
        (":ss", strings(&["p", "q"])),
        (":ns", AttributeValue::Ns(vec![Number::parse("1").unwrap()])),
        (":bs", AttributeValue::Bs(vec![Bytes::from_static(b"a")])),
    ]
}

fn placeholders() -> Placeholders {
    let names = [("#a", "a"), ("#dot", "a.b"), ("#b", "b")];
    let names = names.map(|(key, name)| (key.to_string(), name.to_string())).to_vec();
    let values = values().into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    Placeholders::new(Some(names), Some(values)).unwrap()
}

fn parse(source: &str) -> Result<Condition, ExpressionError> {
    Condition::parse(ExpressionKind::Filter, source, &mut placeholders())
}

/// What is wrong with a filter, without the prefix that all errors have.
fn error(source: &str) -> String {
    let error = parse(source).err().unwrap_or_else(|| panic!("`{source}` was accepted"));
    error.message().strip_prefix("Invalid FilterExpression: ").unwrap().to_string()
}

fn matches(source: &str, item: &Item) -> bool {
    parse(source).unwrap_or_else(|error| panic!("`{source}`: {error}")).matches(item)
}

#[test]
fn a_syntax_error_names_the_first_token_that_does_not_fit_and_its_neighbours() {
    for (source, token, near) in [
        ("a", "<EOF>", "a"),
        ("  a", "<EOF>", "a"),
        ("a   ", "<EOF>", "a   "),
        ("   ", "<EOF>", "   "),
        ("a =", "<EOF>", "="),
        (" = a", "=", " = a"),
        ("a b   ", "b", "a b   "),
        ("a = b c", "c", "b c"),
        (" a   =   =   b  ", "=", "=   =   b"),
        ("a == b", "=", "== b"),
        ("a != b", "!", "a !="),
        ("a < > b", ">", "< > b"),
        ("a = -1", "-", "= -1"),
        ("a = 1", "1", "= 1"),
        ("a = \"x\"", "\"", "= \"x"),
        ("_a = b", "_", "_a"),
        ("1a = b", "1", "1a"),
        ("a[00] = b", "0", "00]"),
        ("a[b] = c", "b", "[b]"),
        ("a[:n] = c", ":n", "[:n]"),
        ("a[-1] = c", "-", "[-1"),
        ("a. = b", "=", ". = b"),
        ("# = b", "#", "# ="),
        ("a = :", ":", "= :"),
        ("a#b = c", "#b", "a#b ="),
        (":v.x = b", ".", ":v.x"),
        ("a = \u{e9}\u{e9}", "\u{e9}", "= \u{e9}\u{e9}"),
        ("a = b \u{1f600} c", "\u{1f600}", "b \u{1f600}"),
        ("a AND b", "AND", "a AND b"),
        ("a = b AND", "<EOF>", "AND"),
        ("a = b OR OR c", "OR", "OR OR c"),
        ("NOT a", "<EOF>", "a"),
        ("NOT (a)", "<EOF>", ")"),
        ("(a)", "<EOF>", ")"),
        ("(a", "<EOF>", "a"),
        ("((a)", "<EOF>", ")"),
        ("(((", "<EOF>", "("),
        ("()", ")", "()"),
        ("(a)) = b", ")", ")) ="),
        ("a = b)", ")", "b)"),
        ("(a = b) = c", "=", ") = c"),
        ("(a = b) (c = d)", "(", ") (c"),
        ("a = (b = c)", "=", "b = c"),
        ("a = (NOT b)", "NOT", "(NOT b"),
        ("(a).b = c", ".", ").b"),
        ("a < b < c", "<", "b < c"),
        ("a BETWEEN b OR c", "OR", "b OR c"),
        ("a BETWEEN (b AND c) AND d", "AND", "b AND c"),
        ("a IN b", "b", "IN b"),
        ("a IN ()", ")", "()"),
        ("a IN (b,)", ")", ",)"),
        ("f()", ")", "()"),
        ("f(a,)", ")", ",)"),
        ("f(NOT a)", "NOT", "(NOT a"),
        ("a.b(c)", "(", "b(c"),
        ("#a(b)", "(", "#a(b"),
        ("size(a).b > a", ".", ").b"),
        ("and = b", "and", "and ="),
        ("a.set = b", "set", ".set ="),
        ("BETWEEN(a, b)", "BETWEEN", "BETWEEN("),
    ] {
        assert_eq!(error(source), format!("Syntax error; token: \"{token}\", near: \"{near}\""), "{source}");
    }
}

#[test]
fn redundant_parentheses_are_noticed_where_the_service_notices_them() {
    // Two pairs around the same part are refused once it is known what they
    // are for; an error before that place wins, one after it does not.
    for source in [
        "((a = b))",
        "((a)) = b",
        "NOT((a = b))",
        "a = ((b))",
        "a IN (((b)))",
        "((attribute_exists(a)))",
        "a > foo((:n), ((a)))",
        "(a)between(((b.c)).d)and(c)",
        "((a=b)) x",
        "((a)) = b c d",
        "foo(((a))) (",
        "c = d and ((a=b)) x",
        "((a=b)) AND",
    ] {
        assert_eq!(error(source), "The expression has redundant parentheses;", "{source}");
    }
    for (source, message) in [
        ("((a = b)", "Syntax error; token: \"<EOF>\", near: \")\""),
        ("((a)).b = c", "Syntax error; token: \".\", near: \").b\""),
        ("a = b c ((d))", "Syntax error; token: \"c\", near: \"b c (\""),
        ("(((foo(a)))", "Syntax error; token: \"<EOF>\", near: \")\""),
        ("foo(((a)), (b, c))", "Syntax error; token: \",\", near: \"b, c\""),
    ] {
        assert_eq!(error(source), message, "{source}");
    }
    for source in ["(a = b)", "((a = b) AND (c = d))", "(a) = (b)", "(size(a)) = b", "attribute_exists((a))"]
    {
        assert!(parse(source).is_ok(), "{source}");
    }
}

#[test]
fn words_are_judged_over_the_whole_source_before_anything_else() {
    for (source, message) in [
        ("a = #no and foo(a)", "Invalid function name; function: foo"),
        ("attRIbute_exIsts((views), #no)", "Invalid function name; function: attRIbute_exIsts"),
        (
            "attribute_exists(abort) > b",
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            "a IN (b, contains(a, b))",
            "The function is not allowed to be used this way in an expression; function: contains",
        ),
        ("NOT size(a)", "The function is not allowed to be used this way in an expression; function: size"),
        (
            "size(if_not_exists(a, b)) = c",
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        (":no < abOrT", "Attribute name is a reserved keyword; reserved keyword: abOrT"),
        ("abort > foo(b)", "Attribute name is a reserved keyword; reserved keyword: abort"),
        ("a.#no.name = b", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("a[2147483648] = abort", "List index is not within the allowable range; index: [2147483648]"),
    ] {
        assert_eq!(error(source), message, "{source}");
    }
}

#[test]
fn parts_are_judged_one_after_the_other_operands_first() {
    let incorrect = |operator: &str, operand: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, \
             operand type: {operand}"
        )
    };
    let name = |name: &str| {
        format!(
            "An expression attribute name used in the document path is not defined; attribute name: {name}"
        )
    };
    let value = |value: &str| {
        format!("An expression attribute value used in expression is not defined; attribute value: {value}")
    };
    let count = |function: &str, count: usize| {
        format!(
            "Incorrect number of operands for operator or function; operator or function: {function}, \
             number of operands: {count}"
        )
    };
    let distinct = |operator: &str, path: &str| {
        format!(
            "The first operand must be distinct from the remaining operands for this operator or function; \
             operator: {operator}, first operand: {path}"
        )
    };
    for (source, message) in [
        ("#no = :no", name("#no")),
        ("b.c[45].#no = a", name("#no")),
        ("a.:n = b", name(":n")),
        ("begins_with(:no, #no)", value(":no")),
        ("c = c AND #no = a", distinct("=", "[c]")),
        ("#no = a AND c = c", name("#no")),
        ("attribute_exists(a, b)", count("attribute_exists", 2)),
        ("begins_with(a)", count("begins_with", 1)),
        ("size(a, b) > c", count("size", 2)),
        ("contains(size(:bool), #no)", incorrect("size", "BOOL")),
        ("#a <> a", distinct("<>", "[a]")),
        ("a BETWEEN b AND a", distinct("BETWEEN", "[a]")),
        ("a IN (b, a)", distinct("IN", "[a]")),
        ("contains(a.b[1].c, a.b[1].c)", distinct("contains", "[a, b, [1], c]")),
        ("a < :bool", incorrect("<", "BOOL")),
        (":list >= a", incorrect(">=", "L")),
        ("a BETWEEN :ss AND :n", incorrect("BETWEEN", "SS")),
        ("begins_with(a, :n)", incorrect("begins_with", "N")),
        ("begins_with(size(a), a)", incorrect("begins_with", "N")),
        ("size(size(a)) = b", incorrect("size", "N")),
        ("size(:null) = b", incorrect("size", "NULL")),
        ("attribute_type(a, :n)", incorrect("attribute_type", "N")),
        ("attribute_type(a, b)", incorrect("attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")),
        (
            "attribute_type(a, :s)",
            "Invalid attribute type name found; type: x, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}".into(),
        ),
        (
            "attribute_exists(:n)",
            "Operator or function requires a document path; operator or function: attribute_exists".into(),
        ),
        (
            "attribute_not_exists(size(a))",
            "Operator or function requires a document path; operator or function: attribute_not_exists"
                .into(),
        ),
        (
            "a BETWEEN :n AND :s",
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: \
             AttributeValue: {N:1}, upper bound operand: AttributeValue: {S:x}"
                .into(),
        ),
        (
            "a BETWEEN :n2 AND :n",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower \
             bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}"
                .into(),
        ),
    ] {
        assert_eq!(error(source), message, "{source}");
    }
}

#[test]
fn limits_are_the_services_and_reached_only_beyond_them() {
    let repeat = |part: &str, count: usize, between: &str| vec![part; count].join(between);
    let too_many = "The expression contains too many operators; operator count: 301";
    for (source, message) in [
        (
            format!("a = {}", "b".repeat(4093)),
            "Expression size has exceeded the maximum allowed size; expression size: 4097",
        ),
        (repeat("a=b", 151, " OR "), too_many),
        (format!("{}a=b", "NOT ".repeat(300)), too_many),
        (repeat("size(a)=size(b)", 76, " AND "), too_many),
        (
            format!("a IN ({})", repeat("b", 101, ",")),
            "The IN operator is provided with too many operands; number of operands: 101",
        ),
        (
            format!("{} = b", repeat("q", 33, ".")),
            "The document path has too many nesting levels; nesting levels: 33",
        ),
    ] {
        assert_eq!(error(&source), message, "{source}");
    }
    for source in [
        format!("a = {}", "b".repeat(4092)),
        repeat("a=b", 150, " OR "),
        format!("{}a=b", "NOT ".repeat(299)),
        format!("a IN ({})", repeat("b", 100, ",")),
        format!("{} = b", repeat("q", 32, ".")),
        "a[2147483647] = b".into(),
    ] {
        assert!(parse(&source).is_ok(), "{source}");
    }
    let empty = Condition::parse(ExpressionKind::Condition, "", &mut placeholders());
    assert_eq!(
        empty.err().unwrap().message(),
        "Invalid ConditionExpression: The expression can not be empty;"
    );
}

#[test]
fn hostile_nesting_is_an_error_on_a_small_stack() {
    // 100,000 parentheses are over the size limit; as many as 4 KB hold must
    // neither exhaust the stack while parsing nor while dropping the tree.
    let sources = [
        "(".repeat(100_000),
        "(".repeat(4096),
        format!("{}a=b{}", "(".repeat(2000), ")".repeat(2000)),
        "NOT ".repeat(1024),
        format!("{}a=b", "NOT ".repeat(1000)),
        "f(".repeat(2000),
        format!("{}a{}=b", "size(".repeat(600), ")".repeat(600)),
        format!("{}a=b{}", "a=b AND (".repeat(400), ")".repeat(400)),
        format!("a IN ({})", vec!["b"; 1_000_000].join(",")),
        "\u{1f600}".repeat(1000),
    ];
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(move || {
        for source in sources {
            assert!(parse(&source).is_err());
        }
        let deep = format!("{}a=b{}", "a=b OR (".repeat(149), ")".repeat(149));
        assert!(!matches(&deep, &Item::new()));
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn a_missing_attribute_is_unequal_to_everything_and_has_no_order() {
    let item = Item::from([("a".into(), n("1"))]);
    for (source, expected) in [
        ("z = :n", false),
        ("z <> :n", true),
        ("z = y", false),
        ("z <> y", true),
        ("z < :n", false),
        ("z >= y", false),
        ("NOT z < :n", true),
        ("z BETWEEN :n AND :n2", false),
        ("z IN (:n, y)", false),
        ("attribute_exists(z)", false),
        ("attribute_not_exists(z)", true),
        ("attribute_exists(a.b)", false),
        ("attribute_type(z, :type)", false),
        ("begins_with(z, :s)", false),
        ("contains(z, :s)", false),
        ("contains(:list, z)", false),
        ("size(z) = :n", false),
        ("size(z) <> :n", true),
        ("size(a) <> :n", true),
    ] {
        assert_eq!(matches(source, &item), expected, "{source}");
    }
}

#[test]
fn comparisons_and_functions_follow_the_types() {
    let item = Item::from([
        ("n".into(), n("1.50")),
        ("s".into(), s("h\u{e9}llo")),
        ("bin".into(), b(&[0x80, 0x01])),
        ("t".into(), AttributeValue::Bool(true)),
        ("ss".into(), strings(&["p", "q"])),
        ("ns".into(), AttributeValue::Ns(vec![Number::parse("1").unwrap()])),
        ("l".into(), AttributeValue::L(vec![n("1.0"), strings(&["p", "q"]), s("x")])),
        ("m".into(), AttributeValue::M(Item::from([("k".into(), n("2")), ("x".into(), s("y"))]))),
        ("emoji".into(), s("\u{1f600}")),
        ("area_e".into(), s("\u{e000}")),
    ]);
    for (source, expected) in [
        ("n = :n", false),
        ("l[0] = :n", true),
        ("n > :n AND n < :n2", true),
        ("n BETWEEN :n AND :n2", true),
        ("n BETWEEN :n2 AND m.k", false),
        ("n < :s", false),
        ("n <> :s", true),
        ("bin > :bin", true),
        // Strings are compared by their UTF-8 bytes, not by UTF-16 code units.
        ("area_e < emoji", true),
        ("l[1] = :ss", true),
        ("ss = :ss", true),
        ("t = :bool", true),
        ("s IN (n, :s, s2, :ss, l[2])", false),
        ("l[2] IN (n, :s)", true),
        ("contains(s, l[2])", false),
        ("contains(l, :n)", true),
        ("contains(l, :ss)", true),
        ("contains(ss, :ss)", false),
        ("contains(ns, :n)", true),
        ("contains(m, :s)", false),
        ("contains(:s, l[2])", true),
        ("begins_with(s, l[2])", false),
        ("begins_with(:s, l[2])", true),
        ("begins_with(bin, bin2)", false),
        ("attribute_type(n, :type)", true),
        ("attribute_type(:n, :type)", true),
        ("attribute_type(s, :type)", false),
        ("size(ss) = :n2", true),
        ("size(m) = :n2", true),
        ("size(bin) = :n2", true),
        // In UTF-16 code units.
        ("size(emoji) = :n2", true),
        ("size(s) > :n2", true),
        ("size(:ss) = :n2", true),
        ("m.k = size(ss)", true),
        ("attribute_exists(m.x) AND attribute_not_exists(m.y)", true),
        ("attribute_exists(ss[0])", false),
        ("attribute_exists(l[3])", false),
    ] {
        assert_eq!(matches(source, &item), expected, "{source}");
    }
}

#[test]
fn a_long_search_in_binary_takes_linear_time() {
    let value = b(&vec![b'a'; 400_000]);
    let part = b(&[&vec![b'a'; 200_000][..], b"b"].concat());
    let placeholders = |part| Placeholders::new(None, Some(vec![(":p".into(), part)])).unwrap();
    let mut absent = placeholders(part);
    let condition = Condition::parse(ExpressionKind::Filter, "contains(v, :p)", &mut absent).unwrap();
    assert!(!condition.matches(&Item::from([("v".into(), value.clone())])));
    let mut present = placeholders(b(&vec![b'a'; 200_000]));
    let condition = Condition::parse(ExpressionKind::Filter, "contains(v, :p)", &mut present).unwrap();
    assert!(condition.matches(&Item::from([("v".into(), value)])));
}

#[test]
fn operators_bind_as_documented() {
    let item = Item::from([("a".into(), n("1"))]);
    // `a = :n` is true and `a = :s` is false.
    for (source, expected) in [
        ("a = :n OR a = :s AND a = :s", true),
        ("(a = :n OR a = :s) AND a = :s", false),
        ("NOT a = :s AND a = :s", false),
        ("NOT (a = :s AND a = :s)", true),
        ("NOT NOT NOT a = :n", false),
        ("a = :s OR NOT a = :s", true),
        ("a between :n and :n2 and a = :n", true),
        ("a IN(:n)AND(a=:n)", true),
    ] {
        assert_eq!(matches(source, &item), expected, "{source}");
    }
}

#[test]
fn key_attributes_are_guarded() {
    let attribute =
        |name: &str| crate::key::KeyAttribute { name: name.into(), key_type: crate::key::KeyType::S };
    let schema = KeySchema { hash: attribute("pk"), range: Some(attribute("sk")) };
    let nested = parse("a = b OR sk[0] = b").unwrap();
    assert_eq!(
        nested.check_key_access(&schema).unwrap_err().message(),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: sk"
    );
    // Of both the partition key is told, in whichever order they are named.
    let both = parse("sk[0] = b OR pk.a = b").unwrap();
    assert!(both.check_key_access(&schema).unwrap_err().message().ends_with("Key: pk"));
    let on_key = parse("a = b AND begins_with(sk, :s)").unwrap();
    assert!(on_key.check_key_access(&schema).is_ok());
    assert_eq!(
        on_key.check_no_key_attribute(&schema).unwrap_err().message(),
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"
    );
    assert!(parse("a.pk = b").unwrap().check_no_key_attribute(&schema).is_ok());
}
