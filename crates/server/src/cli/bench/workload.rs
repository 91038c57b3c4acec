//! What is asked of the server: the table, and the requests of each workload, serialised once.
//!
//! Item `n` has the partition key `n / 20` and the sort key `n % 20`, so that
//! a partition holds twenty items and a query returns twenty.

use bytes::Bytes;
use clap::ValueEnum;
use serde::Serialize;

/// Which requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Workload {
    /// GetItem of a random item
    Get,
    /// PutItem of a new item
    Put,
    /// UpdateItem that counts up in a random item
    Update,
    /// Query of a random partition, twenty items
    Query,
    /// BatchWriteItem of 25 new items
    BatchWrite,
    /// 60 % get, 20 % put, 10 % update, 8 % query, 2 % batch-write
    Mixed,
}

/// The request of one kind, with places for the keys.
struct Template {
    operation: &'static str,
    bytes: Vec<u8>,
    places: Vec<Place>,
}

// Where the key of the request's next item goes.
struct Place {
    partition: usize,
    sort: Option<usize>,
}

/// The requests of one run.
pub(super) struct Requests {
    table: String,
    workload: Workload,
    global_indexes: u8,
    get: Template,
    put: Template,
    update: Template,
    query: Template,
    batch_write: Template,
}

/// Items of a partition.
const PARTITION_ITEMS: u64 = 20;
/// The most puts that BatchWriteItem takes.
pub(super) const BATCH_ITEMS: u64 = 25;
/// What an item's keys and attribute names take: `pk` and 16 digits, `sk` and two, `v`.
const KEY_BYTES: usize = 2 + 16 + 2 + 2 + 1;
/// The smallest item with a value.
pub(super) const ITEM_BYTES_MIN: usize = KEY_BYTES + 1;

/// A request that is ready to be signed and sent.
pub(super) struct Ready {
    /// The operation's name.
    pub operation: &'static str,
    /// The body.
    pub body: Bytes,
    /// How many items it reads or writes.
    pub items: u64,
}

/// Where a worker takes its items from.
pub(super) struct Picker {
    preloaded: u64,
    next_new: u64,
    state: u64,
}

impl Picker {
    /// `worker` numbers the workers from 0; each makes items that nobody else makes.
    pub(super) fn new(preloaded: u64, worker: u64, seed: u64) -> Self {
        Self { preloaded, next_new: (worker + 1) << 40, state: seed.wrapping_add(worker) }
    }

    fn any(&mut self) -> u64 {
        self.random() % self.preloaded
    }

    fn new_item(&mut self) -> u64 {
        self.next_new += 1;
        self.next_new
    }

    // SplitMix64: a client's choice of items needs no better.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Requests {
    /// The requests for `table`, with items of `item_bytes` as the service counts them.
    pub(super) fn new(workload: Workload, table: &str, item_bytes: usize, is_consistent: bool) -> Self {
        // Letters and digits, none like the next one, so that no compression flatters anybody.
        let mut picker = Picker::new(1, 0, item_bytes as u64);
        let value: String = (KEY_BYTES..item_bytes.max(ITEM_BYTES_MIN))
            .map(|_| char::from(ALPHABET[(picker.random() >> 32) as usize % ALPHABET.len()]))
            .collect();
        let named = || format!(r#"{{"TableName":"{table}""#);
        let put = |template: Template| {
            template.text(r#"{"#).key().text(r#","v":{"S":""#).text(&value).text(r#""}}"#)
        };
        let get = Template::new("GetItem")
            .text(&named())
            .text(if is_consistent { r#","ConsistentRead":true,"Key":{"# } else { r#","Key":{"# })
            .key()
            .text("}}");
        let update = Template::new("UpdateItem")
            .text(&named())
            .text(r#","Key":{"#)
            .key()
            .text(r##"},"UpdateExpression":"ADD #n :one","ExpressionAttributeNames":{"#n":"n"},"##)
            .text(r#""ExpressionAttributeValues":{":one":{"N":"1"}}}"#);
        let query = Template::new("Query")
            .text(&named())
            .text(if is_consistent { r#","ConsistentRead":true"# } else { "" })
            .text(r#","KeyConditionExpression":"pk = :pk","ExpressionAttributeValues":{":pk":{"S":""#)
            .partition()
            .text(r#""}}}"#);
        let mut batch_write =
            Template::new("BatchWriteItem").text(&format!(r#"{{"RequestItems":{{"{table}":["#));
        for place in 0..BATCH_ITEMS {
            let start = if place == 0 { r#"{"PutRequest":{"Item":"# } else { r#",{"PutRequest":{"Item":"# };
            batch_write = put(batch_write.text(start)).text("}}");
        }
        Self {
            table: table.to_owned(),
            workload,
            global_indexes: 0,
            get,
            put: put(Template::new("PutItem").text(&named()).text(r#","Item":"#)).text("}"),
            update,
            query,
            batch_write: batch_write.text("]}}"),
        }
    }

    /// The same, for a table with so many global secondary indexes: of all attributes, by sort and partition key.
    pub(super) fn with_global_indexes(self, global_indexes: u8) -> Self {
        Self { global_indexes, ..self }
    }

    /// CreateTable for what follows.
    pub(super) fn create_table(&self) -> Ready {
        let mut body = serde_json::json!({
            "TableName": self.table,
            "AttributeDefinitions": [
                { "AttributeName": "pk", "AttributeType": "S" },
                { "AttributeName": "sk", "AttributeType": "S" },
            ],
            "KeySchema": [
                { "AttributeName": "pk", "KeyType": "HASH" },
                { "AttributeName": "sk", "KeyType": "RANGE" },
            ],
            "BillingMode": "PAY_PER_REQUEST",
        });
        if self.global_indexes > 0 {
            let index = |number| {
                serde_json::json!({
                    "IndexName": format!("index-{number}"),
                    "KeySchema": [
                        { "AttributeName": "sk", "KeyType": "HASH" },
                        { "AttributeName": "pk", "KeyType": "RANGE" },
                    ],
                    "Projection": { "ProjectionType": "ALL" },
                })
            };
            body["GlobalSecondaryIndexes"] = (0..self.global_indexes).map(index).collect();
        }
        Ready { operation: "CreateTable", body: body.to_string().into(), items: 0 }
    }

    /// DeleteTable for what went before.
    pub(super) fn delete_table(&self) -> Ready {
        let body = serde_json::json!({ "TableName": self.table });
        Ready { operation: "DeleteTable", body: body.to_string().into(), items: 0 }
    }

    /// A GetItem of the first item: it fails until the table is there.
    pub(super) fn probe(&self) -> Ready {
        self.get.ready(std::iter::once(0))
    }

    /// One batch of the items that must exist beforehand, from item `first` on.
    pub(super) fn preload(&self, first: u64) -> Ready {
        self.batch_write.ready(first..first + BATCH_ITEMS)
    }

    /// Whether the workload reads or changes items that must exist beforehand.
    pub(super) fn needs_items(&self) -> bool {
        !matches!(self.workload, Workload::Put | Workload::BatchWrite)
    }

    /// The next request of the workload.
    pub(super) fn next(&self, picker: &mut Picker) -> Ready {
        let workload = match self.workload {
            Workload::Mixed => match picker.random() % 100 {
                0..60 => Workload::Get,
                60..80 => Workload::Put,
                80..90 => Workload::Update,
                90..98 => Workload::Query,
                _ => Workload::BatchWrite,
            },
            one => one,
        };
        match workload {
            Workload::Get | Workload::Mixed => self.get.ready(std::iter::once(picker.any())),
            Workload::Put => self.put.ready(std::iter::once(picker.new_item())),
            Workload::Update => self.update.ready(std::iter::once(picker.any())),
            Workload::Query => {
                Ready { items: PARTITION_ITEMS, ..self.query.ready(std::iter::once(picker.any())) }
            }
            Workload::BatchWrite => self.batch_write.ready(std::iter::repeat_with(|| picker.new_item())),
        }
    }
}

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Template {
    fn new(operation: &'static str) -> Self {
        Self { operation, bytes: Vec::new(), places: Vec::new() }
    }

    fn text(mut self, text: &str) -> Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    // An item's key, both attributes.
    fn key(self) -> Self {
        let mut template = self.text(r#""pk":{"S":""#).partition().text(r#""},"sk":{"S":""#);
        if let Some(place) = template.places.last_mut() {
            place.sort = Some(template.bytes.len());
        }
        template.text(r#"00"}"#)
    }

    fn partition(mut self) -> Self {
        self.places.push(Place { partition: self.bytes.len(), sort: None });
        self.text("0000000000000000")
    }

    // The request for the next items of `items`, as many as it has places for.
    fn ready(&self, items: impl Iterator<Item = u64>) -> Ready {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut body = self.bytes.clone();
        for (place, item) in self.places.iter().zip(items) {
            let mut partition = item / PARTITION_ITEMS;
            for digit in body[place.partition..place.partition + 16].iter_mut().rev() {
                *digit = DIGITS[partition as usize & 15];
                partition >>= 4;
            }
            if let Some(sort) = place.sort {
                let number = (item % PARTITION_ITEMS) as usize;
                body[sort] = DIGITS[number / 10];
                body[sort + 1] = DIGITS[number % 10];
            }
        }
        Ready { operation: self.operation, body: body.into(), items: self.places.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn body(ready: &Ready) -> Value {
        serde_json::from_slice(&ready.body).unwrap()
    }

    fn requests(workload: Workload) -> Requests {
        Requests::new(workload, "bench-1", 200, false)
    }

    #[test]
    fn every_request_is_what_the_service_documents() {
        let mut picker = Picker::new(10, 0, 7);
        let mut next = |workload| {
            let ready = requests(workload).next(&mut picker);
            (ready.operation, body(&ready))
        };
        let (operation, get) = next(Workload::Get);
        assert_eq!((operation, get["TableName"].as_str()), ("GetItem", Some("bench-1")));
        assert_eq!(get["Key"]["pk"], json!({ "S": "0000000000000000" }));
        let (operation, put) = next(Workload::Put);
        assert_eq!((operation, put["Item"]["sk"]["S"].as_str().unwrap().len()), ("PutItem", 2));
        let (operation, update) = next(Workload::Update);
        assert_eq!((operation, &update["UpdateExpression"]), ("UpdateItem", &json!("ADD #n :one")));
        let (operation, query) = next(Workload::Query);
        assert_eq!((operation, &query["KeyConditionExpression"]), ("Query", &json!("pk = :pk")));
        assert_eq!(query["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap().len(), 16);
    }

    #[test]
    fn a_table_has_the_indexes_that_were_asked_for() {
        let table = |count| body(&requests(Workload::Put).with_global_indexes(count).create_table());
        assert!(table(0).get("GlobalSecondaryIndexes").is_none());
        let indexes = table(5)["GlobalSecondaryIndexes"].clone();
        assert_eq!(indexes.as_array().unwrap().len(), 5);
        assert_eq!(indexes[4]["IndexName"], "index-4");
    }

    #[test]
    fn an_item_has_the_size_that_was_asked_for() {
        for item_bytes in [ITEM_BYTES_MIN, 200, 4_000] {
            let requests = Requests::new(Workload::Put, "t", item_bytes, false);
            let item = body(&requests.next(&mut Picker::new(1, 0, 0)))["Item"].clone();
            let size: usize = item
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| name.len() + value["S"].as_str().unwrap().len())
                .sum();
            assert_eq!(size, item_bytes);
        }
    }

    /// BatchWriteItem refuses two puts of one key, and workers must not overwrite each other's items.
    #[test]
    fn new_items_are_new() {
        let requests = requests(Workload::BatchWrite);
        let mut keys = std::collections::HashSet::new();
        for worker in 0..3 {
            let mut picker = Picker::new(10, worker, 7);
            for _ in 0..4 {
                let ready = requests.next(&mut picker);
                assert_eq!(ready.items, 25);
                for put in body(&ready)["RequestItems"]["bench-1"].as_array().unwrap() {
                    let item = &put["PutRequest"]["Item"];
                    assert!(keys.insert((item["pk"].to_string(), item["sk"].to_string())));
                }
            }
        }
        assert_eq!(keys.len(), 3 * 4 * 25);
    }

    #[test]
    fn preloading_covers_every_item_once() {
        let requests = requests(Workload::Get);
        let mut keys = std::collections::BTreeSet::new();
        for first in [0, 25] {
            for put in body(&requests.preload(first))["RequestItems"]["bench-1"].as_array().unwrap() {
                let item = &put["PutRequest"]["Item"];
                keys.insert((item["pk"]["S"].clone().to_string(), item["sk"]["S"].to_string()));
            }
        }
        assert_eq!(keys.len(), 50);
        assert_eq!(keys.last(), Some(&(r#""0000000000000002""#.to_owned(), r#""09""#.to_owned())));
    }
}
