//! Random conditions, judged by an evaluator written in the most obvious way.

use proptest::prelude::*;

use super::*;

/// A condition as a tree of boxes, evaluated in the most obvious way.
#[derive(Clone, Debug)]
enum Naive {
    And(Box<Naive>, Box<Naive>),
    Or(Box<Naive>, Box<Naive>),
    Not(Box<Naive>),
    Compare(&'static str, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(String),
    Contains(Operand, Operand),
}

#[derive(Clone, Debug)]
enum Operand {
    Name(String),
    Value(usize),
    Size(String),
}

/// The operands that stand for values, by their position in the key `:vN`.
const NAIVE_VALUES: [&str; 4] = ["1", "2", "x", "xy"];

fn naive_value(index: usize) -> AttributeValue {
    if index < 2 { n(NAIVE_VALUES[index]) } else { s(NAIVE_VALUES[index]) }
}

impl Operand {
    fn source(&self) -> String {
        match self {
            Operand::Name(name) => name.clone(),
            Operand::Value(index) => format!(":v{index}"),
            Operand::Size(name) => format!("size({name})"),
        }
    }

    fn value(&self, item: &BTreeMap<String, AttributeValue>) -> Option<AttributeValue> {
        match self {
            Operand::Name(name) => item.get(name).cloned(),
            Operand::Value(index) => Some(naive_value(*index)),
            Operand::Size(name) => match item.get(name)? {
                AttributeValue::S(text) => Some(n(&text.chars().count().to_string())),
                AttributeValue::L(elements) => Some(n(&elements.len().to_string())),
                _ => None,
            },
        }
    }
}

impl Naive {
    fn source(&self) -> String {
        match self {
            Naive::And(left, right) => format!("({}) AND ({})", left.source(), right.source()),
            Naive::Or(left, right) => format!("({}) OR ({})", left.source(), right.source()),
            Naive::Not(inner) => format!("NOT ({})", inner.source()),
            Naive::Compare(symbol, left, right) => format!("{}{symbol}{}", left.source(), right.source()),
            Naive::Between(value, lower, upper) => {
                format!("{} BETWEEN {} AND {}", value.source(), lower.source(), upper.source())
            }
            Naive::In(value, options) => {
                let options: Vec<_> = options.iter().map(Operand::source).collect();
                format!("{} IN ({})", value.source(), options.join(", "))
            }
            Naive::Exists(name) => format!("attribute_exists({name})"),
            Naive::Contains(value, part) => format!("contains({}, {})", value.source(), part.source()),
        }
    }

    fn holds(&self, item: &Item) -> bool {
        match self {
            Naive::And(left, right) => left.holds(item) && right.holds(item),
            Naive::Or(left, right) => left.holds(item) || right.holds(item),
            Naive::Not(inner) => !inner.holds(item),
            Naive::Compare(symbol, left, right) => {
                let (left, right) = (left.value(item), right.value(item));
                let sign = naive_order(left.as_ref(), right.as_ref());
                match *symbol {
                    "=" => left.is_some() && left == right,
                    "<>" => left.is_none() || left != right,
                    "<" => sign == Some(-1),
                    "<=" => matches!(sign, Some(-1 | 0)),
                    ">" => sign == Some(1),
                    _ => matches!(sign, Some(0 | 1)),
                }
            }
            Naive::Between(value, lower, upper) => {
                let value = value.value(item);
                matches!(naive_order(value.as_ref(), lower.value(item).as_ref()), Some(0 | 1))
                    && matches!(naive_order(value.as_ref(), upper.value(item).as_ref()), Some(-1 | 0))
            }
            Naive::In(value, options) => {
                let value = value.value(item);
                value.is_some() && options.iter().any(|option| option.value(item) == value)
            }
            Naive::Exists(name) => item.contains_key(name),
            Naive::Contains(value, part) => match (value.value(item), part.value(item)) {
                (Some(AttributeValue::S(value)), Some(AttributeValue::S(part))) => value.contains(&part),
                (Some(AttributeValue::L(value)), Some(part)) => value.contains(&part),
                _ => false,
            },
        }
    }
}

fn naive_order(left: Option<&AttributeValue>, right: Option<&AttributeValue>) -> Option<i8> {
    let ordering = match (left?, right?) {
        (AttributeValue::N(left), AttributeValue::N(right)) => {
            left.to_string().parse::<f64>().ok()?.total_cmp(&right.to_string().parse().ok()?)
        }
        (AttributeValue::S(left), AttributeValue::S(right)) => left.as_bytes().cmp(right.as_bytes()),
        _ => return None,
    };
    Some(ordering as i8)
}

fn operand() -> impl Strategy<Value = Operand> {
    let name = prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(String::from);
    prop_oneof![
        name.clone().prop_map(Operand::Name),
        (0..NAIVE_VALUES.len()).prop_map(Operand::Value),
        name.prop_map(Operand::Size),
    ]
}

fn condition() -> impl Strategy<Value = Naive> {
    let symbol = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (symbol, operand(), operand()).prop_map(|(symbol, left, right)| Naive::Compare(symbol, left, right)),
        (operand(), operand(), operand())
            .prop_map(|(value, lower, upper)| Naive::Between(value, lower, upper)),
        (operand(), prop::collection::vec(operand(), 1..4))
            .prop_map(|(value, options)| Naive::In(value, options)),
        prop::sample::select(vec!["a", "b", "e"]).prop_map(|name| Naive::Exists(name.into())),
        (operand(), operand()).prop_map(|(value, part)| Naive::Contains(value, part)),
    ];
    leaf.prop_recursive(5, 40, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| Naive::And(Box::new(left), Box::new(right))),
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| Naive::Or(Box::new(left), Box::new(right))),
            inner.prop_map(|inner| Naive::Not(Box::new(inner))),
        ]
    })
}

fn item() -> impl Strategy<Value = Item> {
    let scalar = (0..NAIVE_VALUES.len()).prop_map(naive_value);
    let value = prop_oneof![
        scalar.clone(),
        prop::collection::vec(scalar, 0..3).prop_map(AttributeValue::L),
        Just(AttributeValue::Bool(true)),
    ];
    prop::collection::btree_map("[a-d]", value, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is accepted gives the naive evaluator's answer. Refused are
    /// only operands that must differ and bounds that are the wrong way round.
    #[test]
    fn conditions_agree_with_a_naive_evaluator(condition in condition(), item in item()) {
        let values = (0..NAIVE_VALUES.len()).map(|index| (format!(":v{index}"), naive_value(index)));
        let mut placeholders = Placeholders::new(None, Some(values.collect())).unwrap();
        match Condition::parse(ExpressionKind::Filter, &condition.source(), &mut placeholders) {
            Ok(parsed) => prop_assert_eq!(parsed.matches(&item), condition.holds(&item)),
            Err(error) => {
                let message = error.message();
                prop_assert!(
                    message.contains("must be distinct") || message.contains("The BETWEEN operator"),
                    "{}", message
                );
            }
        }
    }

    /// No input panics, and every error is one of the parameter's.
    #[test]
    fn any_source_is_parsed_or_refused(
        source in "([ab#:.,()=<>\\[\\]0-9 ]|AND |OR |NOT |IN |BETWEEN |size\\(|contains\\(|\u{e9}){1,40}",
    ) {
        if let Err(error) = parse(&source) {
            prop_assert!(error.message().starts_with("Invalid FilterExpression: "));
        }
    }
}
