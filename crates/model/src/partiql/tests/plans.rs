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

    fn holds(&self, item: &[(&str, u8); 3]) -> bool {
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

/// The whole of such a statement is refused, whatever else is wrong with it.
#[test]
fn an_index_with_keys_of_several_attributes_is_not_read() {
    use crate::index::{IndexSchema, Projected};

    let attribute = |name: &&str| KeyAttribute { name: (*name).into(), key_type: KeyType::S };
    for (hash, range) in [(&["g", "h"][..], &["r"][..]), (&["g"], &["r", "s"])] {
        let index = IndexSchema {
            name: "idx".into(),
            number: 1,
            local: false,
            hash: hash.iter().map(attribute).collect(),
            range: range.iter().map(attribute).collect(),
            projection: Projected::All,
            table: schema(Some(KeyType::S)),
        };
        assert!(!has_single_keys(&index));
        let refusal = select("SELECT * FROM tbl.idx WHERE g = 'a'").plan_on_index(&index).unwrap_err();
        assert!(
            refusal.message().starts_with("PartiQL statements cannot be executed"),
            "{}",
            refusal.message()
        );
    }
    let parse = |source: &str, may_read: bool| {
        let parsed = Statement::parse_for(source, &[], |table, index| {
            assert_eq!((table, index), ("tbl", "idx"));
            may_read
        });
        parsed.err().map(|error| error.message().to_string())
    };
    let refusal = parse("SELECT COUNT(*) FROM tbl.idx", false).unwrap();
    assert!(refusal.starts_with("PartiQL statements cannot be executed"), "{refusal}");
    assert_ne!(parse("SELECT COUNT(*) FROM tbl.idx", true).unwrap(), refusal);
    assert_ne!(parse("SELECT * FROM tbl.idx WHERE", false).unwrap(), refusal);
    assert_eq!(parse("SELECT * FROM tbl.idx", true), None);
    assert_eq!(parse("SELECT * FROM tbl WHERE pk = 'a'", false), None);
}
