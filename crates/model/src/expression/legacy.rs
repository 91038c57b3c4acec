//! The parameters from before expressions: comparisons of top-level attributes
//! with values, as `Expected`, `QueryFilter`, `ScanFilter` and `KeyConditions`
//! hold them.

use std::cmp::Ordering;

use super::ExpressionError;
use super::operators::{Comparator, begins_with, contains, order};
use crate::attribute::{AttributeValue, Item};

/// `ComparisonOperator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the service's")]
pub enum ComparisonOperator {
    Eq,
    Ne,
    In,
    Le,
    Lt,
    Ge,
    Gt,
    Between,
    NotNull,
    Null,
    Contains,
    NotContains,
    BeginsWith,
}

/// A `Condition` of a filter or of key conditions: one attribute, compared.
#[derive(Clone)]
pub struct AttributeComparison {
    /// The attribute's name.
    pub name: String,
    /// How it is compared.
    pub operator: ComparisonOperator,
    /// `AttributeValueList`; empty where it is absent.
    pub values: Vec<AttributeValue>,
}

/// An `ExpectedAttributeValue`.
#[derive(Clone)]
pub struct Expectation {
    /// The attribute's name.
    pub name: String,
    /// `Value`, if present.
    pub value: Option<AttributeValue>,
    /// `Exists`, if present.
    pub exists: Option<bool>,
    /// `ComparisonOperator`, if present.
    pub operator: Option<ComparisonOperator>,
    /// `AttributeValueList`, if present.
    pub values: Option<Vec<AttributeValue>>,
}

/// `ConditionalOperator`: whether all comparisons must be true, or one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConditionalOperator {
    /// All, as without the parameter.
    #[default]
    And,
    /// At least one.
    Or,
}

/// Refuses a `ConditionalOperator` beside fewer than two comparisons.
pub fn check_conditional_operator(comparisons: usize) -> Result<(), ExpressionError> {
    match comparisons {
        0 => Err(ExpressionError::new("ConditionalOperator cannot be used without Filter or Expected")),
        1 => Err(ExpressionError::new(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        )),
        _ => Ok(()),
    }
}

impl ComparisonOperator {
    /// The operator of this name, such as `NOT_NULL`.
    pub fn from_name(name: &str) -> Option<ComparisonOperator> {
        let all = [
            ComparisonOperator::Eq,
            ComparisonOperator::Ne,
            ComparisonOperator::In,
            ComparisonOperator::Le,
            ComparisonOperator::Lt,
            ComparisonOperator::Ge,
            ComparisonOperator::Gt,
            ComparisonOperator::Between,
            ComparisonOperator::NotNull,
            ComparisonOperator::Null,
            ComparisonOperator::Contains,
            ComparisonOperator::NotContains,
            ComparisonOperator::BeginsWith,
        ];
        all.into_iter().find(|operator| operator.name() == name)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            ComparisonOperator::Eq => "EQ",
            ComparisonOperator::Ne => "NE",
            ComparisonOperator::In => "IN",
            ComparisonOperator::Le => "LE",
            ComparisonOperator::Lt => "LT",
            ComparisonOperator::Ge => "GE",
            ComparisonOperator::Gt => "GT",
            ComparisonOperator::Between => "BETWEEN",
            ComparisonOperator::NotNull => "NOT_NULL",
            ComparisonOperator::Null => "NULL",
            ComparisonOperator::Contains => "CONTAINS",
            ComparisonOperator::NotContains => "NOT_CONTAINS",
            ComparisonOperator::BeginsWith => "BEGINS_WITH",
        }
    }

    pub(super) fn comparator(self) -> Option<Comparator> {
        Some(match self {
            ComparisonOperator::Eq => Comparator::Equal,
            ComparisonOperator::Ne => Comparator::NotEqual,
            ComparisonOperator::Le => Comparator::LessOrEqual,
            ComparisonOperator::Lt => Comparator::Less,
            ComparisonOperator::Ge => Comparator::GreaterOrEqual,
            ComparisonOperator::Gt => Comparator::Greater,
            _ => return None,
        })
    }

    fn takes(self, count: usize) -> bool {
        match self {
            ComparisonOperator::Null | ComparisonOperator::NotNull => count == 0,
            ComparisonOperator::Between => count == 2,
            ComparisonOperator::In => count > 0,
            _ => count == 1,
        }
    }

    fn takes_type(self, type_name: &str) -> bool {
        match self {
            ComparisonOperator::Eq
            | ComparisonOperator::Ne
            | ComparisonOperator::Null
            | ComparisonOperator::NotNull => true,
            ComparisonOperator::BeginsWith => matches!(type_name, "S" | "B"),
            ComparisonOperator::Contains | ComparisonOperator::NotContains => {
                matches!(type_name, "S" | "N" | "B" | "BOOL" | "NULL")
            }
            _ => matches!(type_name, "S" | "N" | "B"),
        }
    }
}

impl AttributeComparison {
    /// Refuses values that the operator does not take.
    pub(super) fn check(&self) -> Result<(), ExpressionError> {
        let operator = self.operator;
        if !operator.takes(self.values.len()) {
            return Err(invalid(format!(
                "Invalid number of argument(s) for the {} ComparisonOperator",
                operator.name()
            )));
        }
        let mut types = self.values.iter().map(AttributeValue::type_name);
        let Some(first) = types.next() else {
            return Ok(());
        };
        if types.any(|other| other != first) {
            return Err(invalid("AttributeValues inside AttributeValueList must be of same type"));
        }
        if !operator.takes_type(first) {
            return Err(invalid(format!(
                "ComparisonOperator {} is not valid for {first} AttributeValue type",
                operator.name()
            )));
        }
        match (operator, &self.values[..]) {
            (ComparisonOperator::Between, [lower, upper])
                if order(lower, upper) == Some(Ordering::Greater) =>
            {
                Err(ExpressionError::new(
                    "The BETWEEN condition was provided a range where the lower bound is greater than the \
                     upper bound",
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Expectation {
    /// The comparison that is expected to hold.
    fn into_comparison(self) -> Result<AttributeComparison, ExpressionError> {
        let name = self.name;
        let of_attribute = |text: &str| Err(invalid(format!("{text} for Attribute: {name}")));
        if self.value.is_some() && self.values.is_some() {
            return of_attribute("Value and AttributeValueList cannot be used together");
        }
        let has_values = self.value.is_some() || self.values.is_some();
        let Some(operator) = self.operator else {
            if self.values.is_some() {
                return of_attribute("AttributeValueList can only be used with a ComparisonOperator");
            }
            return match (self.exists, self.value) {
                (Some(false), None) => {
                    Ok(AttributeComparison { name, operator: ComparisonOperator::Null, values: Vec::new() })
                }
                (Some(false), Some(_)) => of_attribute("Value cannot be used when Exists is false"),
                (_, Some(value)) => {
                    Ok(AttributeComparison { name, operator: ComparisonOperator::Eq, values: vec![value] })
                }
                (Some(true), None) => of_attribute("Value must be provided when Exists is true"),
                (None, None) => of_attribute("Value must be provided when Exists is null"),
            };
        };
        if self.exists.is_some() {
            return of_attribute("Exists and ComparisonOperator cannot be used together");
        }
        if !has_values && !matches!(operator, ComparisonOperator::Null | ComparisonOperator::NotNull) {
            return of_attribute(&format!(
                "Value or AttributeValueList must be used with ComparisonOperator: {}",
                operator.name()
            ));
        }
        let values = self.values.unwrap_or_else(|| self.value.into_iter().collect());
        Ok(AttributeComparison { name, operator, values })
    }
}

/// Comparisons of which all must hold, or one.
#[derive(Clone)]
pub(super) struct Comparisons {
    comparisons: Vec<AttributeComparison>,
    operator: ConditionalOperator,
}

impl Comparisons {
    pub(super) fn new(
        mut comparisons: Vec<AttributeComparison>,
        operator: ConditionalOperator,
    ) -> Result<Comparisons, ExpressionError> {
        if comparisons.len() > COMPARISONS_MAX {
            return Err(invalid(format!("Too many conditions; number of conditions: {}", comparisons.len())));
        }
        for comparison in &mut comparisons {
            comparison.check()?;
            if comparison.operator == ComparisonOperator::In {
                // For looking up by halves: a list may have any length.
                comparison.values.sort_by(scalar_order);
            }
        }
        Ok(Comparisons { comparisons, operator })
    }

    pub(super) fn of_expectations(
        expectations: Vec<Expectation>,
        operator: ConditionalOperator,
    ) -> Result<Comparisons, ExpressionError> {
        let comparisons = expectations.into_iter().map(|expectation| {
            let comparison = expectation.into_comparison()?;
            comparison.check()?;
            Ok(comparison)
        });
        Comparisons::new(comparisons.collect::<Result<_, _>>()?, operator)
    }

    /// The attributes that are compared.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.comparisons.iter().map(|comparison| comparison.name.as_str())
    }

    /// Whether they hold for an item; none at all hold for every item.
    pub(super) fn hold(&self, item: &Item) -> bool {
        let mut held = self.comparisons.iter().map(|comparison| holds(comparison, item));
        match self.operator {
            ConditionalOperator::And => held.all(|held| held),
            ConditionalOperator::Or => self.comparisons.is_empty() || held.any(|held| held),
        }
    }
}

fn holds(comparison: &AttributeComparison, item: &Item) -> bool {
    let value = item.get(&comparison.name);
    let first = comparison.values.first();
    if let Some(comparator) = comparison.operator.comparator() {
        return comparator.holds(value, first);
    }
    let Some(value) = value else {
        return comparison.operator == ComparisonOperator::Null;
    };
    match (comparison.operator, &comparison.values[..]) {
        (ComparisonOperator::NotNull, _) => true,
        (ComparisonOperator::Between, [lower, upper]) => {
            order(value, lower).is_some_and(Ordering::is_ge)
                && order(value, upper).is_some_and(Ordering::is_le)
        }
        (ComparisonOperator::In, options) => {
            options.binary_search_by(|option| scalar_order(option, value)).is_ok()
        }
        (ComparisonOperator::Contains, [part]) => contains(value, part),
        // Also of a value that can contain nothing, but not of a missing one.
        (ComparisonOperator::NotContains, [part]) => !contains(value, part),
        (ComparisonOperator::BeginsWith, [prefix]) => begins_with(value, prefix),
        _ => false,
    }
}

/// An order of all scalars: by type, then by value.
fn scalar_order(left: &AttributeValue, right: &AttributeValue) -> Ordering {
    order(left, right).unwrap_or_else(|| left.type_name().cmp(right.type_name()))
}

fn invalid(text: impl AsRef<str>) -> ExpressionError {
    ExpressionError::new(format!("One or more parameter values were invalid: {}", text.as_ref()))
}

/// The most comparisons in one parameter. The service's own bound is not
/// published; this one keeps the work per item in hand.
const COMPARISONS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use super::*;
    use crate::expression::Condition;
    use crate::json::{from_json, item_from_json};

    fn values(values: &[Value]) -> Vec<AttributeValue> {
        values.iter().map(|value| from_json(value).unwrap()).collect()
    }

    fn comparison(name: &str, operator: &str, list: &[Value]) -> AttributeComparison {
        let operator = ComparisonOperator::from_name(operator).unwrap();
        AttributeComparison { name: name.into(), operator, values: values(list) }
    }

    fn error(operator: &str, list: &[Value]) -> String {
        let filter = vec![comparison("a", operator, list)];
        Condition::from_filter(filter, ConditionalOperator::And).err().unwrap().message().to_string()
    }

    #[test]
    fn operators_take_their_number_and_types_of_values() {
        let (s, n, list) = (json!({"S": "b"}), json!({"N": "1"}), json!({"L": []}));
        for (operator, count) in
            [("EQ", 0), ("EQ", 2), ("IN", 0), ("BETWEEN", 1), ("BETWEEN", 3), ("NULL", 1), ("NOT_NULL", 2)]
        {
            let message = format!(
                "One or more parameter values were invalid: Invalid number of argument(s) for the \
                 {operator} ComparisonOperator"
            );
            assert_eq!(error(operator, &vec![s.clone(); count]), message);
        }
        for (operator, value, name) in [
            ("LT", &list, "L"),
            ("IN", &json!({"BOOL": true}), "BOOL"),
            ("CONTAINS", &json!({"SS": ["a"]}), "SS"),
            ("NOT_CONTAINS", &list, "L"),
            ("BEGINS_WITH", &n, "N"),
        ] {
            let message = format!(
                "One or more parameter values were invalid: ComparisonOperator {operator} is not valid for \
                 {name} AttributeValue type"
            );
            assert_eq!(error(operator, std::slice::from_ref(value)), message);
        }
        assert_eq!(
            error("IN", &[s.clone(), n]),
            "One or more parameter values were invalid: AttributeValues inside AttributeValueList must be \
             of same type"
        );
        assert_eq!(
            error("BETWEEN", &[s, json!({"S": "a"})]),
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        );
    }

    #[test]
    fn comparisons_hold_as_the_services_do() {
        let item = json!({
            "s": {"S": "axb"}, "n": {"N": "1.0"}, "l": {"L": [{"N": "1"}]}, "ns": {"NS": ["1", "2"]},
            "m": {"M": {}}, "null": {"NULL": true},
        });
        let item = item_from_json(&item).unwrap();
        let s = |text: &str| json!({"S": text});
        let n = |text: &str| json!({"N": text});
        for (name, operator, list, expected) in [
            ("n", "EQ", vec![n("1")], true),
            ("n", "NE", vec![s("1")], true),
            ("missing", "NE", vec![n("1")], true),
            ("missing", "EQ", vec![n("1")], false),
            ("missing", "LT", vec![n("1")], false),
            ("n", "LE", vec![n("1")], true),
            ("n", "GT", vec![n("1")], false),
            ("s", "GE", vec![s("axa")], true),
            ("s", "GE", vec![n("1")], false),
            ("s", "BETWEEN", vec![s("a"), s("b")], true),
            ("n", "BETWEEN", vec![s("a"), s("b")], false),
            ("n", "IN", vec![n("3"), n("2"), n("1")], true),
            ("n", "IN", vec![s("1")], false),
            ("l", "IN", vec![n("1")], false),
            ("missing", "IN", vec![n("1")], false),
            ("missing", "NULL", vec![], true),
            ("null", "NULL", vec![], false),
            ("null", "NOT_NULL", vec![], true),
            ("missing", "NOT_NULL", vec![], false),
            ("s", "CONTAINS", vec![s("x")], true),
            ("l", "CONTAINS", vec![n("1")], true),
            ("ns", "CONTAINS", vec![n("2.0")], true),
            ("n", "CONTAINS", vec![n("1")], false),
            ("s", "NOT_CONTAINS", vec![s("y")], true),
            ("m", "NOT_CONTAINS", vec![s("y")], true),
            ("missing", "NOT_CONTAINS", vec![s("y")], false),
            ("s", "BEGINS_WITH", vec![s("ax")], true),
        ] {
            let filter = vec![comparison(name, operator, &list)];
            let condition = Condition::from_filter(filter, ConditionalOperator::And).unwrap();
            assert_eq!(condition.matches(&item), expected, "{name} {operator} {list:?}");
        }
        let both = |operator| {
            let filter = vec![comparison("n", "EQ", &[n("1")]), comparison("s", "EQ", &[s("no")])];
            Condition::from_filter(filter, operator).unwrap().matches(&item)
        };
        assert!(!both(ConditionalOperator::And));
        assert!(both(ConditionalOperator::Or));
        let nothing = Condition::from_filter(Vec::new(), ConditionalOperator::Or).unwrap();
        assert!(nothing.matches(&item));
    }

    #[test]
    fn expectations_say_what_they_mean_or_are_refused() {
        let expected = |value: Option<Value>, exists, operator: Option<&str>, list: Option<Vec<Value>>| {
            let expectation = Expectation {
                name: "a".into(),
                value: value.map(|value| from_json(&value).unwrap()),
                exists,
                operator: operator.map(|name| ComparisonOperator::from_name(name).unwrap()),
                values: list.map(|list| values(&list)),
            };
            let condition = Condition::from_expected(vec![expectation], ConditionalOperator::And);
            condition.map_err(|error| error.message().to_string())
        };
        let x = || Some(json!({"S": "x"}));
        let list = || Some(vec![json!({"S": "x"})]);
        for (value, exists, operator, list, message) in [
            (None, None, None, None, "Value must be provided when Exists is null"),
            (None, Some(true), None, None, "Value must be provided when Exists is true"),
            (x(), Some(false), None, None, "Value cannot be used when Exists is false"),
            (x(), None, Some("EQ"), list(), "Value and AttributeValueList cannot be used together"),
            (x(), None, None, list(), "Value and AttributeValueList cannot be used together"),
            (None, Some(true), Some("EQ"), list(), "Exists and ComparisonOperator cannot be used together"),
            (None, Some(false), Some("NULL"), None, "Exists and ComparisonOperator cannot be used together"),
            (None, None, None, list(), "AttributeValueList can only be used with a ComparisonOperator"),
            (
                None,
                None,
                Some("LT"),
                None,
                "Value or AttributeValueList must be used with ComparisonOperator: LT",
            ),
        ] {
            let error = expected(value, exists, operator, list).err().unwrap();
            assert_eq!(
                error,
                format!("One or more parameter values were invalid: {message} for Attribute: a")
            );
        }
        assert_eq!(
            expected(x(), None, Some("NULL"), None).err().unwrap(),
            "One or more parameter values were invalid: Invalid number of argument(s) for the NULL \
             ComparisonOperator"
        );
        let item = item_from_json(&json!({"a": {"S": "x"}})).unwrap();
        for (condition, with, without) in [
            (expected(x(), None, None, None), true, false),
            (expected(x(), Some(true), None, None), true, false),
            (expected(None, Some(false), None, None), false, true),
            (expected(x(), None, Some("EQ"), None), true, false),
            (expected(None, None, Some("NE"), list()), false, true),
        ] {
            let condition = condition.unwrap();
            assert_eq!((condition.matches(&item), condition.matches(&Item::new())), (with, without));
        }
        assert!(check_conditional_operator(2).is_ok());
        assert_eq!(
            check_conditional_operator(0).unwrap_err().message(),
            "ConditionalOperator cannot be used without Filter or Expected"
        );
        assert_eq!(
            check_conditional_operator(1).unwrap_err().message(),
            "ConditionalOperator can only be used when Filter or Expected has two or more elements"
        );
    }
}
