//! One page of a Query or Scan: rows in, items or a count out.

use bytes::Bytes;
use serde_json::{Value, json};
use strongroom_model::attribute::Item;
use strongroom_model::expression::{Condition, Projection};
use strongroom_model::key::KeySchema;
use strongroom_model::{json as attribute_json, size, stored};

use super::capacity::{self, Wanted};
use super::{input, select, write};
use crate::engine::{OpenTable, Range};
use crate::service::Output;
use crate::storage::Order;
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
        body: &Value,
        filter: Option<Condition>,
        projection: Option<Projection>,
    ) -> Result<Self, ApiError> {
        let select = input::text(body, "Select");
        select::check(body)?;
        Ok(Self {
            limit: input::integer(body, "Limit").and_then(|limit| usize::try_from(limit).ok()),
            consistent: input::flag(body, "ConsistentRead").unwrap_or(false),
            count_only: select == Some("COUNT"),
            filter,
            projection,
            capacity: capacity::wanted(body),
        })
    }

    /// Reads the page; `range` is none where no row can be.
    pub async fn run(
        &self,
        table: &OpenTable,
        schema: &KeySchema,
        table_name: &str,
        range: Option<Range>,
        order: Order,
    ) -> Result<Output, ApiError> {
        let mut page = Page::new(self);
        let mut last_key = None;
        if let Some(range) = range {
            let to_end = table
                .visit::<ApiError>(range, order, self.consistent, |key, stored| page.take(key, &stored))
                .await?;
            // The service does not look whether another item follows the last one.
            if !to_end {
                last_key = page.last_key.take();
            }
        }
        page.answer(schema, table_name, last_key)
    }
}

/// A page that is being read.
pub struct Page<'a> {
    parameters: &'a PageParameters,
    /// The items' JSON, separated by commas.
    pub items: Vec<u8>,
    count: usize,
    scanned_count: usize,
    /// The size of all items that were looked at.
    pub scanned_bytes: usize,
    /// The stored key of the item that was looked at last.
    pub last_key: Option<Bytes>,
}

impl<'a> Page<'a> {
    /// An empty page.
    pub fn new(parameters: &'a PageParameters) -> Self {
        Self { parameters, items: Vec::new(), count: 0, scanned_count: 0, scanned_bytes: 0, last_key: None }
    }

    /// Takes one row; says whether the page goes on.
    pub fn take(&mut self, key: Bytes, stored: &Bytes) -> Result<bool, ApiError> {
        self.scanned_bytes += stored::item_bytes(stored).map_err(write::damaged)?;
        self.scanned_count += 1;
        let parameters = self.parameters;
        if parameters.filter.is_none() && parameters.projection.is_none() {
            self.show(|out| stored::write_item_json(stored, out).map_err(write::damaged))?;
        } else {
            let item: Item = stored::decode(stored).map_err(write::damaged)?;
            if parameters.filter.as_ref().is_none_or(|filter| filter.matches(&item)) {
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
        let full = self.scanned_bytes >= PAGE_BYTES_MAX
            || parameters.limit.is_some_and(|limit| self.scanned_count >= limit);
        Ok(!full)
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

    fn answer(
        self,
        schema: &KeySchema,
        table_name: &str,
        last_key: Option<Bytes>,
    ) -> Result<Output, ApiError> {
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
            let key = schema.decode_item_key(&key).ok_or_else(|| {
                ApiError::from(crate::storage::StorageError::Damaged(
                    "a stored key does not parse".to_owned(),
                ))
            })?;
            out.extend_from_slice(b",\"LastEvaluatedKey\":");
            attribute_json::write_item_json(&schema.key_attributes(&key), &mut out);
        }
        let units = size::read_units(self.scanned_bytes, self.parameters.consistent);
        if let Some(consumed) = self.parameters.capacity.of(table_name, units) {
            out.extend_from_slice(b",\"ConsumedCapacity\":");
            out.extend_from_slice(json!(consumed).to_string().as_bytes());
        }
        out.push(b'}');
        Ok(Output::Bytes(out))
    }
}
