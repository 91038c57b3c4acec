//! The published models read a second time, straight from their JSON, and values made from them.
//!
//! Known departures from the models are stated again in `as_the_service_does`, so that a slip in
//! `deviations` does not go unnoticed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Map, Value, json};

use crate::shape::{Service, text};

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

/// Texts of which one satisfies the pattern of each shape.
const SAMPLES: [&str; 15] = [
    "https://example.com",
    "/a/kms/xks/v1",
    "cluster-234567abcdef",
    "0123456789",
    "123456789012",
    "0123456789abcdef",
    "us-east-1",
    "com.amazonaws.vpce.us-east-1.vpce-svc-0a",
    "arn:aws:kms:us-east-1:123456789012:key/a",
    ",",
    "logs.amazonaws.com",
    "s3://bucket/",
    "10:00",
    "o-abcdefghij/r-abcd",
    "p-12345678",
];

/// The published model of a service, corrected by hand.
pub(super) struct Raw {
    pub(super) service: Service,
    pub(super) shapes: Map<String, Value>,
    pub(super) operations: Map<String, Value>,
}

impl Raw {
    pub(super) fn new(service: Service) -> Self {
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

    pub(super) fn shape(&self, name: &str) -> &Value {
        &self.shapes[name]
    }

    /// The least that `shape` allows; with `full`, every member there is.
    pub(super) fn sample(&self, name: &str, full: bool) -> Value {
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

    pub(super) fn key_sample(&self, key: &str) -> String {
        if key == "TableArn" { "table".to_owned() } else { self.text_sample(key) }
    }

    pub(super) fn text_sample(&self, name: &str) -> String {
        let shape = self.shape(name);
        if let Some(values) = shape["enum"].as_array() {
            return values[0].as_str().unwrap().to_owned();
        }
        let min = usize::try_from(shape["min"].as_i64().unwrap_or(0)).unwrap().max(1);
        let repeated = ["a", "1", "A"].map(|letter| letter.repeat(min));
        let mut candidates = repeated.into_iter().chain(SAMPLES.map(str::to_owned));
        let fits = |text: &String| failures(shape, &json!(text)).is_empty();
        candidates.find(fits).unwrap_or_else(|| panic!("no sample for {name}: {shape}"))
    }

    pub(super) fn is_required(&self, name: &str, member: &str) -> bool {
        self.shape(name)["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|name| name == member))
    }
}

pub(super) fn target_of(reference: &Value) -> &str {
    reference.as_str().unwrap_or_else(|| reference["shape"].as_str().unwrap())
}

pub(super) fn base64_of(bytes: usize) -> String {
    let mut text = "AAAA".repeat(bytes / 3);
    text.push_str(["", "AA==", "AAA="][bytes % 3]);
    text
}

fn matches(pattern: &str, text: &str) -> bool {
    regex::Regex::new(&format!("^(?:{})$", text::rust_pattern(pattern))).unwrap().is_match(text)
}

/// The constraints of `shape` itself that `value` fails, worded.
pub(super) fn failures(shape: &Value, value: &Value) -> Vec<String> {
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
pub(super) fn bracketed(shape: &Value) -> String {
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
pub(super) fn violations(raw: &Raw, name: &str) -> Vec<Value> {
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
                let keys = raw.shape(target_of(&shape["key"]))["enum"].as_array();
                let key = |index: usize| match keys {
                    Some(keys) => keys[index].as_str().unwrap().to_owned(),
                    None => format!("key{index}"),
                };
                (0..length).map(|index| (key(index), value.clone())).collect()
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
