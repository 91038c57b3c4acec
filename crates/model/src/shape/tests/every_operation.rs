//! Every operation of the JSON services: what its model allows passes, and each
//! single violation of each constraint of each reachable member gets exactly its text.
//!
//! The expectations come from `raw_model`, beside the code under test and not through it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::raw_model::{Raw, bracketed, failures, target_of, violations};
use crate::shape::{InputError, Operation, Service, model, text};

const SERVICES: [Service; 4] =
    [Service::DynamoDb, Service::DynamoDbStreams, Service::Kms, Service::CloudTrail];

/// A step from a value to one inside it.
#[derive(Clone)]
enum Step {
    Member(String),
    Element,
    Entry(String),
}

/// One place in the input of one operation.
struct Place<'a> {
    raw: &'a Raw,
    operation: &'a Operation,
    input: &'a str,
    steps: Vec<Step>,
}

impl Place<'_> {
    fn text(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            match step {
                Step::Member(name) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(&name[..1].to_lowercase());
                    out.push_str(&name[1..]);
                }
                Step::Element => out.push_str(".1.member"),
                Step::Entry(key) => out.push_str(&format!(".{key}.member")),
            }
        }
        out
    }

    /// The least input that has `value` at this place; `None` takes the member away.
    fn input_with(&self, value: Option<Value>) -> Value {
        let mut root = self.raw.sample(self.input, false);
        let mut at = &mut root;
        let mut name = self.input.to_owned();
        for (index, step) in self.steps.iter().enumerate() {
            let shape = self.raw.shape(&name).clone();
            let last = index + 1 == self.steps.len();
            let (next, slot) = match step {
                Step::Member(member) => {
                    let next = target_of(&shape["members"][member]).to_owned();
                    let members = at.as_object_mut().unwrap();
                    if last && value.is_none() {
                        members.remove(member);
                        return root;
                    }
                    let slot = members.entry(member.clone()).or_insert_with(|| self.raw.sample(&next, false));
                    (next, slot)
                }
                Step::Element => {
                    let next = target_of(&shape["member"]).to_owned();
                    let elements = at.as_array_mut().unwrap();
                    if elements.is_empty() {
                        elements.push(self.raw.sample(&next, false));
                    }
                    (next, &mut elements[0])
                }
                Step::Entry(key) => {
                    let next = target_of(&shape["value"]).to_owned();
                    let entries = at.as_object_mut().unwrap();
                    (
                        next.clone(),
                        entries.entry(key.clone()).or_insert_with(|| self.raw.sample(&next, false)),
                    )
                }
            };
            at = slot;
            name = next;
        }
        *at = value.unwrap();
        root
    }

    fn message(&self, input: &Value) -> String {
        match self.operation.validate(&input.clone().into()) {
            Err(InputError::Validation(message)) => message,
            other => panic!("{} {}: {other:?} for {input}", self.operation.name(), self.text()),
        }
    }

    /// What an operation says by hand about this top-level member, instead of the model's text.
    fn by_hand(&self, value: Option<&Value>) -> Option<String> {
        if let ("BatchGetItem", Some(Value::Array(keys))) = (self.operation.name(), value)
            && let Some(start) = self.text().strip_suffix(".member.keys")
        {
            let bound =
                if keys.is_empty() { "greater than or equal to 1" } else { "less than or equal to 100" };
            return Some(format!(
                "1 validation error detected: Value at '{}.member.Keys' failed to satisfy constraint: Member must \
                 have length {bound}",
                start.replacen("requestItems", "RequestItems", 1)
            ));
        }
        let [Step::Member(member)] = &self.steps[..] else { return None };
        let name = "TableName must be at least 3 characters long and at most 255 characters long";
        let length = value.and_then(Value::as_str).map(|text| text.chars().count());
        let bad_length = length.is_some_and(|length| !(3..=255).contains(&length));
        let text = match (self.operation.name(), member.as_str(), value) {
            (
                "CreateTable" | "DeleteTable" | "DescribeTable" | "UpdateTable" | "DescribeTimeToLive"
                | "UpdateTimeToLive",
                "TableName",
                None,
            ) => "The parameter 'TableName' is required but was not present in the request",
            (_, "GlobalTableName" | "TargetTableName", Some(_)) if bad_length => name,
            ("DescribeContributorInsights" | "UpdateContributorInsights", "IndexName", Some(_))
                if bad_length =>
            {
                "IndexName must be at least 3 characters long and at most 255 characters long"
            }
            ("DescribeBackup" | "DeleteBackup", "BackupArn", Some(_)) if length < Some(37) => {
                "Invalid Backup ARN"
            }
            ("ExportTableToPointInTime", "TableArn", Some(_)) if length == Some(0) => {
                "Invalid TableArn: Invalid Table ARN"
            }
            ("BatchGetItem", "RequestItems", Some(Value::Object(entries))) if entries.is_empty() => {
                "1 validation error detected: Value at 'RequestItems' failed to satisfy constraint: Member must \
                 have length greater than or equal to 1"
            }
            ("PutItem" | "UpdateItem" | "DeleteItem", "TableName", Some(_)) if length == Some(0) => {
                "1 validation error detected: Value at 'TableName' failed to satisfy constraint: Member must have \
                 length greater than or equal to 1"
            }
            ("PutItem" | "UpdateItem" | "DeleteItem", "ReturnValues", Some(_)) => {
                "1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value set: \
                 [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
            }
            ("Query", "Limit", Some(_)) => {
                "1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value \
                 greater than or equal to 1"
            }
            ("BatchWriteItem", "RequestItems", Some(Value::Object(entries))) if entries.is_empty() => {
                "The requestItems parameter is required for BatchWriteItem"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn check_missing(&self) {
        let path = self.text();
        let expected = self.by_hand(None).unwrap_or_else(|| {
            format!("1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null")
        });
        assert_eq!(self.message(&self.input_with(None)), expected);
        if !self.steps.is_empty() {
            assert_eq!(self.message(&self.input_with(Some(Value::Null))), expected);
        }
    }

    fn check_violations(&self, name: &str) -> usize {
        let shape = self.raw.shape(name);
        let path = self.text();
        let violations = violations(self.raw, name);
        for value in &violations {
            let message = self.message(&self.input_with(Some(value.clone())));
            if let Some(expected) = self.by_hand(Some(value)) {
                assert_eq!(message, expected);
                continue;
            }
            let failures = failures(shape, value);
            assert!(!failures.is_empty(), "{name} {value}");
            let shown = match value {
                _ if shape["sensitive"] == true => "Value".to_owned(),
                Value::String(base64) if shape["type"] == "blob" => {
                    let bytes = base64.len() / 4 * 3 - base64.matches('=').count();
                    format!("Value 'java.nio.HeapByteBuffer[pos=0 lim={bytes} cap={bytes}]'")
                }
                Value::String(text) => format!("Value '{text}'"),
                Value::Number(number) => format!("Value '{number}'"),
                Value::Array(elements) if elements.is_empty() => "Value '[]'".to_owned(),
                Value::Object(entries) if entries.is_empty() => "Value '{}'".to_owned(),
                // How structures are shown is for the recorded texts to say.
                _ => {
                    let end = format!("' at '{path}' failed to satisfy constraint: {}", failures[0]);
                    assert!(message.starts_with("1 validation error detected: Value '"), "{message}");
                    assert!(message.ends_with(&end), "{message}\n{end}");
                    continue;
                }
            };
            let failed = failures
                .iter()
                .map(|f| format!("{} at '{path}' failed to satisfy constraint: {f}", cut(&shown)));
            let plural = if failures.len() == 1 { "" } else { "s" };
            let failed = failed.collect::<Vec<_>>().join("; ");
            let expected = format!("{} validation error{plural} detected: {failed}", failures.len());
            assert_eq!(message, expected, "{} {path}", self.operation.name());
        }
        violations.len()
    }

    /// Constraints of an element, a key or a value are reported on the list or the map.
    fn check_contents(&self, name: &str) -> usize {
        let shape = self.raw.shape(name);
        let path = self.text();
        let mut checked = 0;
        let mut check = |contents: Value, constraint: String| {
            let message = self.message(&self.input_with(Some(contents)));
            let end = format!("' at '{path}' failed to satisfy constraint: {constraint}");
            assert!(message.starts_with("1 validation error detected: Value '"), "{message}");
            assert!(message.ends_with(&end), "{message}\nshould end in {end}");
            checked += 1;
        };
        match shape["type"].as_str().unwrap() {
            "list" => {
                let element = target_of(&shape["member"]);
                for value in violations(self.raw, element) {
                    let mut elements = self.raw.sample(name, true);
                    elements.as_array_mut().unwrap()[0] = value;
                    check(
                        elements,
                        format!("Member must satisfy constraint: [{}]", bracketed(self.raw.shape(element))),
                    );
                }
            }
            "map" => {
                let (key, value) = (target_of(&shape["key"]), target_of(&shape["value"]));
                for odd in violations(self.raw, value) {
                    let entries = json!({ self.raw.key_sample(key): odd });
                    check(
                        entries,
                        format!("Map value must satisfy constraint: [{}]", bracketed(self.raw.shape(value))),
                    );
                }
                let (keys, odd_keys) = if key == "TableArn" {
                    ("#Table", vec![json!("a;"), json!("ab")])
                } else {
                    (key, violations(self.raw, key))
                };
                for odd in odd_keys {
                    let entries = json!({ odd.as_str().unwrap(): self.raw.sample(value, false) });
                    check(
                        entries,
                        format!("Map keys must satisfy constraint: [{}]", bracketed(self.raw.shape(keys))),
                    );
                }
            }
            _ => {}
        }
        checked
    }

    fn check_wrong_type(&self, name: &str) {
        let container = matches!(self.raw.shape(name)["type"].as_str(), Some("structure" | "map" | "list"));
        let old = model(self.raw.service).json_version() == Some("1.0");
        let (value, expected) = match (container, old) {
            (false, true) => (json!({}), "Start of structure or map found where not expected"),
            (false, false) => (json!({}), "Start of structure or map found where not expected."),
            (true, _) => {
                let list = self.raw.shape(name)["type"] == "list";
                let structure = self.raw.shape(name)["type"] == "structure";
                let inside = !matches!(self.steps.last(), Some(Step::Member(_)));
                let expected = match (old, inside) {
                    (false, _) if list => "Expected list or null",
                    (false, _) => "Expected null",
                    (true, false) => "Unexpected field type",
                    (true, true) if structure => "Unexpected value type in payload",
                    (true, true) => {
                        "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"
                    }
                };
                (json!(23), expected)
            }
        };
        let input = self.input_with(Some(value));
        let expected = Err(InputError::Serialization(expected.to_owned()));
        assert_eq!(
            self.operation.validate(&input.into()),
            expected,
            "{} {}",
            self.operation.name(),
            self.text()
        );
    }

    /// Checks this place, which has the shape `name`, and everything below it.
    fn check(&self, name: &str, above: &[String]) -> usize {
        assert!(!above.contains(&name.to_owned()), "an input shape that contains itself: {name}");
        assert!(above.len() < 16, "a deep input shape: {name}");
        if name == "AttributeValue" {
            self.check_wrong_type(name);
            return 1;
        }
        let mut checked = 1;
        if !self.steps.is_empty() {
            self.check_wrong_type(name);
            let in_container = !matches!(self.steps.last(), Some(Step::Member(_)));
            if !in_container {
                checked += self.check_violations(name);
            }
            checked += self.check_contents(name);
        }
        let above = [above, &[name.to_owned()]].concat();
        let below = |step: Step| Place { steps: [&self.steps[..], &[step]].concat(), ..*self };
        let shape = self.raw.shape(name);
        match shape["type"].as_str().unwrap() {
            "structure" => {
                for (member, target) in shape["members"].as_object().unwrap() {
                    let place = below(Step::Member(member.clone()));
                    if self.raw.is_required(name, member) {
                        place.check_missing();
                        checked += 1;
                    }
                    checked += place.check(target_of(target), &above);
                }
                let mut odd = self.raw.sample(name, false);
                odd["NoSuchMember"] = json!(1);
                let refusal =
                    format!("unknown member `NoSuchMember` in a request to {}", self.operation.name());
                assert_eq!(self.message(&self.input_with(Some(odd))), refusal);
            }
            "list" => checked += below(Step::Element).check(target_of(&shape["member"]), &above),
            "map" => {
                let key = self.raw.key_sample(target_of(&shape["key"]));
                checked += below(Step::Entry(key)).check(target_of(&shape["value"]), &above);
            }
            _ => {}
        }
        checked
    }
}

fn cut(shown: &str) -> String {
    match shown.strip_prefix("Value '").and_then(|shown| shown.strip_suffix('\'')) {
        Some(value) => format!("Value '{}'", text::cut(value)),
        None => shown.to_owned(),
    }
}

#[test]
fn every_operation_says_what_is_wrong() {
    for (service, least) in SERVICES.into_iter().zip([1_900, 40, 800, 800]) {
        let raw = Raw::new(service);
        let mut checked = 0;
        for operation in model(service).operations() {
            let Some(input) = raw.operations[operation.name()]["input"].as_str() else { continue };
            let place = Place { raw: &raw, operation, input, steps: Vec::new() };
            checked += place.check(input, &[]);
        }
        assert!(checked >= least, "{service:?}: only {checked} checks");
    }
}

#[test]
fn every_operation_accepts_what_is_documented() {
    for service in SERVICES {
        let raw = Raw::new(service);
        assert_eq!(raw.operations.len(), model(service).operations().len());
        for operation in model(service).operations() {
            let Some(input) = raw.operations[operation.name()]["input"].as_str() else {
                assert_eq!(operation.validate(&json!({}).into()), Ok(()));
                continue;
            };
            for full in [false, true] {
                let sample = raw.sample(input, full);
                assert_eq!(
                    operation.validate(&sample.clone().into()),
                    Ok(()),
                    "{} {sample}",
                    operation.name()
                );
            }
        }
    }
}

#[test]
fn every_pattern_compiles() {
    for service in Service::ALL {
        for shape in &model(service).shapes {
            if let Some(pattern) = &shape.limits.pattern {
                pattern.matches("");
            }
        }
    }
}

/// Any JSON of a few levels.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!("ä".repeat(70_000))),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[A-Za-z]{0,10}", inner, 0..6)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// Puts `odd` where one gets by taking, at each level, the child of this number.
fn replace(at: &mut Value, choices: &[usize], odd: Value) {
    let child = choices.split_first().and_then(|(choice, deeper)| {
        let child = match at {
            Value::Object(members) => members.values_mut().nth(choice % 20),
            Value::Array(elements) => elements.get_mut(choice % 2),
            _ => None,
        };
        Some((child?, deeper))
    });
    match child {
        Some((child, deeper)) => replace(child, deeper, odd),
        None => *at = odd,
    }
}

/// The models of the JSON services, read once for all cases.
static RAW_MODELS: LazyLock<Vec<Raw>> = LazyLock::new(|| SERVICES.iter().map(|s| Raw::new(*s)).collect());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever stands anywhere in a body, the answer is a verdict of bounded size.
    #[test]
    fn no_body_is_too_odd(
        raw in prop::sample::select((0..4).collect::<Vec<usize>>()),
        operation in any::<prop::sample::Index>(),
        choices in prop::collection::vec(any::<usize>(), 0..8),
        odd in any_json(),
    ) {
        let raw = &RAW_MODELS[raw];
        let operations = model(raw.service).operations();
        let operation = &operations[operation.index(operations.len())];
        let mut input = raw.operations[operation.name()]["input"].as_str().map_or(json!({}), |input| raw.sample(input, true));
        replace(&mut input, &choices, odd);
        if let Err(error) = operation.validate(&input.into()) {
            prop_assert!(error.message().len() < 1_000_000);
            prop_assert!(!error.message().is_empty() || error.code() == "SerializationException");
        }
    }
}
