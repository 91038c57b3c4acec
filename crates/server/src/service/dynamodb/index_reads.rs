//! Query and Scan of an index.

use std::sync::Arc;

use strongroom_model::attribute::Item;
use strongroom_model::document::Document;
use strongroom_model::expression::{Condition, KeyConditions, hash_set_order};
use strongroom_model::index::{IndexCondition, IndexSchema, Projected};
use strongroom_model::key::{self as model_key, KeyAttribute, KeyError, KeySchema, KeyValue, SortCondition};

use super::index_definitions::invalid;
use super::page::PageParameters;
use super::{input, table};
use crate::auth::Caller;
use crate::engine::{Engine, Index, IndexSet, Range, Table};
use crate::service::Output;
use crate::storage::Order;
use crate::wire::ApiError;

/// The index that a request names.
pub struct IndexSource {
    table: Arc<Table>,
    /// The table as the request names it.
    reference: String,
    indexes: Arc<IndexSet>,
    number: u16,
}

impl IndexSource {
    /// The index that `IndexName` names; none where the request reads the table.
    pub fn named(table: &Arc<Table>, body: &Document) -> Result<Option<Self>, ApiError> {
        let Some(name) = input::text(body, "IndexName") else { return Ok(None) };
        let indexes = table.indexes();
        let Some(index) = indexes.by_name(name) else {
            return Err(ApiError::validation(format!("The table does not have the specified index: {name}")));
        };
        if !index.schema.local && input::flag(body, "ConsistentRead") == Some(true) {
            return Err(ApiError::validation(
                "Consistent reads are not supported on global secondary indexes",
            ));
        }
        if !index.record.is_complete() {
            return Err(ApiError::validation(format!(
                "Cannot read from backfilling global secondary index: {name}"
            )));
        }
        let number = index.schema.number;
        let reference = input::text(body, "TableName").unwrap_or_default().to_owned();
        Ok(Some(Self { table: Arc::clone(table), reference, indexes, number }))
    }

    /// Reads a page of what meets the conditions.
    pub async fn query(
        &self,
        engine: &Engine,
        caller: &Caller,
        parameters: PageParameters,
        conditions: &KeyConditions,
        start_key: Option<Item>,
        order: Order,
    ) -> Result<Output, ApiError> {
        let index = self.index()?;
        if let Some(start_key) = &start_key {
            check_start_key(&index.schema, start_key)?;
        }
        let condition = conditions.for_index(&index.schema)?;
        let mut range = index.schema.query_range(&condition);
        if let Some(start_key) = &start_key {
            check_table_key(&index.schema.table, start_key)?;
            let row = index.schema.row(start_key).ok_or_else(starting_key_is_invalid)?;
            if !range.as_ref().is_some_and(|range| model_key::contains(range, &row)) {
                return Err(outside(&index.schema, &condition.hash, condition.sort.as_ref(), start_key));
            }
            range = range.and_then(|range| model_key::beyond(range, &row, order == Order::Ascending));
        }
        self.check_projection_paths(&parameters)?;
        if let Some(filter) = &parameters.filter {
            filter.check_none_of(index.schema.attributes())?;
        }
        let fetch = fetches(&index.schema, &parameters, NameOrder::Hashed)?;
        if let Some(filter) = &parameters.filter {
            self.check_filter_paths(&parameters)?;
            check_filter_is_projected(&index.schema, filter)?;
        }
        self.run(engine, caller, parameters, fetch, range, order).await
    }

    /// Reads a page of a segment; all of the index is segment 0 of 1.
    pub async fn scan(
        &self,
        engine: &Engine,
        caller: &Caller,
        parameters: PageParameters,
        (segment, total): (u32, u32),
        start_key: Option<Item>,
    ) -> Result<Output, ApiError> {
        let index = self.index()?;
        if let Some(start_key) = &start_key {
            check_start_key(&index.schema, start_key)?;
        }
        let fetch = fetches(&index.schema, &parameters, NameOrder::Hashed)?;
        let mut range = index.schema.segment_range(segment, total);
        if let Some(start_key) = &start_key {
            check_table_key(&index.schema.table, start_key)?;
            let row = index.schema.row(start_key).ok_or_else(starting_key_is_invalid)?;
            if !range.as_ref().is_some_and(|range| model_key::contains(range, &row)) {
                return Err(ApiError::validation(format!(
                    "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey \
                     with correct Segment. TotalSegments: {total} Segment: {segment}"
                )));
            }
            range = range.and_then(|range| model_key::beyond(range, &row, true));
        }
        self.check_projection_paths(&parameters)?;
        self.check_filter_paths(&parameters)?;
        self.run(engine, caller, parameters, fetch, range, Order::Ascending).await
    }

    async fn run(
        &self,
        engine: &Engine,
        caller: &Caller,
        parameters: PageParameters,
        fetch: bool,
        range: Option<Range>,
        order: Order,
    ) -> Result<Output, ApiError> {
        let opening = table::open_for_items(engine, &self.table, caller).await?;
        parameters.run_on_index(&opening.table, self.index()?, fetch, &self.reference, range, order).await
    }

    fn index(&self) -> Result<&Index, ApiError> {
        self.indexes.by_number(self.number).ok_or_else(super::errors::not_found)
    }

    fn check_projection_paths(&self, parameters: &PageParameters) -> Result<(), ApiError> {
        let Some(projection) = &parameters.projection else { return Ok(()) };
        projection.check_key_access(&self.table.schema)?;
        Ok(projection.check_index_key_access(self.indexes.schemas())?)
    }

    fn check_filter_paths(&self, parameters: &PageParameters) -> Result<(), ApiError> {
        let Some(filter) = &parameters.filter else { return Ok(()) };
        filter.check_key_access(&self.table.schema)?;
        Ok(filter.check_index_key_access(self.indexes.schemas())?)
    }
}

/// The order in which an error names the attributes that an index does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NameOrder {
    /// That of Java's hash sets, as for Query and Scan.
    Hashed,
    /// That of the statement.
    AsWritten,
}

/// Whether items must be fetched from the table, which only a local index allows: it lies beside them.
pub fn fetches(index: &IndexSchema, parameters: &PageParameters, order: NameOrder) -> Result<bool, ApiError> {
    if parameters.all_attributes && index.projection != Projected::All {
        if index.local {
            return Ok(true);
        }
        return Err(invalid(format!(
            "Select type ALL_ATTRIBUTES is not supported for global secondary index {} because its projection type is \
             not ALL",
            index.name
        )));
    }
    let Some(projection) = &parameters.projection else { return Ok(false) };
    let paths = projection.paths().iter();
    let names = match order {
        NameOrder::Hashed => unprojected(index, paths.rev().map(|path| path.name())),
        NameOrder::AsWritten => unprojected(index, paths.map(|path| path.name())),
    };
    if names.is_empty() || index.local {
        return Ok(!names.is_empty());
    }
    let names = if order == NameOrder::Hashed { hash_set_order(&names, None) } else { names }.join(", ");
    Err(invalid(format!("Global secondary index {} does not project [{names}]", index.name)))
}

/// Refuses a filter of a query that looks at what the index does not have.
pub fn check_filter_is_projected(index: &IndexSchema, filter: &Condition) -> Result<(), ApiError> {
    let names = unprojected(index, filter.attribute_names().into_iter());
    if names.is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "Secondary index {} does not project one or more filter attributes: [{}]",
        index.name,
        names.join(", ")
    )))
}

fn unprojected<'a>(index: &IndexSchema, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names.filter(|name| !index.projects(name)) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

// A starting key has the key attributes of index and table and no others; first those of the index are looked at.
fn check_start_key(index: &IndexSchema, start_key: &Item) -> Result<(), ApiError> {
    if start_key.len() != index.start_key_attributes().len() {
        return Err(starting_key_is_invalid());
    }
    for attribute in index.attributes() {
        if !start_key.contains_key(&attribute.name) {
            return Err(starting_key_is_invalid());
        }
        let is_hash = index.hash.iter().any(|hash| hash.name == attribute.name);
        check_key_piece(attribute, start_key, is_hash)?;
    }
    Ok(())
}

fn check_key_piece(attribute: &KeyAttribute, key: &Item, is_hash: bool) -> Result<(), KeyError> {
    let only = KeySchema { hash: attribute.clone(), range: None };
    let value = key.get(&attribute.name).cloned();
    let piece: Item = value.into_iter().map(|value| (attribute.name.clone(), value)).collect();
    only.key_of_request(&piece)?;
    let is_large = |value: &strongroom_model::attribute::AttributeValue| {
        strongroom_model::size::value_bytes(value) > model_key::SORT_KEY_BYTES_MAX
    };
    if !is_hash && piece.values().any(is_large) {
        return Err(KeyError::SortKeyTooLarge);
    }
    Ok(())
}

fn check_table_key(schema: &KeySchema, start_key: &Item) -> Result<(), ApiError> {
    let wanted = |name: &String| schema.contains(name);
    let key: Item = start_key
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    match schema.key_of_request(&key) {
        Ok(_) => Ok(()),
        Err(error) => Err(ApiError::validation(format!("The provided starting key is invalid: {error}"))),
    }
}

// A starting key that no page can have ended with: which of its parts does not fit decides what is said.
fn outside(
    index: &IndexSchema,
    hash: &[KeyValue],
    sort: Option<&SortCondition>,
    start_key: &Item,
) -> ApiError {
    let same_partition = index.hash.iter().zip(hash).all(|(attribute, wanted)| {
        let given = start_key.get(&attribute.name).and_then(|value| KeyValue::of(value, attribute.key_type));
        given.as_ref() == Some(wanted)
    });
    let text = match sort {
        None => "The provided starting key is outside query boundaries based on provided conditions",
        Some(_) if same_partition || !meets_sort(index, sort, start_key) => {
            "The provided starting key does not match the range key predicate"
        }
        Some(_) => "The query can return at most one row and cannot be restarted",
    };
    ApiError::validation(text)
}

// Whether the start key's own sort key meets the condition, whatever its partition is.
fn meets_sort(index: &IndexSchema, sort: Option<&SortCondition>, start_key: &Item) -> bool {
    let value = |attribute: &KeyAttribute| KeyValue::of(start_key.get(&attribute.name)?, attribute.key_type);
    let hash: Option<Vec<KeyValue>> = index.hash.iter().map(value).collect();
    // Of several attributes the condition is on one, which the others come before.
    let (Some(hash), 1) = (hash, index.range.len()) else { return false };
    let condition = IndexCondition { hash, equal: Vec::new(), sort: sort.cloned() };
    match (index.query_range(&condition), index.row(start_key)) {
        (Some(range), Some(row)) => model_key::contains(&range, &row),
        _ => false,
    }
}

fn starting_key_is_invalid() -> ApiError {
    ApiError::validation("The provided starting key is invalid")
}
