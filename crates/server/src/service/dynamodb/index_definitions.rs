//! The indexes that CreateTable and UpdateTable ask for: from the request's form to checked definitions.

use std::collections::BTreeSet;

use strongroom_model::document::Document;
use strongroom_model::expression::hash_set_order;
use strongroom_model::index::KEY_ATTRIBUTES_MAX;

use super::throughput_rules::units;
use super::{index_throughput, input};
use crate::engine::{NewIndex, ProjectionRecord, ThroughputRecord};
use crate::wire::ApiError;

/// The most local secondary indexes of a table.
const LOCAL_INDEXES_MAX: usize = 5;
/// The most global secondary indexes of a table.
pub const GLOBAL_INDEXES_MAX: usize = 20;
/// The most attributes that all indexes of a table together may name in `NonKeyAttributes`.
pub const INCLUDED_ATTRIBUTES_MAX: usize = 100;

/// A key attribute's name and type.
pub type NameAndType = (String, String);

/// `AttributeDefinitions`: names with types, in the order of the request.
pub struct Definitions(Vec<NameAndType>);

/// A `KeySchema`: names of the partition key's attributes, and of the sort key's.
pub struct Keys {
    /// The partition key's.
    pub hash: Vec<String>,
    /// The sort key's.
    pub range: Vec<String>,
}

/// What CreateTable says of keys and indexes.
pub struct TableKeys {
    /// The partition key.
    pub hash: NameAndType,
    /// The sort key.
    pub range: Option<NameAndType>,
    /// The local indexes, then the global ones.
    pub indexes: Vec<NewIndex>,
}

/// Reads and checks the keys and indexes of a CreateTable request.
pub fn table_keys(body: &Document, on_demand: bool) -> Result<TableKeys, ApiError> {
    let definitions = Definitions::read(body)?;
    let elements = key_elements(body);
    if elements.len() > definitions.0.len() {
        return Err(ApiError::validation("Invalid KeySchema: Some index key attribute have no definition"));
    }
    definitions.check_defined(&elements)?;
    let keys = pair(&elements)?;
    let list = |name: &str| match body.get(name).filter(|list| !list.is_null()) {
        None => Ok(None),
        Some(Document::Array(list)) if !list.is_empty() => Ok(Some(&list[..])),
        Some(_) => Err(invalid(format!("List of {name} is empty"))),
    };
    let local = list("LocalSecondaryIndexes")?;
    let global = list("GlobalSecondaryIndexes")?;
    if local.is_none() && global.is_none() && elements.len() != definitions.0.len() {
        return Err(invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in \
             AttributeDefinitions",
        ));
    }
    let hash = keys.hash.first().cloned().unwrap_or_default();
    if local.is_some() && keys.range.is_empty() {
        return Err(invalid(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
        ));
    }
    let all: Vec<(bool, &Document)> = local
        .unwrap_or_default()
        .iter()
        .map(|index| (true, index))
        .chain(global.unwrap_or_default().iter().map(|index| (false, index)))
        .collect();
    for (is_local, index) in &all {
        let elements = key_elements(index);
        definitions.check_defined(&elements)?;
        if !is_local {
            check_names(&elements)?;
        }
    }
    if !all.is_empty() {
        let of_indexes = all.iter().flat_map(|(_, index)| key_elements(index));
        definitions.check_used(elements.iter().copied().chain(of_indexes))?;
    }
    let mut names = BTreeSet::new();
    let mut indexes = Vec::with_capacity(all.len());
    for (is_local, index) in all {
        let new = if is_local {
            local_index(index, &hash, &definitions)?
        } else {
            let new = global_index(index, &definitions)?;
            check_throughput(&new, on_demand)?;
            let throughput = index_throughput::of_new_index(index, &new.name, new.provisioned, on_demand)?;
            NewIndex { throughput, ..new }
        };
        if !names.insert(new.name.clone()) {
            return Err(invalid(format!("Duplicate index name: {}", new.name)));
        }
        indexes.push(new);
    }
    if local.is_some_and(|local| local.len() > LOCAL_INDEXES_MAX) {
        return Err(invalid(format!(
            "Number of LocalSecondaryIndexes exceeds per-table limit of {LOCAL_INDEXES_MAX}"
        )));
    }
    if global.is_some_and(|global| global.len() > GLOBAL_INDEXES_MAX) {
        return Err(invalid(format!(
            "GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_INDEXES_MAX}"
        )));
    }
    check_included(indexes.iter().map(|index| &index.projection))?;
    let mut keys = keys.hash.iter().chain(&keys.range).map(|name| definitions.key(name));
    let hash = keys.next().unwrap_or_default();
    Ok(TableKeys { hash, range: keys.next(), indexes })
}

/// Reads and checks one global index; the throughput is the caller's to check.
pub fn global_index(index: &Document, definitions: &Definitions) -> Result<NewIndex, ApiError> {
    let keys = many(&key_elements(index))?;
    let provisioned = units(index);
    Ok(NewIndex { provisioned, ..new_index(index, false, &keys, definitions)? })
}

/// Refuses more `NonKeyAttributes` than the indexes of a table may have together.
///
/// The service's text for this is not known; the limit is documented.
pub fn check_included<'a>(projections: impl Iterator<Item = &'a ProjectionRecord>) -> Result<(), ApiError> {
    let counts = projections.map(|projection| match projection {
        ProjectionRecord::Include(names) => names.len(),
        ProjectionRecord::All | ProjectionRecord::KeysOnly => 0,
    });
    if counts.sum::<usize>() > INCLUDED_ATTRIBUTES_MAX {
        return Err(invalid(format!(
            "Number of NonKeyAttributes of all indexes exceeds per-table limit of {INCLUDED_ATTRIBUTES_MAX}"
        )));
    }
    Ok(())
}

impl Definitions {
    /// Reads `AttributeDefinitions`.
    pub fn read(body: &Document) -> Result<Self, ApiError> {
        let list = body.get("AttributeDefinitions").and_then(Document::as_array).unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut definitions = Vec::with_capacity(list.len());
        for definition in list {
            let name = input::text(definition, "AttributeName").unwrap_or_default();
            if !seen.insert(name) {
                return Err(ApiError::validation(format!("Attribute Name is duplicated: {name}")));
            }
            let key_type = input::text(definition, "AttributeType").unwrap_or_default();
            definitions.push((name.to_owned(), key_type.to_owned()));
        }
        Ok(Self(definitions))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The type that is defined for an attribute.
    pub fn type_of(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(defined, _)| defined == name).map(|(_, key_type)| key_type.as_str())
    }

    /// These definitions and those of `others` that they do not have.
    pub fn with(&self, others: Vec<NameAndType>) -> Self {
        let mut all = self.0.clone();
        for other in others {
            if !all.iter().any(|(name, _)| *name == other.0) {
                all.push(other);
            }
        }
        Self(all)
    }

    /// Refuses keys that are not defined.
    pub fn check_defined(&self, elements: &[KeyElement<'_>]) -> Result<(), ApiError> {
        if elements.iter().all(|(name, _)| self.0.iter().any(|(defined, _)| defined == name)) {
            return Ok(());
        }
        let keys: Vec<&str> = elements.iter().map(|(name, _)| *name).collect();
        Err(invalid(format!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], AttributeDefinitions: \
             [{}]",
            hash_set_order(&keys, None).join(", "),
            self.names()
        )))
    }

    fn check_used<'a>(&self, used: impl Iterator<Item = KeyElement<'a>>) -> Result<(), ApiError> {
        let mut keys: Vec<&str> = Vec::new();
        for (name, _) in used {
            if !keys.contains(&name) {
                keys.push(name);
            }
        }
        if self.0.iter().all(|(name, _)| keys.contains(&name.as_str())) {
            return Ok(());
        }
        Err(invalid(format!(
            "Some AttributeDefinitions are not used. AttributeDefinitions: [{}], keys used: [{}]",
            self.names(),
            hash_set_order(&keys, None).join(", ")
        )))
    }

    /// A key attribute with its type.
    fn key(&self, name: &str) -> NameAndType {
        self.0.iter().find(|(defined, _)| defined == name).cloned().unwrap_or_default()
    }

    // The service keeps them in a set that is made for their number.
    fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        hash_set_order(&names, Some(names.len())).join(", ")
    }
}

/// An element of a `KeySchema`: name and key type.
pub type KeyElement<'a> = (&'a str, &'a str);

/// The elements of `KeySchema`.
pub fn key_elements(holder: &Document) -> Vec<KeyElement<'_>> {
    let elements = holder.get("KeySchema").and_then(Document::as_array).unwrap_or_default();
    let element = |element| Some((input::text(element, "AttributeName")?, input::text(element, "KeyType")?));
    elements.iter().filter_map(element).collect()
}

// The key of a table or of a local index: one attribute, or two.
fn pair(elements: &[KeyElement<'_>]) -> Result<Keys, ApiError> {
    if let [(first, _), (second, _), ..] = elements
        && first == second
    {
        return Err(ApiError::validation(SAME_NAME));
    }
    if elements.first().is_none_or(|(_, kind)| *kind != "HASH") {
        return Err(ApiError::validation(FIRST_NOT_HASH));
    }
    if elements.get(1).is_some_and(|(_, kind)| *kind != "RANGE") {
        return Err(ApiError::validation(
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
        ));
    }
    let names = |elements: &[KeyElement<'_>]| elements.iter().map(|(name, _)| (*name).to_owned()).collect();
    let (hash, range) = elements.split_at(1);
    Ok(Keys { hash: names(hash), range: names(range) })
}

// The key of a global index: up to four attributes for the partition, then up to four to sort by.
fn many(elements: &[KeyElement<'_>]) -> Result<Keys, ApiError> {
    check_names(elements)?;
    if elements.first().is_none_or(|(_, kind)| *kind != "HASH") {
        return Err(ApiError::validation(FIRST_NOT_HASH));
    }
    if !elements.is_sorted_by_key(|(_, kind)| *kind == "RANGE") {
        return Err(invalid("All HASH key attributes must precede RANGE key attributes in the KeySchema"));
    }
    let of = |wanted: &str| -> Result<Vec<String>, ApiError> {
        let names: Vec<String> =
            elements.iter().filter(|(_, kind)| *kind == wanted).map(|(name, _)| (*name).to_owned()).collect();
        if names.len() > KEY_ATTRIBUTES_MAX {
            return Err(invalid(format!(
                "The KeySchema exceeds the maximum allowed number of {wanted} key attributes"
            )));
        }
        Ok(names)
    };
    Ok(Keys { hash: of("HASH")?, range: of("RANGE")? })
}

// No attribute stands twice in the key of a global index.
fn check_names(elements: &[KeyElement<'_>]) -> Result<(), ApiError> {
    if let [(first, _), (second, "RANGE")] = elements
        && first == second
    {
        return Err(ApiError::validation(SAME_NAME));
    }
    let mut seen = BTreeSet::new();
    if !elements.iter().all(|(name, _)| seen.insert(name)) {
        return Err(ApiError::validation(
            "The KeySchema contains multiple key attributes with the same name",
        ));
    }
    Ok(())
}

fn local_index(index: &Document, table_hash: &str, definitions: &Definitions) -> Result<NewIndex, ApiError> {
    let name = input::text(index, "IndexName").unwrap_or_default();
    let keys = pair(&key_elements(index))?;
    if keys.range.is_empty() {
        return Err(invalid(format!("Index KeySchema does not have a range key for index: {name}")));
    }
    let hash = keys.hash.first().map_or("", String::as_str);
    if hash != table_hash {
        return Err(invalid(format!(
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. index hash \
             key: {hash}, table hash key: {table_hash}"
        )));
    }
    new_index(index, true, &keys, definitions)
}

fn new_index(
    index: &Document,
    local: bool,
    keys: &Keys,
    definitions: &Definitions,
) -> Result<NewIndex, ApiError> {
    let attributes = |names: &[String]| names.iter().map(|name| definitions.key(name)).collect();
    Ok(NewIndex {
        name: input::text(index, "IndexName").unwrap_or_default().to_owned(),
        local,
        hash: attributes(&keys.hash),
        range: attributes(&keys.range),
        projection: projection(index)?,
        provisioned: None,
        throughput: ThroughputRecord::default(),
    })
}

fn projection(index: &Document) -> Result<ProjectionRecord, ApiError> {
    let projection = index.get("Projection").unwrap_or(&Document::Null);
    let names: Option<Vec<&str>> = projection
        .get("NonKeyAttributes")
        .and_then(Document::as_array)
        .map(|names| names.iter().filter_map(Document::as_str).collect());
    let kind = input::text(projection, "ProjectionType");
    match (kind, names) {
        (None, _) => Err(invalid("Unknown ProjectionType: null")),
        (Some("INCLUDE"), None) => {
            Err(invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified"))
        }
        (Some("INCLUDE"), Some(names)) => {
            let mut seen = BTreeSet::new();
            match names.iter().find(|name| !seen.insert(**name)) {
                Some(name) => Err(invalid(format!("Duplicate element in NonKeyAttributes: {name}"))),
                None => Ok(ProjectionRecord::Include(names.into_iter().map(str::to_owned).collect())),
            }
        }
        (Some(kind), Some(_)) => {
            Err(invalid(format!("ProjectionType is {kind}, but NonKeyAttributes is specified")))
        }
        (Some("ALL"), None) => Ok(ProjectionRecord::All),
        (Some(_), None) => Ok(ProjectionRecord::KeysOnly),
    }
}

fn check_throughput(index: &NewIndex, on_demand: bool) -> Result<(), ApiError> {
    match (on_demand, index.provisioned) {
        (true, Some(_)) => Err(invalid(format!(
            "ProvisionedThroughput should not be specified for index: {} when BillingMode is PAY_PER_REQUEST",
            index.name
        ))),
        (false, None) => {
            Err(invalid(format!("ProvisionedThroughput is not specified for index: {}", index.name)))
        }
        _ => Ok(()),
    }
}

/// The error for parameter values that do not go together.
pub fn invalid(text: impl AsRef<str>) -> ApiError {
    ApiError::validation(format!("One or more parameter values were invalid: {}", text.as_ref()))
}

const SAME_NAME: &str = "Both the Hash Key and the Range Key element in the KeySchema have the same name";
const FIRST_NOT_HASH: &str = "Invalid KeySchema: The first KeySchemaElement is not a HASH key type";
