//! Random updates, judged by an evaluator written in the most obvious way.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What an attribute of the naive evaluator holds.
#[derive(Clone, Debug, PartialEq)]
enum Held {
    Number(i64),
    List(Vec<i64>),
    Set(BTreeSet<char>),
}

impl Held {
    fn json(&self) -> Value {
        let number = |number: &i64| json!({"N": number.to_string()});
        match self {
            Held::Number(held) => number(held),
            Held::List(held) => json!({"L": held.iter().map(number).collect::<Vec<_>>()}),
            Held::Set(held) => json!({"SS": held.iter().map(char::to_string).collect::<Vec<_>>()}),
        }
    }
}

/// A part of what SET sets: a value, another attribute, or that unless it is missing.
#[derive(Clone, Debug)]
enum Part {
    Value(Held),
    Of(&'static str),
    OfOr(&'static str, Held),
}

#[derive(Clone, Debug)]
enum Change {
    Set(Part),
    Sum(Part, bool, Part),
    Append(Part, Part),
    Remove,
    Add(Held),
    Delete(BTreeSet<char>),
}

/// An update's source, its values, and its effect by a naive reading; none where it must fail.
struct Naive {
    values: Vec<Held>,
}

impl Naive {
    fn value(&mut self, held: &Held) -> String {
        self.values.push(held.clone());
        format!(":v{}", self.values.len() - 1)
    }

    fn part(&mut self, part: &Part) -> String {
        match part {
            Part::Value(held) => self.value(held),
            Part::Of(name) => (*name).to_owned(),
            Part::OfOr(name, held) => format!("if_not_exists({name}, {})", self.value(held)),
        }
    }

    fn source(&mut self, changes: &BTreeMap<&'static str, Change>) -> String {
        let mut clauses: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, change) in changes {
            let (clause, text) = match change {
                Change::Set(part) => ("SET", format!("{name} = {}", self.part(part))),
                Change::Sum(left, plus, right) => {
                    let sign = if *plus { '+' } else { '-' };
                    ("SET", format!("{name} = {} {sign} {}", self.part(left), self.part(right)))
                }
                Change::Append(left, right) => {
                    ("SET", format!("{name} = list_append({}, {})", self.part(left), self.part(right)))
                }
                Change::Remove => ("REMOVE", (*name).to_owned()),
                Change::Add(held) => ("ADD", format!("{name} {}", self.value(held))),
                Change::Delete(held) => {
                    ("DELETE", format!("{name} {}", self.value(&Held::Set(held.clone()))))
                }
            };
            clauses.entry(clause).or_default().push(text);
        }
        let clauses: Vec<String> =
            clauses.iter().map(|(clause, actions)| format!("{clause} {}", actions.join(", "))).collect();
        clauses.join(" ")
    }

    fn effect(
        before: &BTreeMap<&'static str, Held>,
        changes: &BTreeMap<&'static str, Change>,
    ) -> Option<BTreeMap<&'static str, Held>> {
        let of = |part: &Part| match part {
            Part::Value(held) => Some(held.clone()),
            Part::Of(name) => before.get(name).cloned(),
            Part::OfOr(name, held) => Some(before.get(name).unwrap_or(held).clone()),
        };
        let mut after = before.clone();
        for (name, change) in changes {
            let made = match change {
                Change::Set(part) => Some(of(part)?),
                Change::Sum(left, plus, right) => match (of(left)?, of(right)?) {
                    (Held::Number(left), Held::Number(right)) => {
                        Some(Held::Number(if *plus { left + right } else { left - right }))
                    }
                    other => unreachable!("numbers are added, not {other:?}"),
                },
                Change::Append(left, right) => match (of(left)?, of(right)?) {
                    (Held::List(left), Held::List(right)) => Some(Held::List([left, right].concat())),
                    other => unreachable!("lists are appended, not {other:?}"),
                },
                Change::Remove => None,
                Change::Add(held) => Some(match (before.get(name), held) {
                    (None, held) => held.clone(),
                    (Some(Held::Number(one)), Held::Number(other)) => Held::Number(one + other),
                    (Some(Held::Set(one)), Held::Set(other)) => Held::Set(one | other),
                    other => unreachable!("numbers and sets grow, not {other:?}"),
                }),
                Change::Delete(held) => match before.get(name) {
                    Some(Held::Set(set)) => Some(set - held).filter(|rest| !rest.is_empty()).map(Held::Set),
                    _ => None,
                },
            };
            match made {
                Some(held) => after.insert(name, held),
                None => after.remove(name),
            };
        }
        Some(after)
    }
}

static NUMBERS: [&str; 3] = ["n0", "n1", "n2"];
static LISTS: [&str; 2] = ["l0", "l1"];
static SETS: [&str; 2] = ["s0", "s1"];

fn number() -> impl Strategy<Value = Held> {
    (-50_i64..50).prop_map(Held::Number)
}

fn list() -> impl Strategy<Value = Held> {
    prop::collection::vec(-9_i64..9, 0..3).prop_map(Held::List)
}

fn letters() -> impl Strategy<Value = BTreeSet<char>> {
    prop::collection::btree_set(prop::char::range('a', 'd'), 1..4)
}

fn part(names: &'static [&'static str], value: BoxedStrategy<Held>) -> impl Strategy<Value = Part> {
    let name = prop::sample::select(names);
    prop_oneof![
        2 => value.clone().prop_map(Part::Value),
        2 => name.clone().prop_map(Part::Of),
        1 => (name, value).prop_map(|(name, held)| Part::OfOr(name, held)),
    ]
}

fn change() -> impl Strategy<Value = (&'static str, Change)> {
    let of_number = || part(&NUMBERS, number().boxed());
    let of_list = || part(&LISTS, list().boxed());
    let on_number = prop_oneof![
        of_number().prop_map(Change::Set),
        (of_number(), any::<bool>(), of_number())
            .prop_map(|(left, plus, right)| Change::Sum(left, plus, right)),
        number().prop_map(Change::Add),
        Just(Change::Remove),
    ];
    let on_list = prop_oneof![
        of_list().prop_map(Change::Set),
        (of_list(), of_list()).prop_map(|(left, right)| Change::Append(left, right)),
        Just(Change::Remove),
    ];
    let on_set = prop_oneof![
        letters().prop_map(|held| Change::Add(Held::Set(held))),
        letters().prop_map(Change::Delete),
        Just(Change::Remove),
    ];
    prop_oneof![
        (prop::sample::select(&NUMBERS[..]), on_number),
        (prop::sample::select(&LISTS[..]), on_list),
        (prop::sample::select(&SETS[..]), on_set),
    ]
}

fn held_before() -> impl Strategy<Value = BTreeMap<&'static str, Held>> {
    let numbers = prop::collection::btree_map(prop::sample::select(&NUMBERS[..]), number(), 0..3);
    let lists = prop::collection::btree_map(prop::sample::select(&LISTS[..]), list(), 0..2);
    let sets =
        prop::collection::btree_map(prop::sample::select(&SETS[..]), letters().prop_map(Held::Set), 0..2);
    (numbers, lists, sets)
        .prop_map(|(numbers, lists, sets)| numbers.into_iter().chain(lists).chain(sets).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever an update does to several attributes, it does it from the item as it was, as a naive evaluator; it
    /// fails where that misses an attribute.
    #[test]
    fn updates_agree_with_a_naive_evaluator(
        before in held_before(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let changes: BTreeMap<&'static str, Change> = changes.into_iter().collect();
        let mut naive = Naive { values: Vec::new() };
        let source = naive.source(&changes);
        let values = naive.values.iter().enumerate();
        let values: Vec<_> =
            values.map(|(at, held)| (format!(":v{at}"), from_json(&held.json()).unwrap())).collect();
        // An update without values has no such parameter: an empty one is refused.
        let values = Some(values).filter(|values| !values.is_empty());
        let mut placeholders = Placeholders::new(None, values).unwrap();
        let update = Update::parse(&source, &mut placeholders).unwrap();
        let json = |held: &BTreeMap<&'static str, Held>| {
            Value::Object(held.iter().map(|(name, held)| ((*name).to_owned(), held.json())).collect())
        };
        let item = item_from_json(&json(&before)).unwrap();
        match (update.apply(Some(&item), &Item::new()), Naive::effect(&before, &changes)) {
            (Ok(updated), Some(expected)) => {
                prop_assert_eq!(item_to_json(&updated.unwrap()), json(&expected), "{}", source);
            }
            (Err(error), None) => prop_assert!(error.message().contains("does not exist in the item"), "{}", source),
            (outcome, expected) => prop_assert!(false, "{source}: {outcome:?}, not {expected:?}"),
        }
    }

    /// Setting and removing elements of one list is the same as doing it on an
    /// array of optional elements whose places stay until the end.
    #[test]
    fn list_updates_agree_with_a_model(
        length in 0usize..40,
        sets in prop::collection::btree_set(0usize..45, 0..6),
        removals in prop::collection::btree_set(0usize..45, 0..6),
    ) {
        let removals: Vec<usize> = removals.difference(&sets).copied().collect();
        prop_assume!(!sets.is_empty() || !removals.is_empty());
        let list = |indexes: Vec<usize>| indexes.iter().map(|index| format!("l[{index}]")).collect::<Vec<_>>();
        let mut source = String::new();
        if !sets.is_empty() {
            let actions: Vec<String> = sets.iter().map(|index| format!("l[{index}] = :s")).collect();
            source.push_str(&format!("SET {} ", actions.join(", ")));
        }
        if !removals.is_empty() {
            source.push_str(&format!("REMOVE {}", list(removals.clone()).join(", ")));
        }

        let mut places: Vec<Option<Value>> =
            (0..length).map(|index| Some(json!({"N": index.to_string()}))).collect();
        for index in &sets {
            match places.get_mut(*index).filter(|_| *index < length) {
                Some(place) => *place = Some(json!({"S": "x"})),
                None => places.push(Some(json!({"S": "x"}))),
            }
        }
        for index in removals.iter().filter(|index| **index < length) {
            places[*index] = None;
        }
        let expected: Vec<Value> = places.into_iter().flatten().collect();

        let elements: Vec<Value> = (0..length).map(|index| json!({"N": index.to_string()})).collect();
        let item = item_from_json(&json!({"l": {"L": elements}})).unwrap();
        let updated = parse(&source).unwrap().apply(Some(&item), &Item::new()).unwrap().unwrap();
        prop_assert_eq!(item_to_json(&updated), json!({"l": {"L": expected}}));
    }

    /// No input panics, and every error is one of the parameter's.
    #[test]
    fn any_source_is_parsed_or_refused(
        source in "(SET |REMOVE |ADD |DELETE |[ab#:.,()=+\\-\\[\\]0-9 ]|if_not_exists\\(|:n|:ss|\u{e9}){1,40}",
    ) {
        match parse(&source) {
            Err(error) => prop_assert!(error.message().starts_with("Invalid UpdateExpression: ")),
            Ok(update) => {
                let _ = update.apply(Some(&item_from_json(&example()).unwrap()), &Item::new());
            }
        }
    }
}
