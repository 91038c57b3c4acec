//! Where a service is known to depart from its published model.
//!
//! Each entry names where the fact comes from: *capture 2026-06* are error texts recorded from
//! DynamoDB in us-east-1 (nubo-db/dynamodb-conformance, later paritysuite/dynamodb-conformance: captures
//! of 2026-08, 2026-09 and 2026-10 too), *capture 2026-10* also such texts from us-west-2 and us-east-1
//! (ack-api-quirks), *localstack* its recorded KMS answers, *dynalite* its tests.
//! Where they disagree the newest wins, and among Regions us-east-1: see
//! docs/decisions/error-texts-of-us-east-1.md.

use super::model::{Bound, Kind, Limits, Model, Pattern, Shape, ShapeId, Structure};
use super::service::Service;
use super::text;
use crate::document::{Document, Object};

/// Makes the model say what the service does.
pub(super) fn apply(model: &mut Model) {
    match model.service {
        Service::DynamoDb => dynamodb(model),
        Service::Kms => kms(model),
        Service::DynamoDbStreams | Service::CloudTrail | Service::Sts | Service::Iam => {}
    }
    for operation in &mut model.operations {
        let checks = OWN_CHECKS.iter().filter(|check| check.service == operation.service);
        operation.own_checks = checks.filter(|check| check.operations.contains(&operation.name)).collect();
    }
}

fn dynamodb(model: &mut Model) {
    table_names(model);

    // Capture 2026-10 for all that has no source of its own.
    //
    // Required by the service, though the model calls them optional for the sake of a table made
    // from a global table's settings.
    for member in ["AttributeDefinitions", "KeySchema"] {
        require(model, "CreateTableInput", member, "GlobalTableSourceArn");
    }
    two_key_elements(model);
    shape(model, "KMSMasterKeyId").limits.min = Some(Bound::Whole(1));
    // Bad tags and an empty replica have texts of their own.
    for name in ["TagKeyString", "TagValueString"] {
        shape(model, name).limits = Limits::default();
    }
    for name in ["Tag", "CreateReplicationGroupMemberAction"] {
        optional(model, name);
    }
    // The length of an index's name comes before its pattern.
    shape(model, "IndexName").limits.length_first = true;
    // PutItem and DeleteItem word it so where their required members are there (capture 2026-10).
    shape(model, "ReturnValue").limits.refused_as = Some(RETURN_VALUES);
    // Structures are spelt out, but for one (capture 2026-08).
    structure(model, "PutRequest").hidden_member = Some("workloadProfileName");
    structure(model, "KeySchemaElement").hashed = Some(&["KeyType", "AttributeName"]);
    // Of the batches, the one shows its tables as they were sent, and in the other a table's bad name gives way to an
    // unknown value of another parameter (capture 2026-10).
    shape(model, "BatchGetRequestMap").limits.shown_as_json = true;
    shape(model, "BatchWriteItemRequestMap").limits.keys_last = true;
}

/// Only a global secondary index may have more than two key elements, which the model leaves open
/// (capture 2026-10).
fn two_key_elements(model: &mut Model) {
    let key_schema = find(model, "KeySchema");
    let element = match model.shape(key_schema).kind {
        Kind::List(element) => element,
        _ => panic!("a key schema is a list"),
    };
    let limits = Limits { min: Some(Bound::Whole(1)), max: Some(Bound::Whole(2)), ..Limits::default() };
    let short = add(model, "KeySchema", Kind::List(element), limits);
    for name in ["CreateTableInput", "LocalSecondaryIndex", "TableCreationParameters"] {
        let structure = structure(model, name);
        let position = structure.position("KeySchema").expect("a deviation names a member of its structure");
        structure.members[position].shape = short;
    }
}

/// The model takes any text of 1 to 1,024 characters for a table, so that it can be an ARN.
fn table_names(model: &mut Model) {
    /// The items of a table are reached through these; only here may a name be shorter than three
    /// characters (capture 2026-06).
    const ITEM_STRUCTURES: [&str; 16] = [
        "ConditionCheck",
        "Delete",
        "DeleteItemInput",
        "Get",
        "GetItemInput",
        "Put",
        "PutItemInput",
        "QueryInput",
        "ScanInput",
        "SearchVectorsInput",
        "Update",
        "UpdateItemInput",
        "BatchGetRequestMap",
        "BatchWriteItemRequestMap",
        "BatchGetItemInput",
        "BatchWriteItemInput",
    ];
    const NAME_PATTERN: &str = "[a-zA-Z0-9_.-]+";
    let name = |min: Option<i64>| Limits {
        min: min.map(Bound::Whole),
        max: Some(Bound::Whole(255)),
        pattern: Some(Pattern::new(NAME_PATTERN.into())),
        // Capture 2026-10.
        length_first: true,
        ..Limits::default()
    };
    let name_or_arn = |min: Option<i64>, name| Limits {
        min: min.map(Bound::Whole),
        max: Some(Bound::Whole(1024)),
        name: Some(name),
        ..Limits::default()
    };
    let item_name = add_text(model, "TableName", name(None));
    let item_table = add_text(model, "TableArn", name_or_arn(Some(1), item_name));
    let table_name = add_text(model, "TableName", name(Some(3)));
    let table = add_text(model, "TableArn", name_or_arn(None, table_name));
    // dynalite: a key of a batch's map is named with the bounds of a table's name.
    let batch_table = add_text(model, "TableArn", name_or_arn(Some(1), table_name));
    let any_arn = find(model, "TableArn");

    for shape in &mut model.shapes {
        let items = ITEM_STRUCTURES.contains(&shape.name);
        match &mut shape.kind {
            Kind::Structure(structure) => {
                for member in &mut structure.members {
                    if member.name == "TableName" && member.shape == any_arn {
                        member.shape = if items { item_table } else { table };
                    }
                }
            }
            Kind::Map { key, .. } if items && *key == any_arn => *key = batch_table,
            _ => {}
        }
    }
}

fn kms(model: &mut Model) {
    // localstack, recorded in April 2023: this one set is not printed in the usual order. The
    // value that came later stands last.
    shape(model, "KeyUsageType").limits.values_shown =
        Some(&["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"]);
}

/// A check that a service makes by hand, with a text of its own.
#[derive(Debug)]
pub(super) struct OwnCheck {
    service: Service,
    operations: &'static [&'static str],
    pub(super) stage: Stage,
    member: &'static str,
    fails: FailsWhen,
    text: &'static str,
}

/// Whether a check comes before or after those of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    BeforeModel,
    AfterModel,
}

#[derive(Clone, Copy, Debug)]
enum FailsWhen {
    Absent,
    Empty,
    ShorterThan(usize),
    LengthIsNotIn(usize, usize),
    /// And the other member, which the operation requires, is there.
    EmptyBeside(&'static str),
    /// And `Key` is there.
    NoReturnValueBesideKey,
    /// Is less than one, and the other member, which the operation requires, is there.
    LessThanOneBeside(&'static str),
    /// And the other member, which the operation requires, is there, and so are two conditions of the parameter.
    NoConditionalOperatorBeside(&'static str, &'static str),
    /// The text is completed with the path of the first such list.
    TheKeysOfATableAreTooFewOrMany,
    /// The text is completed with what is wrong with the first bad tag.
    ATagIsIncomplete,
}

const NAME_LENGTH: FailsWhen = FailsWhen::LengthIsNotIn(3, 255);

/// In the service's own spelling.
const RETURN_VALUES: &str = "Failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]";
/// That it is `[ALL, OR]` here too was captured; the words before it are those that these operations put before every
/// text of this form.
const CONDITIONAL_OPERATOR_OF_A_WRITE: &str = "1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]";
const EMPTY_TABLE_NAME: &str = "1 validation error detected: Value at 'TableName' failed to satisfy constraint: \
                                Member must have length greater than or equal to 1";

static OWN_CHECKS: [OwnCheck; 17] = [
    // Capture 2026-10, all Regions but two.
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["PutItem"],
        stage: Stage::BeforeModel,
        member: "TableName",
        fails: FailsWhen::EmptyBeside("Item"),
        text: EMPTY_TABLE_NAME,
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["DeleteItem", "UpdateItem"],
        stage: Stage::BeforeModel,
        member: "TableName",
        fails: FailsWhen::EmptyBeside("Key"),
        text: EMPTY_TABLE_NAME,
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["UpdateItem"],
        stage: Stage::BeforeModel,
        member: "ReturnValues",
        fails: FailsWhen::NoReturnValueBesideKey,
        text: RETURN_VALUES,
    },
    // Scan and ExecuteStatement have the model's text.
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["Query"],
        stage: Stage::BeforeModel,
        member: "Limit",
        fails: FailsWhen::LessThanOneBeside("TableName"),
        text: "1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value \
               greater than or equal to 1",
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["Query"],
        stage: Stage::BeforeModel,
        member: "ConditionalOperator",
        fails: FailsWhen::NoConditionalOperatorBeside("TableName", "QueryFilter"),
        text: "Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]",
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["PutItem"],
        stage: Stage::BeforeModel,
        member: "ConditionalOperator",
        fails: FailsWhen::NoConditionalOperatorBeside("Item", "Expected"),
        text: CONDITIONAL_OPERATOR_OF_A_WRITE,
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["UpdateItem"],
        stage: Stage::BeforeModel,
        member: "ConditionalOperator",
        fails: FailsWhen::NoConditionalOperatorBeside("Key", "Expected"),
        text: CONDITIONAL_OPERATOR_OF_A_WRITE,
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["BatchGetItem"],
        stage: Stage::BeforeModel,
        member: "RequestItems",
        fails: FailsWhen::TheKeysOfATableAreTooFewOrMany,
        text: "1 validation error detected: Value at 'RequestItems.",
    },
    // Capture 2026-06 for CreateTable, dynalite for the others.
    OwnCheck {
        service: Service::DynamoDb,
        operations: &[
            "CreateTable",
            "DeleteTable",
            "DescribeTable",
            "DescribeTimeToLive",
            "UpdateTable",
            "UpdateTimeToLive",
        ],
        stage: Stage::BeforeModel,
        member: "TableName",
        fails: FailsWhen::Absent,
        text: "The parameter 'TableName' is required but was not present in the request",
    },
    // Capture 2026-09, us-east-1.
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["BatchGetItem"],
        stage: Stage::BeforeModel,
        member: "RequestItems",
        fails: FailsWhen::Empty,
        text: "1 validation error detected: Value at 'RequestItems' failed to satisfy constraint: Member must have \
               length greater than or equal to 1",
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["BatchWriteItem"],
        stage: Stage::BeforeModel,
        member: "RequestItems",
        fails: FailsWhen::Empty,
        text: "The requestItems parameter is required for BatchWriteItem",
    },
    // The rest: capture 2026-10.
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["DescribeContributorInsights", "UpdateContributorInsights"],
        stage: Stage::BeforeModel,
        member: "IndexName",
        fails: NAME_LENGTH,
        text: "IndexName must be at least 3 characters long and at most 255 characters long",
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &[
            "CreateGlobalTable",
            "DescribeGlobalTable",
            "DescribeGlobalTableSettings",
            "UpdateGlobalTable",
            "UpdateGlobalTableSettings",
        ],
        stage: Stage::BeforeModel,
        member: "GlobalTableName",
        fails: NAME_LENGTH,
        text: "TableName must be at least 3 characters long and at most 255 characters long",
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["RestoreTableFromBackup", "RestoreTableToPointInTime"],
        stage: Stage::BeforeModel,
        member: "TargetTableName",
        fails: NAME_LENGTH,
        text: "TableName must be at least 3 characters long and at most 255 characters long",
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["DeleteBackup", "DescribeBackup"],
        stage: Stage::BeforeModel,
        member: "BackupArn",
        fails: FailsWhen::ShorterThan(37),
        text: "Invalid Backup ARN",
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["ExportTableToPointInTime"],
        stage: Stage::BeforeModel,
        member: "TableArn",
        fails: FailsWhen::Empty,
        text: "Invalid TableArn: Invalid Table ARN",
    },
    OwnCheck {
        service: Service::DynamoDb,
        operations: &["CreateTable", "TagResource"],
        stage: Stage::AfterModel,
        member: "Tags",
        fails: FailsWhen::ATagIsIncomplete,
        text: "The Tag ",
    },
];

impl OwnCheck {
    /// The service's text if `input` fails this check.
    pub(super) fn failure(&self, input: &Document) -> Option<String> {
        let value = input.get(self.member).filter(|value| !value.is_null());
        let length = match value {
            Some(Document::String(text)) => Some(text.encode_utf16().count()),
            Some(Document::Object(entries)) => Some(entries.len()),
            _ => None,
        };
        let failed = match self.fails {
            FailsWhen::Absent => value.is_none(),
            FailsWhen::Empty => length == Some(0),
            FailsWhen::ShorterThan(min) => length.is_some_and(|length| length < min),
            FailsWhen::LengthIsNotIn(min, max) => length.is_some_and(|length| length < min || length > max),
            FailsWhen::EmptyBeside(other) => {
                length == Some(0) && input.get(other).is_some_and(|value| !value.is_null())
            }
            FailsWhen::LessThanOneBeside(other) => {
                value.and_then(Document::as_i64).is_some_and(|value| value < 1)
                    && input.get(other).is_some_and(|value| !value.is_null())
            }
            FailsWhen::NoConditionalOperatorBeside(other, conditions) => {
                let is_known =
                    |value: &Document| value.as_str().is_some_and(|text| ["AND", "OR"].contains(&text));
                let count = input.get(conditions).and_then(Document::as_object).map_or(0, Object::len);
                value.is_some_and(|value| !is_known(value))
                    && input.get(other).is_some_and(|value| !value.is_null())
                    && count > 1
            }
            FailsWhen::NoReturnValueBesideKey => {
                let known = ["ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW", "NONE"];
                let is_known = |value: &Document| value.as_str().is_some_and(|text| known.contains(&text));
                let fails = value.is_some_and(|value| !is_known(value))
                    && input.get("Key").is_some_and(|value| !value.is_null());
                return fails.then(|| format!("1 validation error detected: {}", self.text));
            }
            FailsWhen::TheKeysOfATableAreTooFewOrMany => return self.key_count(value?.as_object()?),
            FailsWhen::ATagIsIncomplete => return self.incomplete_tag(value?.as_array()?),
        };
        failed.then(|| self.text.to_owned())
    }

    fn key_count(&self, tables: &Object) -> Option<String> {
        tables.iter().find_map(|(table, request)| {
            let bound = match request.get("Keys")?.as_array()?.len() {
                0 => "greater than or equal to 1",
                101.. => "less than or equal to 100",
                _ => return None,
            };
            let (text, table) = (self.text, text::cut(table));
            Some(format!(
                "{text}{table}.member.Keys' failed to satisfy constraint: Member must have length {bound}"
            ))
        })
    }

    fn incomplete_tag(&self, tags: &[Document]) -> Option<String> {
        tags.iter().find_map(|tag| {
            let missing =
                ["Key", "Value"].into_iter().find(|part| tag.get(part).is_none_or(Document::is_null))?;
            Some(format!("{}{missing} provided is invalid, {missing}: null", self.text))
        })
    }
}

fn find(model: &Model, name: &str) -> ShapeId {
    let index = model.shapes.iter().position(|shape| shape.name == name);
    let index = index.expect("a deviation names a shape of its model");
    ShapeId(u16::try_from(index).expect("a model has fewer than 65,536 shapes"))
}

fn shape<'m>(model: &'m mut Model, name: &str) -> &'m mut Shape {
    let id = find(model, name);
    &mut model.shapes[id.index()]
}

fn structure<'m>(model: &'m mut Model, name: &str) -> &'m mut Structure {
    match &mut shape(model, name).kind {
        Kind::Structure(structure) => structure,
        _ => panic!("a deviation takes {name} for a structure"),
    }
}

fn require(model: &mut Model, name: &str, member: &str, unless: &'static str) {
    let structure = structure(model, name);
    let position = structure.position(member).expect("a deviation names a member of its structure");
    structure.members[position].required = true;
    structure.members[position].required_unless = Some(unless);
    structure.note_required();
}

fn optional(model: &mut Model, name: &str) {
    let structure = structure(model, name);
    structure.members.iter_mut().for_each(|member| member.required = false);
    structure.note_required();
}

fn add_text(model: &mut Model, name: &'static str, limits: Limits) -> ShapeId {
    add(model, name, Kind::String, limits)
}

fn add(model: &mut Model, name: &'static str, kind: Kind, limits: Limits) -> ShapeId {
    let id = ShapeId(u16::try_from(model.shapes.len()).expect("a model has fewer than 65,536 shapes"));
    model.shapes.push(Shape { name, kind, limits, sensitive: false, error: None });
    id
}
