//! CreateTable.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::encryption;
use super::{input, resource_policy, table, tags, throughput};
use crate::engine::{Engine, NewTable};
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs CreateTable. The table is usable when this answers, though the answer says `CREATING` as the service's does.
pub async fn run(engine: &Engine, request: Request) -> Result<Output, ApiError> {
    let new = new_table(engine, &request)?;
    let name = new.name.clone();
    let table =
        engine.create(&request.caller, new).await.map_err(|error| ApiError::creating(error, &name))?;
    let mut description = table::description(engine, &table, "CREATING");
    if let Some(members) = description.as_object_mut() {
        // The service tells these only later.
        if !input::has(&request.input, "WarmThroughput") {
            members.remove("WarmThroughput");
        }
        if let Some(summary) = members.get_mut("BillingModeSummary").and_then(Value::as_object_mut) {
            summary.remove("LastUpdateToPayPerRequestDateTime");
        }
    }
    Ok(json!({ "TableDescription": description }).into())
}

fn new_table(engine: &Engine, request: &Request) -> Result<NewTable, ApiError> {
    let body = &request.input;
    input::refuse(body, &["LocalSecondaryIndexes", "GlobalSecondaryIndexes"])?;
    if body.get("StreamSpecification").and_then(|stream| input::flag(stream, "StreamEnabled")) == Some(true) {
        return Err(ApiError::validation("Strongroom does not support StreamSpecification yet"));
    }
    let reference = input::text(body, "TableName").unwrap_or_default();
    let name = table::name_of(&request.caller, reference).ok_or_else(|| {
        ApiError::validation(format!("Invalid TableArn: Invalid ResourceArn provided as input {reference}"))
    })?;
    let provisioned = provisioned(body, None)?;
    let (hash, range) = key_schema(body)?;
    let choice = encryption::choice(body.get("SSESpecification"))?;
    let now_millis = engine.clock().now_millis();
    let mut options = throughput::of_new_table(body, provisioned, &request.caller.region)?;
    options.policy = input::text(body, "ResourcePolicy")
        .map(|text| resource_policy::first(text, now_millis))
        .transpose()?;
    Ok(NewTable {
        name: name.to_owned(),
        hash,
        range,
        provisioned,
        table_class: input::text(body, "TableClass").map(str::to_owned),
        deletion_protection: input::flag(body, "DeletionProtectionEnabled").unwrap_or(false),
        tags: tags::tags(body.get("Tags"))?,
        key: choice.key().map(str::to_owned),
        options,
    })
}

/// The units of `ProvisionedThroughput`, or none for on-demand, by `BillingMode` or else by `before`.
pub fn provisioned(body: &Value, before: Option<Option<(i64, i64)>>) -> Result<Option<(i64, i64)>, ApiError> {
    let invalid =
        |text: &str| ApiError::validation(format!("One or more parameter values were invalid: {text}"));
    let units = body.get("ProvisionedThroughput").filter(|units| !units.is_null()).map(|units| {
        let read = input::integer(units, "ReadCapacityUnits").unwrap_or(0);
        (read, input::integer(units, "WriteCapacityUnits").unwrap_or(0))
    });
    let on_demand = match input::text(body, "BillingMode") {
        Some(mode) => mode == "PAY_PER_REQUEST",
        None => before == Some(None),
    };
    match (on_demand, units) {
        (true, None) => Ok(None),
        (true, Some(_)) => Err(invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        )),
        (false, Some(units)) => Ok(Some(units)),
        (false, None) => match before {
            Some(Some(units)) => Ok(Some(units)),
            _ => Err(invalid(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            )),
        },
    }
}

type NameAndType = (String, String);

fn key_schema(body: &Value) -> Result<(NameAndType, Option<NameAndType>), ApiError> {
    let invalid =
        |text: String| ApiError::validation(format!("One or more parameter values were invalid: {text}"));
    let elements = body.get("KeySchema").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let definitions =
        body.get("AttributeDefinitions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut types = BTreeMap::new();
    for definition in definitions {
        let name = input::text(definition, "AttributeName").unwrap_or_default();
        let attribute_type = input::text(definition, "AttributeType").unwrap_or_default();
        if types.insert(name, attribute_type).is_some() {
            return Err(ApiError::validation("Cannot have two attributes with the same name"));
        }
    }
    let names: Vec<&str> =
        elements.iter().filter_map(|element| input::text(element, "AttributeName")).collect();
    let kinds: Vec<&str> = elements.iter().filter_map(|element| input::text(element, "KeyType")).collect();
    if kinds.first() != Some(&"HASH") {
        return Err(ApiError::validation(
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ));
    }
    if let Some(second) = kinds.get(1) {
        if names[0] == names[1] {
            return Err(ApiError::validation(
                "Both the Hash Key and the Range Key element in the KeySchema have the same name",
            ));
        }
        if *second != "RANGE" {
            return Err(ApiError::validation(
                "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
            ));
        }
    }
    let defined = names.iter().all(|name| types.contains_key(name));
    if !defined {
        let known: Vec<&str> =
            definitions.iter().filter_map(|definition| input::text(definition, "AttributeName")).collect();
        return Err(invalid(format!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], \
             AttributeDefinitions: [{}]",
            names.join(", "),
            known.join(", ")
        )));
    }
    if types.len() != names.len() {
        return Err(invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in \
             AttributeDefinitions"
                .to_owned(),
        ));
    }
    let attribute = |name: &&str| ((*name).to_owned(), types[*name].to_owned());
    let hash = attribute(&names[0]);
    Ok((hash, names.get(1).map(attribute)))
}
