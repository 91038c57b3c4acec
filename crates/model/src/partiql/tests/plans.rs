//! Which parts of a table a SELECT reads.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::key::{contains, item_key, sort_range};

fn plan(condition: &str) -> Result<Plan, String> {
    let select = select(&format!("SELECT * FROM tbl WHERE {condition}"));
    select.plan(&schema(Some(KeyType::S))).map_err(|error| error.message().to_string())
}

/// The sections in short: how many, and how many of them are single items.
fn shape(condition: &str) -> Option<(usize, usize)> {
    let sections = plan(condition).unwrap().sections?;
    let points = sections.iter().filter(|section| section.point.is_some()).count();
    Some((sections.len(), points))
}

#[test]
fn keys_make_reads_and_anything_else_a_scan() {
    for (condition, expected) in [
        ("pk = 'a' AND sk = '1'", Some((1, 1))),
        ("pk = 'a'", Some((1, 0))),
        ("pk = 'a' AND q = 1", Some((1, 0))),
        ("pk IN ['a', 'b']", Some((2, 0))),
        ("pk IN ['a', 'a']", Some((1, 0))),
        ("pk IN ['a', 'b'] AND sk IN ['1', '2']", Some((4, 4))),
        ("pk = 'a' AND (sk = '1' OR sk = '3')", Some((2, 2))),
        ("pk = 'a' OR pk = 'b' AND sk = '1'", Some((2, 1))),
        ("pk = 'a' AND sk > '1' AND sk < '3'", Some((1, 0))),
        ("pk = 'a' AND sk = '1' AND sk = '2'", Some((0, 0))),
        ("pk = 'a' AND NOT sk = '1' OR pk = 'a' AND sk = '2'", Some((1, 0))),
        ("pk = 'a' OR pk = 'a' AND NOT sk = '1'", Some((1, 0))),
        ("pk = 'a' AND x = 1 OR pk = 'a' AND y = 2", Some((1, 0))),
        ("q = 1", None),
        ("pk <> 'a'", None),
        ("pk > 'a'", None),
        ("NOT pk = 'a'", None),
        ("pk = 'a' OR q = 1", None),
    ] {
        assert_eq!(shape(condition), expected, "{condition}");
    }
    let overlapping = "Overlapping conditions with range keys are not supported in where clause";
    for condition in
        ["pk = 'a' AND x = '1' OR pk = 'a' AND sk = '2'", "pk = 'a' AND sk > '1' OR pk = 'a' AND sk > '3'"]
    {
        assert_eq!(plan(condition).unwrap_err(), overlapping, "{condition}");
    }
    let many: Vec<String> = (0..51).map(|n| format!("'{n}'")).collect();
    assert_eq!(
        plan(&format!("pk IN [{}]", many.join(","))).unwrap_err(),
        "Too many decomposed read operations for a given query."
    );
    assert_eq!(shape(&format!("pk IN ['a', 'b'] AND sk IN [{}]", many.join(","))), Some((2, 0)));
    assert_eq!(
        plan("pk = 1").unwrap_err(),
        "Key attribute's data type should match its data type in table's schema: Key pk"
    );
}

#[test]
fn order_by_takes_keys_only() {
    let is_descending = |condition: &str| plan(condition).map(|plan| plan.descending);
    assert_eq!(is_descending("pk = 'a' ORDER BY sk"), Ok(false));
    assert_eq!(is_descending("pk = 'a' ORDER BY sk DESC"), Ok(true));
    assert_eq!(is_descending("pk = 'a' ORDER BY pk, sk DESC"), Ok(true));
    assert_eq!(
        is_descending("pk = 'a' ORDER BY q").unwrap_err(),
        "Variable reference q in ORDER BY clause must be part of the primary key"
    );
    assert_eq!(
        is_descending("q = 1 ORDER BY sk").unwrap_err(),
        "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
    );
    assert_eq!(
        is_descending("pk IN ['a', 'b'] ORDER BY sk").unwrap_err(),
        "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause."
    );
    let sections = |condition: &str| plan(condition).unwrap().sections.unwrap();
    let of = |hash: &str| sort_range(&crate::key::KeyValue::S(hash.into()), None).unwrap();
    let ranges: Vec<_> =
        sections("pk IN ['a', 'c', 'b'] ORDER BY pk DESC").into_iter().map(|s| s.range).collect();
    assert_eq!(ranges, [of("c"), of("b"), of("a")]);
    let listed: Vec<_> = sections("pk IN ['c', 'a']").into_iter().map(|s| s.range).collect();
    assert_eq!(listed, [of("c"), of("a")]);
}

/// A condition on keys and one other attribute, as text, with a naive reading of it.
#[derive(Clone, Debug)]
enum Naive {
    Compare(&'static str, &'static str, u8),
    Between(&'static str, u8, u8),
    In(&'static str, Vec<u8>),
    And(Box<Naive>, Box<Naive>),
    Or(Box<Naive>, Box<Naive>),
    Not(Box<Naive>),
}

impl Naive {
    fn text(&self) -> String {
        match self {
            Naive::Compare(name, operator, value) => format!("{name} {operator} '{value}'"),
            Naive::Between(name, low, high) => format!("{name} BETWEEN '{low}' AND '{high}'"),
            Naive::In(name, values) => {
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                format!("{name} IN [{}]", values.join(", "))
            }
            Naive::And(left, right) => format!("({}) AND ({})", left.text(), right.text()),
            Naive::Or(left, right) => format!("{} OR {}", left.text(), right.text()),
            Naive::Not(inner) => format!("NOT ({})", inner.text()),
        }
    }

    fn holds(&self, item: &[(&str, u8)]) -> bool {
        let value = |name: &str| item.iter().find(|(other, _)| *other == name).unwrap().1;
        match self {
            Naive::Compare(name, operator, other) => match *operator {
                "=" => value(name) == *other,
                "<>" => value(name) != *other,
                "<" => value(name) < *other,
                ">=" => value(name) >= *other,
                _ => unreachable!("no such operator is made"),
            },
            Naive::Between(name, low, high) => (*low..=*high).contains(&value(name)),
            Naive::In(name, values) => values.contains(&value(name)),
            Naive::And(left, right) => left.holds(item) && right.holds(item),
            Naive::Or(left, right) => left.holds(item) || right.holds(item),
            Naive::Not(inner) => !inner.holds(item),
        }
    }
}

fn naive() -> impl Strategy<Value = Naive> {
    let name = || prop_oneof![3 => Just("pk"), 2 => Just("sk"), 1 => Just("q")];
    let leaf = prop_oneof![
        4 => (name(), prop_oneof![3 => Just("="), 1 => Just("<>"), 1 => Just("<"), 1 => Just(">=")], 0..4_u8)
            .prop_map(|(name, operator, value)| Naive::Compare(name, operator, value)),
        1 => (name(), 0..4_u8, 0..4_u8)
            .prop_map(|(name, one, two)| Naive::Between(name, one.min(two), one.max(two))),
        1 => (name(), vec(0..4_u8, 1..3)).prop_map(|(name, values)| Naive::In(name, values)),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(l, r)| Naive::And(Box::new(l), Box::new(r))),
            2 => (inner.clone(), inner.clone()).prop_map(|(l, r)| Naive::Or(Box::new(l), Box::new(r))),
            1 => inner.prop_map(|inner| Naive::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Every item that meets the condition lies in exactly one section, and the
    /// condition says of each item what a naive reading of its text says.
    #[test]
    fn a_plan_reads_all_that_matches_and_nothing_twice(condition in naive()) {
        let select = select(&format!("SELECT * FROM tbl WHERE {}", condition.text()));
        let schema = schema(Some(KeyType::S));
        let plan = match select.plan(&schema) {
            Ok(plan) => plan,
            Err(error) => {
                prop_assert!(error.message().starts_with("Overlapping conditions"), "{}", error.message());
                return Ok(());
            }
        };
        let filter = select.condition.as_ref().unwrap();
        for number in 0..64_u8 {
            let values = [("pk", number % 4), ("sk", number / 4 % 4), ("q", number / 16)];
            let item: Item =
                values.iter().map(|(name, value)| (name.to_string(), AttributeValue::S(value.to_string()))).collect();
            prop_assert_eq!(filter.matches(&item), condition.holds(&values));
            let row = item_key(&schema.key_of_item(&item).unwrap());
            if let Some(sections) = &plan.sections {
                let count = sections.iter().filter(|section| contains(&section.range, &row)).count();
                prop_assert!(count <= 1);
                prop_assert!(count == 1 || !condition.holds(&values));
                for section in sections.iter().filter(|section| section.point.is_some()) {
                    prop_assert_eq!(contains(&section.range, &row), section.point.as_ref() == Some(&row));
                }
            }
        }
    }
}

fn wide_naive() -> impl Strategy<Value = Naive> {
    let name = || prop_oneof![3 => Just("g"), 3 => Just("h"), 2 => Just("r"), 2 => Just("s")];
    let leaf = prop_oneof![
        5 => (name(), prop_oneof![5 => Just("="), 1 => Just("<"), 1 => Just(">=")], 0..3_u8)
            .prop_map(|(name, operator, value)| Naive::Compare(name, operator, value)),
        1 => (name(), 0..3_u8, 0..3_u8)
            .prop_map(|(name, one, two)| Naive::Between(name, one.min(two), one.max(two))),
        2 => (name(), vec(0..3_u8, 1..3)).prop_map(|(name, values)| Naive::In(name, values)),
    ];
    let all = vec(leaf.clone(), 3..6).prop_map(|leaves| {
        leaves.into_iter().reduce(|left, right| Naive::And(Box::new(left), Box::new(right))).unwrap()
    });
    prop_oneof![
        3 => all.clone(),
        1 => (all.clone(), all).prop_map(|(left, right)| Naive::Or(Box::new(left), Box::new(right))),
        1 => leaf,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The same of an index whose keys have two attributes each.
    #[test]
    fn a_plan_of_a_wide_index_reads_all_that_matches_and_nothing_twice(condition in wide_naive()) {
        let index = wide_index();
        let select = select(&format!("SELECT * FROM tbl.idx WHERE {}", condition.text()));
        let plan = select.plan_on_index(&index).unwrap();
        let filter = select.condition.as_ref().unwrap();
        for number in 0..81_u8 {
            let values = [("g", number % 3), ("h", number / 3 % 3), ("r", number / 9 % 3), ("s", number / 27)];
            let mut entry: Item =
                values.iter().map(|(name, value)| (name.to_string(), AttributeValue::S(value.to_string()))).collect();
            entry.extend(["pk", "sk"].map(|name| (name.to_string(), AttributeValue::S("x".into()))));
            prop_assert_eq!(filter.matches(&entry), condition.holds(&values));
            let row = index.row(&entry).unwrap();
            if let Some(sections) = &plan.sections {
                let count = sections.iter().filter(|section| contains(&section.range, &row)).count();
                prop_assert!(count <= 1);
                prop_assert!(count == 1 || !condition.holds(&values));
            }
        }
    }
}

#[test]
fn an_index_is_read_by_its_own_keys() {
    use crate::index::{IndexSchema, Projected};

    let attribute = |name: &str| KeyAttribute { name: name.into(), key_type: KeyType::S };
    let index = |hash: &[&str]| IndexSchema {
        name: "idx".into(),
        number: 1,
        local: false,
        hash: hash.iter().map(|name| attribute(name)).collect(),
        range: vec![attribute("r")],
        projection: Projected::All,
        table: schema(Some(KeyType::S)),
    };
    let plan = |condition: &str, index: &IndexSchema| {
        let plan = select(&format!("SELECT * FROM tbl.idx WHERE {condition}")).plan_on_index(index).unwrap();
        let sections = plan.sections.map(|sections| {
            // More than one item may have the same keys in an index.
            assert!(sections.iter().all(|section| section.point.is_none()));
            sections.len()
        });
        (sections, plan.is_keyed)
    };
    let one = index(&["g"]);
    assert_eq!(plan("g = 'a'", &one), (Some(1), true));
    assert_eq!(plan("g = 'a' AND r = 'b'", &one), (Some(1), true));
    assert_eq!(plan("g IN ['a', 'b'] AND r > 'c'", &one), (Some(2), true));
    assert_eq!(plan("g = 'a' OR g = 'b'", &one), (Some(2), false));
    assert_eq!(plan("pk = 'a' AND sk = 'b'", &one), (None, false));
}

fn wide_index() -> crate::index::IndexSchema {
    let attribute = |name: &&str| KeyAttribute { name: (*name).into(), key_type: KeyType::S };
    crate::index::IndexSchema {
        name: "idx".into(),
        number: 1,
        local: false,
        hash: ["g", "h"].iter().map(attribute).collect(),
        range: ["r", "s"].iter().map(attribute).collect(),
        projection: crate::index::Projected::All,
        table: schema(Some(KeyType::S)),
    }
}

fn wide_plan(condition: &str) -> Result<Plan, String> {
    let select = select(&format!("SELECT * FROM tbl.idx WHERE {condition}"));
    select.plan_on_index(&wide_index()).map_err(|error| error.message().to_string())
}

/// Conditions on all attributes of a partition key make reads of partitions; those on the sort key's narrow them from
/// the left.
#[test]
fn an_index_with_keys_of_several_attributes_is_queried() {
    use crate::key::SortCondition::{Equal, Greater};

    let index = wide_index();
    let key = |name: &str| crate::key::KeyValue::S(name.into());
    let range = |equal: &[&str], sort: Option<crate::key::SortCondition>| {
        let equal = equal.iter().map(|value| key(value)).collect();
        let condition = crate::index::IndexCondition { hash: vec![key("a"), key("b")], equal, sort };
        index.query_range(&condition).unwrap()
    };
    let ranges = |condition: &str| -> Option<Vec<_>> {
        Some(wide_plan(condition).unwrap().sections?.into_iter().map(|section| section.range).collect())
    };
    for (condition, expected) in [
        ("g = 'a' AND h = 'b'", vec![range(&[], None)]),
        ("h = 'b' AND r = 'c' AND g = 'a'", vec![range(&[], Some(Equal(key("c"))))]),
        ("g = 'a' AND h = 'b' AND r = 'c' AND s > 'd'", vec![range(&["c"], Some(Greater(key("d"))))]),
        (
            "g = 'a' AND h = 'b' AND s > 'd' AND r IN ['e', 'c']",
            vec![range(&["c"], Some(Greater(key("d")))), range(&["e"], Some(Greater(key("d"))))],
        ),
        // What the sort key's first attribute does not fix, the second cannot narrow: the filter does.
        ("g = 'a' AND h = 'b' AND s > 'd'", vec![range(&[], None)]),
        ("g = 'a' AND h = 'b' AND r > 'c' AND s = 'd'", vec![range(&[], Some(Greater(key("c"))))]),
        ("g = 'a' AND h = 'b' AND r = 'c' AND r = 'd'", vec![]),
    ] {
        assert_eq!(ranges(condition), Some(expected), "{condition}");
    }
    for condition in
        ["g = 'a'", "h = 'b' AND r = 'c'", "g = 'a' AND h > 'b'", "g = 'a' AND h = 'b' OR g = 'c'"]
    {
        assert_eq!(ranges(condition), None, "{condition}");
    }
    let count =
        |condition: &str| wide_plan(condition).map(|plan| plan.sections.map(|sections| sections.len()));
    assert_eq!(count("g IN ['a', 'b'] AND h IN ['c', 'd', 'c']"), Ok(Some(4)));
    assert_eq!(count("(g = 'a' AND h = 'b') OR (g = 'c' AND h = 'd' AND r = 'e')"), Ok(Some(2)));
    let many: Vec<String> = (0..8).map(|n| format!("'{n}'")).collect();
    assert_eq!(
        count(&format!("g IN [{0}] AND h IN [{0}]", many.join(","))),
        Err("Too many decomposed read operations for a given query.".into())
    );
    assert_eq!(
        count("g = 'a' AND h = 1"),
        Err("Key attribute's data type should match its data type in table's schema: Key h".into())
    );
}

#[test]
fn an_index_with_keys_of_several_attributes_is_ordered_as_it_lies() {
    let is_descending = |condition: &str| wide_plan(condition).map(|plan| plan.descending);
    assert_eq!(is_descending("g = 'a' AND h = 'b' ORDER BY r DESC"), Ok(true));
    assert_eq!(is_descending("g = 'a' AND h = 'b' ORDER BY r DESC, s DESC"), Ok(true));
    assert_eq!(is_descending("g = 'a' AND h = 'b' AND r = 'c' ORDER BY s DESC"), Ok(true));
    for order in ["s", "r, s DESC"] {
        let refusal = is_descending(&format!("g = 'a' AND h = 'b' ORDER BY {order}")).unwrap_err();
        assert!(refusal.starts_with("ORDER BY clause must have the sort key attributes"), "{refusal}");
    }
    let hashes = |order: &str| -> Vec<String> {
        let plan = wide_plan(&format!("g IN ['a', 'b'] AND h IN ['c', 'd'] ORDER BY {order}")).unwrap();
        // The entry of an item that has nothing but keys begins with its section.
        let mut found = Vec::new();
        for section in plan.sections.unwrap() {
            for pair in ["ac", "ad", "bc", "bd"] {
                let entry =
                    ["g", "h", "r", "s", "pk", "sk"].iter().zip([&pair[..1], &pair[1..], "x", "x", "x", "x"]);
                let entry: Item = entry
                    .map(|(name, value)| ((*name).to_string(), AttributeValue::S(value.into())))
                    .collect();
                if contains(&section.range, &wide_index().row(&entry).unwrap()) {
                    found.push(pair.to_owned());
                }
            }
        }
        found
    };
    assert_eq!(hashes("g, h DESC"), ["ad", "ac", "bd", "bc"]);
    assert_eq!(hashes("h, g"), ["ac", "bc", "ad", "bd"]);
}
