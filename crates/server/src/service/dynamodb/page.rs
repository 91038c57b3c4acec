//! One page of a Query or Scan: rows in, items or a count out.

use bytes::Bytes;
use serde_json::Value;
use strongroom_model::attribute::Item;
use strongroom_model::document::Document;
use strongroom_model::expression::{Condition, Projection};
use strongroom_model::key::KeySchema;
use strongroom_model::{json as attribute_json, size, stored};

use super::capacity::{self, Units, Wanted};
use super::evaluation::Evaluation;
use super::{input, select, write};
use crate::engine::{Index, OpenTable, Range};
use crate::service::Output;
use crate::storage::{Order, StorageError};
use crate::wire::ApiError;

/// A page ends once it has read this many bytes of items.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// What the reader of a page asks for, apart from where to read.
pub struct PageParameters {
    /// At most this many items are looked at.
    pub limit: Option<usize>,
    /// Whether only durable rows are shown.
    pub consistent: bool,
    /// Whether items are counted and not shown.
    pub count_only: bool,
    /// Whether all attributes are asked for, also those that an index does not have.
    pub all_attributes: bool,
    /// Which items are shown.
    pub filter: Option<Condition>,
    /// Which attributes of them.
    pub projection: Option<Projection>,
    /// `ReturnConsumedCapacity`.
    pub capacity: Wanted,
}

impl PageParameters {
    /// Reads what Query and Scan have in common; the expressions are parsed already.
    pub fn read(
        operation: &str,
        body: &Document,
        filter: Option<Condition>,
        projection: Option<Projection>,
    ) -> Result<Self, ApiError> {
        let select = input::text(body, "Select");
        select::check(operation, body)?;
        Ok(Self {
            limit: input::integer(body, "Limit").and_then(|limit| usize::try_from(limit).ok()),
            consistent: input::flag(body, "ConsistentRead").unwrap_or(false),
            count_only: select == Some("COUNT"),
            all_attributes: select == Some("ALL_ATTRIBUTES"),
            filter,
            projection,
            capacity: capacity::wanted(body),
        })
    }

    /// Reads the page from the table; `range` is none where no row can be.
    pub async fn run(
        &self,
        table: &OpenTable,
        schema: &KeySchema,
        table_name: &str,
        range: Option<Range>,
        order: Order,
    ) -> Result<Output, ApiError> {
        let mut page = Page::new(self);
        let last_row = page.read(table, range, order).await?;
        let last_key = last_row.map(|row| {
            let key = schema.decode_item_key(&row).ok_or_else(damaged_key)?;
            Ok::<_, ApiError>(schema.key_attributes(&key))
        });
        let units = size::read_units(page.scanned_bytes, self.consistent);
        let consumed = self.capacity.of(table_name, units);
        Ok(page.answer(last_key.transpose()?, consumed))
    }

    /// Reads the page from an index. With `fetch`, which only a local index allows, the items that are shown come
    /// from the table.
    pub async fn run_on_index(
        &self,
        table: &OpenTable,
        index: &Index,
        fetch: bool,
        table_name: &str,
        range: Option<Range>,
        order: Order,
    ) -> Result<Output, ApiError> {
        let mut page = Page::new(self);
        let mut units = Units::default();
        let last_row = if fetch {
            page.read_and_fetch(table, index, range, order, &mut units.table).await?
        } else {
            page.read(table, range, order).await?
        };
        let last_key =
            last_row.map(|row| index.schema.key_of_row(&row).ok_or_else(damaged_key)).transpose()?;
        units.add(&index.schema, size::read_units(page.entry_bytes, self.consistent));
        let consumed = self.capacity.of_units(table_name, &units);
        Ok(page.answer(last_key, consumed))
    }
}

fn entry_without_item() -> ApiError {
    StorageError::Damaged("an entry of an index has no item".to_owned()).into()
}

fn damaged_key() -> ApiError {
    StorageError::Damaged("a stored key does not parse".to_owned()).into()
}

/// A page that is being read.
pub struct Page<'a> {
    parameters: &'a PageParameters,
    /// The items' JSON, separated by commas.
    pub items: Vec<u8>,
    count: usize,
    scanned_count: usize,
    evaluation: Evaluation,
    /// What counts for the end of the page: the size of all rows that were looked at, and of items that were
    /// fetched for them.
    pub scanned_bytes: usize,
    /// The size of rows alone.
    pub entry_bytes: usize,
    /// The stored key of the row that was looked at last.
    pub last_key: Option<Bytes>,
}

impl<'a> Page<'a> {
    /// An empty page.
    pub fn new(parameters: &'a PageParameters) -> Self {
        Self {
            parameters,
            items: Vec::new(),
            count: 0,
            scanned_count: 0,
            evaluation: Evaluation::default(),
            scanned_bytes: 0,
            entry_bytes: 0,
            last_key: None,
        }
    }

    /// Reads rows until the page is full or the range ends; returns the last row's key if more may follow.
    pub async fn read(
        &mut self,
        table: &OpenTable,
        range: Option<Range>,
        order: Order,
    ) -> Result<Option<Bytes>, ApiError> {
        let Some(range) = range else { return Ok(None) };
        let consistent = self.parameters.consistent;
        let to_end =
            table.visit::<ApiError>(range, order, consistent, |key, stored| self.take(key, &stored)).await?;
        // The service does not look whether another item follows the last one.
        Ok(if to_end { None } else { self.last_key.take() })
    }

    /// Reads an index's entries; of those that pass the filter, the items are read from the table.
    pub async fn read_and_fetch(
        &mut self,
        table: &OpenTable,
        index: &Index,
        range: Option<Range>,
        order: Order,
        table_units: &mut f64,
    ) -> Result<Option<Bytes>, ApiError> {
        let Some(range) = range else { return Ok(None) };
        let parameters = self.parameters;
        let moment = table.moment(parameters.consistent).await?;
        let mut rows = moment.rows(range, order).await?;
        while let Some((row, stored)) = rows.next().await? {
            let bytes = stored::item_bytes(&stored).map_err(write::damaged)?;
            let passes = match &parameters.filter {
                None => true,
                Some(filter) => {
                    let entry = stored::decode(&stored).map_err(write::damaged)?;
                    self.evaluation.matches(filter, &entry, bytes)
                }
            };
            self.entry_bytes += bytes;
            self.scanned_bytes += bytes;
            self.scanned_count += 1;
            if passes {
                let item_row = index.schema.item_row(&row).ok_or_else(damaged_key)?;
                let item = moment.read(&item_row).await?.ok_or_else(entry_without_item)?;
                let bytes = stored::item_bytes(&item).map_err(write::damaged)?;
                self.scanned_bytes += bytes;
                *table_units += size::read_units(bytes, parameters.consistent);
                self.show(|out| write::show(&item, parameters.projection.as_ref(), out))?;
            }
            if self.is_full() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Takes one row; says whether the page goes on.
    pub fn take(&mut self, key: Bytes, stored: &Bytes) -> Result<bool, ApiError> {
        let bytes = stored::item_bytes(stored).map_err(write::damaged)?;
        self.scanned_bytes += bytes;
        self.entry_bytes += bytes;
        self.scanned_count += 1;
        let parameters = self.parameters;
        if parameters.filter.is_none() && parameters.projection.is_none() {
            self.show(|out| stored::write_item_json(stored, out).map_err(write::damaged))?;
        } else {
            let item: Item = stored::decode(stored).map_err(write::damaged)?;
            let evaluation = &mut self.evaluation;
            if parameters.filter.as_ref().is_none_or(|filter| evaluation.matches(filter, &item, bytes)) {
                self.show(|out| {
                    match &parameters.projection {
                        Some(projection) => attribute_json::write_item_json(&projection.apply(&item), out),
                        None => attribute_json::write_item_json(&item, out),
                    }
                    Ok(())
                })?;
            }
        }
        self.last_key = Some(key);
        Ok(!self.is_full())
    }

    fn is_full(&self) -> bool {
        self.scanned_bytes >= PAGE_BYTES_MAX
            || self.parameters.limit.is_some_and(|limit| self.scanned_count >= limit)
    }

    fn show(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), ApiError>) -> Result<(), ApiError> {
        self.count += 1;
        if self.parameters.count_only {
            return Ok(());
        }
        if !self.items.is_empty() {
            self.items.push(b',');
        }
        write(&mut self.items)
    }

    fn answer(self, last_key: Option<Item>, consumed: Option<Value>) -> Output {
        let mut out = Vec::with_capacity(self.items.len() + 128);
        out.push(b'{');
        if !self.parameters.count_only {
            out.extend_from_slice(b"\"Items\":[");
            out.extend_from_slice(&self.items);
            out.extend_from_slice(b"],");
        }
        out.extend_from_slice(
            format!("\"Count\":{},\"ScannedCount\":{}", self.count, self.scanned_count).as_bytes(),
        );
        if let Some(key) = last_key {
            out.extend_from_slice(b",\"LastEvaluatedKey\":");
            attribute_json::write_item_json(&key, &mut out);
        }
        if let Some(consumed) = consumed {
            out.extend_from_slice(b",\"ConsumedCapacity\":");
            out.extend_from_slice(consumed.to_string().as_bytes());
        }
        out.push(b'}');
        Output::Bytes(out)
    }
}
