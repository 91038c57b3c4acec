//! Every operation of DynamoDB, DynamoDB Streams and KMS: what its model allows passes, and each
//! single violation of each constraint of each reachable member gets exactly its text.
//!
//! The expectations are derived here from the JSON of the models, beside the code under test and
//! not through it; known departures from the models are stated again in `as_the_service_does`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Map, Value, json};

use super::{InputError, Operation, Service, model, text};

const SERVICES: [Service; 3] = [Service::DynamoDb, Service::DynamoDbStreams, Service::Kms];

/// The operations whose items, rather than whose table, are meant.
const ITEM_INPUTS: [&str; 16] = [
    "PutItemInput",
    "GetItemInput",
    "UpdateItemInput",
    "DeleteItemInput",
    "QueryInput",
    "ScanInput",
    "SearchVectorsInput",
    "Put",
    "Get",
    "Update",
    "Delete",
    "ConditionCheck",
    "BatchGetItemInput",
    "BatchWriteItemInput",
    "BatchGetRequestMap",
    "BatchWriteItemRequestMap",
];

/// The published model of a service, corrected by hand.
struct Raw {
    service: Service,
    shapes: Map<String, Value>,
    operations: Map<String, Value>,
}

/// A step from a value to one inside it.
#[derive(Clone)]
enum Step {
    Member(String),
    Element,
    Entry(String),
}

impl Raw {
    fn new(service: Service) -> Self {
        let mut data: Value = serde_json::from_str(service.data()).unwrap();
        let operations = data["operations"].take().as_object().unwrap().clone();
        let shapes = data["shapes"].take().as_object().unwrap().clone();
        let mut raw = Self { service, shapes, operations };
        raw.as_the_service_does();
        raw
    }

    fn as_the_service_does(&mut self) {
        match self.service {
            Service::DynamoDb => {
                let name = json!({"type": "string", "min": 3, "max": 255, "pattern": "[a-zA-Z0-9_.-]+", "lengthFirst": true});
                let mut item_name = name.clone();
                item_name["min"] = json!(1);
                item_name["emptyIsOneError"] = json!(true);
                self.shapes.insert("#Table".into(), name);
                self.shapes.insert("#ItemTable".into(), item_name);
                for (shape_name, shape) in &mut self.shapes {
                    let table =
                        if ITEM_INPUTS.contains(&shape_name.as_str()) { "#ItemTable" } else { "#Table" };
                    if let Some(member) = shape.pointer_mut("/members/TableName")
                        && member == "TableArn"
                    {
                        *member = json!(table);
                    }
                }
                let mut short = self.shapes["KeySchema"].clone();
                short["max"] = json!(2);
                self.shapes.insert("#KeySchema".into(), short);
                for name in ["CreateTableInput", "LocalSecondaryIndex", "TableCreationParameters"] {
                    self.shapes[name]["members"]["KeySchema"] = json!("#KeySchema");
                }
                self.shapes["CreateTableInput"]["required"] =
                    json!(["TableName", "AttributeDefinitions", "KeySchema"]);
                self.shapes["IndexName"]["lengthFirst"] = json!(true);
                self.shapes["KMSMasterKeyId"]["min"] = json!(1);
                for name in ["Tag", "CreateReplicationGroupMemberAction"] {
                    self.shapes[name]["required"] = json!([]);
                }
                for name in ["TagKeyString", "TagValueString"] {
                    self.shapes[name] = json!({"type": "string"});
                }
            }
            Service::Kms => {
                self.shapes["KeyUsageType"]["shown"] =
                    json!("ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT");
            }
            _ => {}
        }
    }

    fn shape(&self, name: &str) -> &Value {
        &self.shapes[name]
    }

    /// The least that `shape` allows; with `full`, every member there is.
    fn sample(&self, name: &str, full: bool) -> Value {
        let shape = self.shape(name);
        let min = usize::try_from(shape["min"].as_i64().unwrap_or(0).max(0)).unwrap();
        match shape["type"].as_str().unwrap() {
            "structure" if name == "AttributeValue" => json!({"S": "x"}),
            "structure" => {
                let members = shape["members"].as_object().unwrap();
                let wanted = members.iter().filter(|(member, _)| full || self.is_required(name, member));
                wanted
                    .map(|(member, target)| (member.clone(), self.sample(target_of(target), full)))
                    .collect()
            }
            "list" => {
                let element = self.sample(target_of(&shape["member"]), full);
                Value::Array(vec![element; min.max(usize::from(full))])
            }
            "map" => {
                let (key, value) = (target_of(&shape["key"]), target_of(&shape["value"]));
                let count = min.max(usize::from(full));
                (0..count).map(|_| (self.key_sample(key), self.sample(value, full))).collect()
            }
            "string" => json!(self.text_sample(name)),
            "blob" => json!(base64_of(min)),
            "boolean" => json!(true),
            "integer" | "long" => json!(shape["min"].as_i64().unwrap_or(1)),
            "float" | "double" => json!(shape["min"].as_f64().unwrap_or(1.0)),
            "timestamp" => json!(1_700_000_000),
            other => panic!("{other}"),
        }
    }

    fn key_sample(&self, key: &str) -> String {
        if key == "TableArn" { "table".to_owned() } else { self.text_sample(key) }
    }

    fn text_sample(&self, name: &str) -> String {
        let shape = self.shape(name);
        if let Some(values) = shape["enum"].as_array() {
            return values[0].as_str().unwrap().to_owned();
        }
        let min = usize::try_from(shape["min"].as_i64().unwrap_or(0)).unwrap().max(1);
        let candidates =
            ["a".repeat(min), "1".repeat(min), "https://example.com".into(), "/a/kms/xks/v1".into()];
        let candidates = candidates.into_iter().chain([
            "cluster-234567abcdef".to_owned(),
            "A".repeat(min),
            "0123456789".into(),
            "123456789012".into(),
            "0123456789abcdef".into(),
            "0123456789abcdef0123456789abcdef0123456789".into(),
            "us-east-1".into(),
            "arn:aws:kms:us-east-1:123456789012:key/a".into(),
            "com.amazonaws.vpce.us-east-1.vpce-svc-0a".into(),
            ",".into(),
        ]);
        let fits = |text: &String| failures(shape, &json!(text)).is_empty();
        candidates.into_iter().find(fits).unwrap_or_else(|| panic!("no sample for {name}: {shape}"))
    }

    fn is_required(&self, name: &str, member: &str) -> bool {
        self.shape(name)["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|name| name == member))
    }
}

fn target_of(reference: &Value) -> &str {
    reference.as_str().unwrap_or_else(|| reference["shape"].as_str().unwrap())
}

fn base64_of(bytes: usize) -> String {
    let mut text = "AAAA".repeat(bytes / 3);
    text.push_str(["", "AA==", "AAA="][bytes % 3]);
    text
}

fn matches(pattern: &str, text: &str) -> bool {
    regex::Regex::new(&format!("^(?:{})$", text::rust_pattern(pattern))).unwrap().is_match(text)
}

/// The constraints of `shape` itself that `value` fails, worded.
fn failures(shape: &Value, value: &Value) -> Vec<String> {
    let mut pattern = Vec::new();
    let mut others = Vec::new();
    let (measured, word) = match (shape["type"].as_str().unwrap(), value) {
        ("blob", Value::String(text)) => {
            let padding = text.matches('=').count();
            (i64::try_from(text.len() / 4 * 3 - padding).unwrap(), "length")
        }
        (_, Value::String(text)) => {
            if let Some(published) = shape["pattern"].as_str()
                && !matches(published, text)
            {
                pattern.push(format!("Member must satisfy regular expression pattern: {published}"));
            }
            (i64::try_from(text.chars().count()).unwrap(), "length")
        }
        (_, Value::Array(elements)) => (i64::try_from(elements.len()).unwrap(), "length"),
        (_, Value::Object(entries)) => (i64::try_from(entries.len()).unwrap(), "length"),
        (_, number) => (number.as_i64().unwrap_or(1), "value"),
    };
    if let Some(min) = shape["min"].as_i64()
        && measured < min
    {
        others.push(format!("Member must have {word} greater than or equal to {min}"));
        if measured == 0 && shape["emptyIsOneError"] == true {
            pattern.clear();
        }
    }
    if let Some(max) = shape["max"].as_i64()
        && measured > max
    {
        others.push(format!("Member must have {word} less than or equal to {max}"));
    }
    if let Some(values) = shape["enum"].as_array()
        && !values.contains(value)
    {
        others.push(format!("Member must satisfy enum value set: [{}]", value_set(shape)));
    }
    if shape["lengthFirst"] == true { [others, pattern].concat() } else { [pattern, others].concat() }
}

/// All constraints of `shape`, as the text between brackets has them.
fn bracketed(shape: &Value) -> String {
    let word = if matches!(shape["type"].as_str(), Some("integer" | "long")) { "value" } else { "length" };
    let max = shape["max"].as_i64().map(|max| format!("Member must have {word} less than or equal to {max}"));
    let min =
        shape["min"].as_i64().map(|min| format!("Member must have {word} greater than or equal to {min}"));
    let pattern = shape["pattern"].as_str();
    let pattern = pattern.map(|pattern| format!("Member must satisfy regular expression pattern: {pattern}"));
    let values =
        shape.get("enum").map(|_| format!("Member must satisfy enum value set: [{}]", value_set(shape)));
    [max, min, pattern, values].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn value_set(shape: &Value) -> String {
    if let Some(shown) = shape["shown"].as_str() {
        return shown.to_owned();
    }
    let mut buckets = vec![Vec::new(); 32];
    for value in shape["enum"].as_array().unwrap() {
        let value = value.as_str().unwrap();
        let hash =
            value.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
        buckets[hash as usize % 32].insert(0, value);
    }
    buckets.concat().join(", ")
}

/// Values that fail just one or two constraints of `shape` itself.
fn violations(raw: &Raw, name: &str) -> Vec<Value> {
    let shape = raw.shape(name);
    let (min, max) = (shape["min"].as_i64(), shape["max"].as_i64());
    let mut values = Vec::new();
    let sized = |length: i64| -> Option<Value> {
        let length = usize::try_from(length).ok().filter(|length| *length <= 70_000)?;
        Some(match shape["type"].as_str().unwrap() {
            "string" => json!(raw.text_sample(name).chars().cycle().take(length).collect::<String>()),
            "blob" => json!(base64_of(length)),
            "list" => Value::Array(vec![raw.sample(target_of(&shape["member"]), false); length]),
            "map" => {
                let value = raw.sample(target_of(&shape["value"]), false);
                (0..length).map(|index| (format!("key{index}"), value.clone())).collect()
            }
            "integer" | "long" | "float" | "double" => return None,
            _ => return None,
        })
    };
    values.extend(min.and_then(|min| sized(min - 1)));
    values.extend(max.and_then(|max| sized(max + 1)));
    match shape["type"].as_str().unwrap() {
        "integer" | "long" => {
            values.extend(min.map(|min| json!(min - 1)));
            values.extend(max.map(|max| json!(max + 1)));
        }
        "string" if shape.get("enum").is_some() => values.push(json!("NoSuchValue")),
        "string" => {
            let length = usize::try_from(min.unwrap_or(0).max(1)).unwrap();
            let odd = ["€", "\u{1}", "*", " "].map(|letter| letter.repeat(length));
            let odd =
                odd.into_iter().find(|text| shape["pattern"].as_str().is_some_and(|p| !matches(p, text)));
            values.extend(odd.map(Value::String));
        }
        _ => {}
    }
    values
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
        match self.operation.validate(input) {
            Err(InputError::Validation(message)) => message,
            other => panic!("{} {}: {other:?} for {input}", self.operation.name(), self.text()),
        }
    }

    /// What an operation says by hand about this top-level member, instead of the model's text.
    fn by_hand(&self, value: Option<&Value>) -> Option<String> {
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
                "The requestItems parameter is required for BatchGetItem"
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
        let old = self.raw.service != Service::Kms;
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
        assert_eq!(self.operation.validate(&input), expected, "{} {}", self.operation.name(), self.text());
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
    for (service, least) in SERVICES.into_iter().zip([1_900, 20, 300]) {
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
                assert_eq!(operation.validate(&json!({})), Ok(()));
                continue;
            };
            for full in [false, true] {
                let sample = raw.sample(input, full);
                assert_eq!(operation.validate(&sample), Ok(()), "{} {sample}", operation.name());
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
