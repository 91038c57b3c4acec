#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod naive;

use serde_json::{Value, json};

use super::*;
use crate::json::{from_json, item_from_json, item_to_json};
use crate::key::{KeyAttribute, KeyType};

/// One value of each type.
fn placeholders() -> Placeholders {
    let names = [("#a", "a"), ("#c", "c"), ("#three", "[3]")];
    let names = names.map(|(key, name)| (key.to_string(), name.to_string())).to_vec();
    let values = [
        (":n", json!({"N": "1"})),
        (":s", json!({"S": "x"})),
        (":bin", json!({"B": "YQ=="})),
        (":bool", json!({"BOOL": true})),
        (":null", json!({"NULL": true})),
        (":list", json!({"L": [{"N": "8"}, {"N": "9"}]})),
        (":map", json!({"M": {}})),
        (":ss", json!({"SS": ["a", "d"]})),
        (":ns", json!({"NS": ["1"]})),
        (":bs", json!({"BS": ["YQ=="]})),
        (":huge", json!({"N": "9E125"})),
    ];
    let values = values.map(|(key, value)| (key.to_string(), from_json(&value).unwrap())).to_vec();
    Placeholders::new(Some(names), Some(values)).unwrap()
}

fn parse(source: &str) -> Result<Update, ExpressionError> {
    Update::parse(source, &mut placeholders())
}

/// What is wrong with an update, without the prefix that all errors have.
fn error(source: &str) -> String {
    let error = parse(source).err().unwrap_or_else(|| panic!("`{source}` was accepted"));
    error.message().strip_prefix("Invalid UpdateExpression: ").unwrap().to_string()
}

fn example() -> Value {
    json!({
        "pk": {"S": "k"},
        "num": {"N": "5"},
        "str": {"S": "hello"},
        "lst": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}, {"N": "3"}]},
        "mp": {"M": {"x": {"N": "1"}, "y": {"L": [{"S": "p"}, {"S": "q"}, {"M": {"w": {"N": "7"}}}]}}},
        "sset": {"SS": ["a", "b"]},
        "one": {"SS": ["a"]},
        "ls": {"L": [{"SS": ["a"]}, {"N": "1"}]},
    })
}

fn apply(source: &str) -> Result<Item, String> {
    let item = item_from_json(&example()).unwrap();
    let update = parse(source).unwrap_or_else(|error| panic!("`{source}`: {error}"));
    let updated = update.apply(Some(&item), &Item::new());
    updated.map(Option::unwrap).map_err(|error| error.message().to_string())
}

#[test]
fn syntax_errors_are_the_services() {
    for (source, token, near) in [
        ("   ", "<EOF>", "   "),
        ("INVALID SYNTAX HERE", "INVALID", "INVALID SYNTAX"),
        ("SET", "<EOF>", "SET"),
        ("SET a", "<EOF>", "a"),
        ("SET a = :s,", "<EOF>", ","),
        ("SET a = :s, ", "<EOF>", ", "),
        ("SET a = :n, SET b = :n", "SET", ", SET b"),
        ("SET a = b + c + d", "+", "c + d"),
        ("SET a = (b + c) - d", "-", ") - d"),
        ("SET a = b + + c", "+", "+ + c"),
        ("SET a = -:n", "-", "= -:n"),
        ("SET (a) = :n", "(", "SET (a"),
        ("SET a = (b.c).d + e", ".", ").d"),
        ("SET a = if_not_exists(a, :n + :n)", "+", ":n + :n"),
        ("SET a = \"abc\"", "\"", "= \"abc"),
        ("SET a = b; REMOVE c", ";", "b; REMOVE"),
        ("SET a[1.5] = :n", ".", "1.5"),
        ("SET _123 = :n", "_", "SET _123"),
        ("SET set = :n", "set", "SET set ="),
        ("SET a = b AND c", "AND", "b AND c"),
        ("ADD a", "<EOF>", "a"),
        ("ADD a = :n", "=", "a = :n"),
        ("ADD hits : incr", ":", "hits : incr"),
        ("ADD a (:n)", "(", "a (:n"),
        ("DELETE a b", "b", "a b"),
        ("REMOVE a :n", ":n", "a :n"),
        ("REMOVE a = b", "=", "a = b"),
        ("REMOVE (a)", "(", "REMOVE (a"),
    ] {
        assert_eq!(error(source), format!("Syntax error; token: \"{token}\", near: \"{near}\""), "{source}");
    }
    for source in ["SET a = ((b))", "SET a = ((b + c)) + d", "SET a = ((b)) c", "SET a = foo(((b))) c"] {
        assert_eq!(error(source), "The expression has redundant parentheses;", "{source}");
    }
    assert_eq!(error("SET b = foo(((a))"), "Syntax error; token: \"<EOF>\", near: \")\"");
    for source in ["SET a = ((:n) + (:n))", "set a=(:n)-(:n)remove b", "SET a = if_not_exists((a), (:n))"] {
        assert!(parse(source).is_ok(), "{source}");
    }
    assert_eq!(error(""), "The expression can not be empty;");
    let long = format!("SET a = {}", "b".repeat(4089));
    assert_eq!(error(&long), "Expression size has exceeded the maximum allowed size;");
}

#[test]
fn words_are_judged_before_sections_targets_and_values() {
    let section =
        |name: &str| format!("The \"{name}\" section can only be used once in an update expression;");
    for (source, message) in [
        (
            "set #no = :no set abOrt = b",
            "Attribute name is a reserved keyword; reserved keyword: abOrt".into(),
        ),
        ("SET a = foo(:no)", "Invalid function name; function: foo".into()),
        ("SET a = IF_NOT_EXISTS(a, :n)", "Invalid function name; function: IF_NOT_EXISTS".into()),
        ("SET a = size(b)", "The function is not allowed in an update expression; function: size".into()),
        (
            "SET a = list_append(b, c) - d",
            "The function is not allowed to be used this way in an expression; function: list_append".into(),
        ),
        (
            "SET a = list_append(list_append(b, c), d)",
            "The function is not allowed to be used this way in an expression; function: list_append".into(),
        ),
        ("SET a[2147483648] = b", "List index is not within the allowable range; index: [2147483648]".into()),
        ("set a = #no set c = :no", section("SET")),
        ("remove #no set a = b remove e", section("REMOVE")),
        ("add #no :no set a = b add e :no", section("ADD")),
        ("delete #no :no set a = b delete #no :no", section("DELETE")),
    ] {
        assert_eq!(error(source), message, "{source}");
    }
}

#[test]
fn targets_are_judged_from_the_last_to_the_first_and_before_values() {
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
    for (source, message) in [
        ("SET a = :n REMOVE a", overlap("[a]", "[a]")),
        ("SET a = :no, a.b = :no", overlap("[a]", "[a, b]")),
        ("set d[1] = a, d.b = a, c[1].a = a, #c = if_not_exists(a)", overlap("[c, [1], a]", "[c]")),
        ("set #c[3].#three = a, #c[3] = a", overlap("[c, [3], [3]]", "[c, [3]]")),
        ("REMOVE a, b.c, a.x, b.c.d", overlap("[b, c]", "[b, c, d]")),
        // The other path that the service names need not be the one to blame.
        ("set c.b.#c = a, c = a, #three = a", overlap("[c, b, c]", "[[3]]")),
        ("set a = b remove a, #c, #three", overlap("[a]", "[[3]]")),
        ("remove c, #c.a, #three", overlap("[c]", "[[3]]")),
        ("remove a, #c, a, #three", overlap("[a]", "[[3]]")),
        ("SET o = b, o.c = b, p4 = :no", overlap("[o]", "[p4]")),
        ("set #c[3].#three = a, #c.#three[3] = a", conflict("[c, [3], [3]]", "[c, [3], [3]]")),
        ("remove a.#c set a[1] = #three", conflict("[a, c]", "[a, [1]]")),
        ("SET a[0]=:n, a.b=:n, a[0].c=:n", conflict("[a, b]", "[a, [0], c]")),
        (
            "SET a = :n, a.b = :n REMOVE #no",
            "An expression attribute name used in the document path is not defined; attribute name: #no"
                .into(),
        ),
    ] {
        assert_eq!(error(source), message, "{source}");
    }
}

#[test]
fn values_are_judged_from_the_last_action_to_the_first() {
    let incorrect = |operator: &str, operand: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, \
             operand type: {operand}"
        )
    };
    for (source, message) in [
        (
            "SET a = :no, b = if_not_exists(a)",
            "Incorrect number of operands for operator or function; operator or function: if_not_exists, \
             number of operands: 1"
                .into(),
        ),
        (
            "SET b = if_not_exists(a), a = :no",
            "An expression attribute value used in expression is not defined; attribute value: :no".into(),
        ),
        (
            "SET a = :s + #no",
            "An expression attribute name used in the document path is not defined; attribute name: #no"
                .into(),
        ),
        (
            "SET a = if_not_exists(:n, c)",
            "Operator or function requires a document path; operator or function: if_not_exists".into(),
        ),
        (
            "SET a = if_not_exists(b, b)",
            "The first operand must be distinct from the remaining operands for this operator or function; \
             operator: if_not_exists, first operand: [b]"
                .into(),
        ),
        ("SET a = list_append(b, :ss)", incorrect("list_append", "SS")),
        ("SET a = list_append(:map, b)", incorrect("list_append", "M")),
        ("SET a = b + :s", incorrect("+", "S")),
        ("SET a = :list - :n", incorrect("-", "L")),
    ] {
        assert_eq!(error(source), message, "{source}");
    }
    for (section, value, name) in [
        ("ADD", ":s", "STRING"),
        ("ADD", ":bin", "BINARY"),
        ("ADD", ":bool", "BOOLEAN"),
        ("ADD", ":null", "NULL"),
        ("ADD", ":list", "LIST"),
        ("ADD", ":map", "MAP"),
        ("DELETE", ":n", "NUMBER"),
        ("DELETE", ":s", "STRING"),
    ] {
        let message = format!(
            "Incorrect operand type for operator or function; operator: {section}, operand type: {name}, \
             typeSet: ALLOWED_FOR_{section}_OPERAND"
        );
        assert_eq!(error(&format!("{section} a.b {value}")), message);
    }
    let sums: Vec<String> = (0..301).map(|number| format!("a{number}=b+c")).collect();
    assert_eq!(
        error(&format!("SET {}", sums.join(","))),
        "The expression contains too many operators; operator count: 301"
    );
    assert!(parse(&format!("SET {}", sums[1..].join(","))).is_ok());
    // What is no operator does not count.
    let targets: Vec<String> = (0..600).map(|number| format!("a{number}")).collect();
    assert!(parse(&format!("REMOVE {}", targets.join(","))).is_ok());
}

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    for (source, changed) in [
        ("SET num = :n", json!({"num": {"N": "1"}})),
        ("SET a = :n + :n, b = num - :n", json!({"a": {"N": "2"}, "b": {"N": "4"}})),
        // All values are those from before the update.
        ("SET num = str, str = num", json!({"num": {"S": "hello"}, "str": {"N": "5"}})),
        ("SET a = num, num = num + :n", json!({"a": {"N": "5"}, "num": {"N": "6"}})),
        ("SET a = if_not_exists(num, :n)", json!({"a": {"N": "5"}})),
        ("SET a = if_not_exists(mp.q, if_not_exists(nope, :s))", json!({"a": {"S": "x"}})),
        ("SET num = if_not_exists(nope, :n) + :n", json!({"num": {"N": "2"}})),
        (
            "SET a = list_append(:list, :list)",
            json!({"a": {"L": [{"N": "8"}, {"N": "9"}, {"N": "8"}, {"N": "9"}]}}),
        ),
        (
            "SET lst = list_append(if_not_exists(nope, :list), lst)",
            json!({"lst": {"L": [{"N": "8"}, {"N": "9"}, {"N": "0"}, {"N": "1"}, {"N": "2"}, {"N": "3"}]}}),
        ),
        ("SET lst[1] = :s", json!({"lst": {"L": [{"N": "0"}, {"S": "x"}, {"N": "2"}, {"N": "3"}]}})),
        // Elements beyond the end are appended in the order of their indexes.
        (
            "SET lst[84] = :s, lst[37] = :n, lst[50] = :bool",
            json!({"lst": {"L": [
                {"N": "0"}, {"N": "1"}, {"N": "2"}, {"N": "3"}, {"N": "1"}, {"BOOL": true}, {"S": "x"}
            ]}}),
        ),
        // Indexes count the elements from before the update.
        ("REMOVE lst[0], lst[2]", json!({"lst": {"L": [{"N": "1"}, {"N": "3"}]}})),
        ("REMOVE lst[0] SET lst[2] = :s", json!({"lst": {"L": [{"N": "1"}, {"S": "x"}, {"N": "3"}]}})),
        (
            "REMOVE lst[3], lst[0], lst[4] SET lst[9] = :s, lst[1] = :bool",
            json!({"lst": {"L": [{"BOOL": true}, {"N": "2"}, {"S": "x"}]}}),
        ),
        (
            "SET mp.x = :s, mp.z = mp.y[2].w",
            json!({"mp": {"M": {
                "x": {"S": "x"}, "z": {"N": "7"},
                "y": {"L": [{"S": "p"}, {"S": "q"}, {"M": {"w": {"N": "7"}}}]}
            }}}),
        ),
        (
            "REMOVE mp.y[2].w, mp.y[0], mp.x, mp.nope, nope, lst[9]",
            json!({"mp": {"M": {
                "y": {"L": [{"S": "q"}, {"M": {}}]}
            }}}),
        ),
        (
            "ADD num :n, a :n, mp.x :n",
            json!({"num": {"N": "6"}, "a": {"N": "1"}, "mp": {"M": {
                "x": {"N": "2"}, "y": {"L": [{"S": "p"}, {"S": "q"}, {"M": {"w": {"N": "7"}}}]}
            }}}),
        ),
        ("ADD sset :ss, a :ns", json!({"sset": {"SS": ["a", "b", "d"]}, "a": {"NS": ["1"]}})),
        (
            "ADD lst[9] :n",
            json!({"lst": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}, {"N": "3"}, {"N": "1"}]}}),
        ),
        ("DELETE sset :ss, nope :ss, mp.nope :ss", json!({"sset": {"SS": ["b"]}})),
        // A set never becomes empty: the attribute goes.
        (
            "DELETE one :ss, ls[0] :ss SET ls[9] = :s",
            json!({"one": null, "ls": {"L": [{"N": "1"}, {"S": "x"}]}}),
        ),
    ] {
        let mut expected = example();
        for (name, value) in changed.as_object().unwrap() {
            match value {
                Value::Null => expected.as_object_mut().unwrap().remove(name),
                value => expected.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        assert_eq!(apply(source), Ok(item_from_json(&expected).unwrap()), "{source}");
    }
}

#[test]
fn an_update_that_does_not_fit_the_item_is_refused() {
    for (source, message) in [
        ("SET a = nope", MISSING),
        ("SET a = str.x", MISSING),
        ("SET a = nope + :n", MISSING),
        ("SET lst = list_append(nope, :list)", MISSING),
        // The second operand must exist even where the first does.
        ("SET a = if_not_exists(num, nope)", MISSING),
        ("SET a = str + :n", TYPE),
        ("SET a = if_not_exists(str, :n) + :n", TYPE),
        ("SET lst = list_append(str, :list)", TYPE),
        ("ADD str :n", TYPE),
        ("ADD num :ss", TYPE),
        ("ADD sset :ns", TYPE),
        ("DELETE sset :ns", TYPE),
        ("DELETE mp.x :ss", TYPE),
        ("SET nope.x = :n", PATH),
        ("SET nope[0] = :n", PATH),
        ("SET str.x = :n", PATH),
        ("SET mp[0] = :n", PATH),
        ("SET lst.x = :n", PATH),
        ("SET lst[9].x = :n", PATH),
        ("SET sset[0] = :n", PATH),
        ("REMOVE mp.nope.deep", PATH),
        ("REMOVE str[0]", PATH),
        ("ADD nope.x :n", PATH),
        ("DELETE nope.x :ss", PATH),
        ("SET a = :huge + :huge", OVERFLOW),
        ("ADD num :huge", OVERFLOW),
        // Of several errors the service tells the first in its own order.
        ("SET b = nope, c = str + :n", TYPE),
        ("SET c = nope, b = str + :n", MISSING),
    ] {
        assert_eq!(apply(source), Err(message.to_string()), "{source}");
    }
}

const MISSING: &str = "The provided expression refers to an attribute that does not exist in the item";
const TYPE: &str = "An operand in the update expression has an incorrect data type";
const PATH: &str = "The document path provided in the update expression is invalid for update";
const OVERFLOW: &str =
    "Number overflow. Attempting to store a number with magnitude larger than supported range";

#[test]
fn an_item_is_made_only_where_something_is_set() {
    let key = item_from_json(&json!({"pk": {"S": "k"}})).unwrap();
    let made = |source: &str| parse(source).unwrap().apply(None, &key);
    assert_eq!(made("REMOVE a"), Ok(None));
    assert_eq!(made("REMOVE x.y, z[0]"), Ok(None));
    assert_eq!(made("DELETE a :ss"), Ok(None));
    let expected = item_from_json(&json!({"pk": {"S": "k"}, "a": {"N": "1"}})).unwrap();
    assert_eq!(made("ADD a :n REMOVE b"), Ok(Some(expected)));
    assert_eq!(made("SET a.b = :n").unwrap_err().message(), PATH);
}

#[test]
fn updated_attributes_are_nested_as_in_the_item_but_hold_only_what_was_named() {
    let item = item_from_json(&example()).unwrap();
    for (source, old, new) in [
        ("SET num = :n, a = :s", json!({"num": {"N": "5"}}), json!({"num": {"N": "1"}, "a": {"S": "x"}})),
        ("REMOVE num, nope", json!({"num": {"N": "5"}}), json!({})),
        ("SET mp.x = :s", json!({"mp": {"M": {"x": {"N": "1"}}}}), json!({"mp": {"M": {"x": {"S": "x"}}}})),
        (
            "SET mp.y[1] = :n, mp.y[2].w = :s, mp.z = :n",
            json!({"mp": {"M": {"y": {"L": [{"S": "q"}, {"M": {"w": {"N": "7"}}}]}}}}),
            json!({"mp": {"M": {"y": {"L": [{"N": "1"}, {"M": {"w": {"S": "x"}}}]}, "z": {"N": "1"}}}}),
        ),
        // An element set beyond the end lands elsewhere and is not returned.
        ("SET lst[100] = :n", json!({}), json!({})),
        // After a removal the element that moved up is.
        ("REMOVE lst[1]", json!({"lst": {"L": [{"N": "1"}]}}), json!({"lst": {"L": [{"N": "2"}]}})),
        ("REMOVE lst[1], lst[9]", json!({"lst": {"L": [{"N": "1"}]}}), json!({"lst": {"L": [{"N": "2"}]}})),
    ] {
        let update = parse(source).unwrap();
        let updated = update.apply(Some(&item), &Item::new()).unwrap().unwrap();
        assert_eq!(item_to_json(&update.updated_attributes(&item)), old, "{source}");
        assert_eq!(item_to_json(&update.updated_attributes(&updated)), new, "{source}");
    }
}

#[test]
fn key_attributes_cannot_be_updated() {
    let schema = KeySchema {
        hash: KeyAttribute { name: "pk".into(), key_type: KeyType::S },
        range: Some(KeyAttribute { name: "sk".into(), key_type: KeyType::N }),
    };
    for (source, name) in [
        ("SET a = :n, pk = :s", "pk"),
        ("REMOVE sk", "sk"),
        ("ADD sk.x :n", "sk"),
        ("SET sk = :n, pk = :s", "pk"),
        ("SET pk = :s, sk = :n", "pk"),
        ("REMOVE sk SET pk = :s", "pk"),
    ] {
        let message = format!(
            "One or more parameter values were invalid: Cannot update attribute {name}. \
             This attribute is part of the key"
        );
        assert_eq!(parse(source).unwrap().check_key_attributes(&schema).unwrap_err().message(), message);
    }
    let reads = parse("SET a = pk, b = if_not_exists(sk.x, :n)").unwrap();
    assert!(reads.check_key_attributes(&schema).is_ok());
    assert_eq!(
        reads.check_key_access(&schema).unwrap_err().message(),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: sk"
    );
}

#[test]
fn hostile_nesting_is_an_error_on_a_small_stack() {
    let sources = [
        format!("SET a = {}", "(".repeat(100_000)),
        format!("SET a = {}", "(".repeat(4000)),
        format!("SET a = {}b{}", "(".repeat(2000), ")".repeat(2000)),
        format!("SET a = {}", "f(".repeat(2000)),
        format!("REMOVE a{}", "[0]".repeat(1300)),
        format!("REMOVE {}a", "a,".repeat(2040)),
    ];
    let nested = format!("SET a = {}:n{}", "if_not_exists(b,".repeat(200), ")".repeat(200));
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(move || {
        for source in sources {
            assert!(parse(&source).is_err());
        }
        assert!(parse(&nested).unwrap().apply(None, &Item::new()).unwrap().is_some());
    });
    thread.unwrap().join().unwrap();
}

/// A value that is named many times is copied while the item has room for it, and a list that is joined many times ends
/// where no item has room for it. What else is wrong is told first.
#[test]
fn an_update_makes_no_more_than_an_item_has_room_for() {
    let list: Vec<Value> = (0..60_000).map(|_| json!({"NULL": true})).collect();
    let item = item_from_json(&json!({"l": {"L": list}, "s": {"S": "x".repeat(100_000)}})).unwrap();
    let apply = |source: &str| match parse(source) {
        Ok(update) => update.apply(Some(&item), &Item::new()),
        Err(error) => panic!("{}", error.message()),
    };
    let error = |source: &str| apply(source).unwrap_err().message().to_owned();
    let sets = |value: &str, count: usize| {
        format!("SET {}", (0..count).map(|n| format!("q{n} = {value}")).collect::<Vec<_>>().join(", "))
    };
    assert_eq!(apply(&sets("l", 2)).unwrap().unwrap().len(), 4);
    for value in ["l", "s", "list_append(l, l)", "list_append(if_not_exists(m, l), l)"] {
        assert_eq!(error(&sets(value, 60)), Update::TOO_LARGE, "{value}");
    }
    assert_eq!(
        error(&format!("{}, z = nowhere", sets("l", 200))),
        "The provided expression refers to an attribute that does not exist in the item"
    );
    // In an item that is not there, as the service sees it.
    let big = "x".repeat(500_000);
    let mut placeholders =
        Placeholders::new(None, Some(vec![(":v".to_owned(), from_json(&json!({"S": big})).unwrap())]))
            .unwrap();
    let update = Update::parse("SET a = :v", &mut placeholders).unwrap();
    assert_eq!(update.apply(None, &Item::new()).unwrap_err().message(), Update::TOO_LARGE);
}
