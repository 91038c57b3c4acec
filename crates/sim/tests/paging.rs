//! Pages of Query, Scan and SELECT, forwards and backwards, against a sorted map.
//!
//! Whatever the limits of the pages, and also when the item that a page ended with is gone before the next: together
//! they show what the map has in the range, in its order, each once.

use std::collections::BTreeMap;
use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::time::Duration;

use serde_json::{Value, json};
use strongroom_sim::fault::Plan;
use strongroom_sim::random::Dice;
use strongroom_sim::server::{Reply, Server};
use strongroom_sim::world::{Ended, World};

const SEEDS: u64 = 40;

#[test]
fn pages_together_are_the_range_of_a_sorted_map() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        let dice = world.dice("paging");
        let ended = world.run(Plan::calm(), async |server| {
            let mut shelf = Shelf { server, dice, items: BTreeMap::new() };
            shelf.fill().await;
            for _ in 0..6 {
                shelf.query_the_table().await;
                shelf.query_an_index("local", "p").await;
                shelf.query_an_index("global", "g").await;
                shelf.scan().await;
            }
        });
        assert!(matches!(ended, Ended::Finished(())), "seed {seed}: {ended:?}");
    }
}

/// A table and the map that says what is in it: by partition and sort key, the attributes `g` and `n`.
struct Shelf {
    server: Server,
    dice: Dice,
    items: BTreeMap<(String, String), (String, i64)>,
}

type Entry = ((String, String), (String, i64));

impl Shelf {
    async fn call(&self, operation: &'static str, input: Value) -> Value {
        match self.server.dynamodb(1, operation, input.clone()).await {
            Reply::Answer(answer) => answer,
            other => panic!("{operation} {input}: {other:?}"),
        }
    }

    async fn fill(&mut self) {
        let element = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        let attribute = |name: &str, kind: &str| json!({"AttributeName": name, "AttributeType": kind});
        let index = |name: &str, hash: &str| {
            json!({
                "IndexName": name,
                "KeySchema": [element(hash, "HASH"), element("n", "RANGE")],
                "Projection": {"ProjectionType": "ALL"},
            })
        };
        self.call(
            "CreateTable",
            json!({
                "TableName": "shelf",
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [element("p", "HASH"), element("s", "RANGE")],
                "AttributeDefinitions":
                    [attribute("p", "S"), attribute("s", "S"), attribute("g", "S"), attribute("n", "N")],
                "LocalSecondaryIndexes": [index("local", "p")],
                "GlobalSecondaryIndexes": [index("global", "g")],
            }),
        )
        .await;
        for round in 0..self.dice.below(4) + 1 {
            for _ in 0..self.dice.below(30) {
                let key = (format!("p{}", self.dice.below(3)), self.sort_key());
                let value = (format!("g{}", self.dice.below(2)), self.number());
                self.call(
                    "PutItem",
                    json!({"TableName": "shelf", "Item": item(&(key.clone(), value.clone()))}),
                )
                .await;
                self.items.insert(key, value);
            }
            let doomed: Vec<(String, String)> =
                self.items.keys().filter(|_| self.dice.chance(1, 6)).cloned().collect();
            for key in doomed {
                self.delete(&key).await;
            }
            if round % 2 == 0 && self.dice.chance(1, 2) {
                // The log becomes a sorted run.
                tokio::time::sleep(Duration::from_secs(25)).await;
            }
        }
    }

    async fn delete(&mut self, key: &(String, String)) {
        let key_json = json!({"p": {"S": key.0}, "s": {"S": key.1}});
        self.call("DeleteItem", json!({"TableName": "shelf", "Key": key_json})).await;
        self.items.remove(key);
    }

    // Short texts of few letters, some of which begin others.
    fn sort_key(&self) -> String {
        (0..self.dice.below(4) + 1).map(|_| *self.dice.pick(&['a', 'b', '\u{e9}'])).collect()
    }

    fn number(&self) -> i64 {
        i64::try_from(self.dice.below(13)).unwrap_or_default() - 6
    }

    async fn query_the_table(&mut self) {
        let partition = format!("p{}", self.dice.below(3));
        let (low, high) = two(self.sort_key(), self.sort_key());
        let values = json!({":p": {"S": partition}, ":l": {"S": low}, ":h": {"S": high}});
        let range = self.range(low.clone(), high.clone());
        let prefix = self.dice.chance(1, 6);
        let (condition, statement) = if prefix {
            ("p = :p AND begins_with(s, :l)".to_owned(), "p = ? AND begins_with(s, ?)".to_owned())
        } else {
            conditions("p", "s", &range)
        };
        let is_meant = |entry: &Entry| {
            let ((p, s), _) = entry;
            *p == partition && if prefix { s.starts_with(&low) } else { contains(&range, s) }
        };
        let mut expected: Vec<Entry> = self.entries().into_iter().filter(is_meant).collect();
        expected.sort();
        let parameters = parameters_of(&partition, &json!({"S": low}), &json!({"S": high}), &statement);
        self.compare(None, &condition, values, (&statement, parameters), "s", expected).await;
    }

    async fn query_an_index(&mut self, index: &str, hash: &str) {
        let partition = format!("{hash}{}", self.dice.below(3));
        let (low, high) = two(self.number(), self.number());
        let number = |value: i64| json!({"N": value.to_string()});
        let values = json!({":p": {"S": partition}, ":l": number(low), ":h": number(high)});
        let range = self.range(low, high);
        let (condition, statement) = conditions(hash, "n", &range);
        let is_meant = |((p, _), (g, n)): &Entry| {
            let of = if hash == "p" { p } else { g };
            *of == partition && contains(&range, n)
        };
        let mut expected: Vec<Entry> = self.entries().into_iter().filter(is_meant).collect();
        // Entries of one sort key lie in the order of their items' keys.
        expected.sort_by(|(left_key, (_, left)), (right_key, (_, right))| {
            left.cmp(right).then_with(|| left_key.cmp(right_key))
        });
        let parameters = parameters_of(&partition, &number(low), &number(high), &statement);
        self.compare(Some(index), &condition, values, (&statement, parameters), "n", expected).await;
    }

    async fn scan(&mut self) {
        let total = self.dice.below(4) + 1;
        let mut found = Vec::new();
        for segment in 0..total {
            let input = json!({"TableName": "shelf", "Segment": segment, "TotalSegments": total});
            let mut expected = self.entries();
            let pages = self.pages("Scan", input, &mut expected).await;
            found.extend(pages);
        }
        found.sort();
        let mut expected = self.entries();
        expected.sort();
        // What was deleted on the way was shown before.
        found.retain(|entry| expected.contains(entry));
        assert_eq!(found, expected);
    }

    // Reads the same both ways and as a statement, and compares each with what the map has.
    async fn compare(
        &mut self,
        index: Option<&str>,
        condition: &str,
        values: Value,
        (statement, parameters): (&str, Vec<Value>),
        sort: &str,
        mut expected: Vec<Entry>,
    ) {
        for forward in [true, false] {
            let mut used = values.clone();
            if let Some(used) = used.as_object_mut() {
                used.retain(|name, _| condition.contains(name.as_str()));
            }
            let mut input = json!({
                "TableName": "shelf",
                "KeyConditionExpression": condition,
                "ExpressionAttributeValues": used,
                "ScanIndexForward": forward,
            });
            if let Some(index) = index {
                input["IndexName"] = json!(index);
            }
            let found = self.pages("Query", input, &mut expected).await;
            let mut in_order = expected.clone();
            if !forward {
                in_order.reverse();
            }
            let kept: Vec<Entry> = found.into_iter().filter(|entry| expected.contains(entry)).collect();
            assert_eq!(kept, in_order, "{condition} {values}, forward: {forward}");

            let source = index.map_or_else(|| "shelf".to_owned(), |index| format!("shelf\".\"{index}"));
            let order = if forward { "ASC" } else { "DESC" };
            let statement = format!("SELECT * FROM \"{source}\" WHERE {statement} ORDER BY {sort} {order}");
            let input = json!({"Statement": statement, "Parameters": parameters});
            let found = self.statement_pages(input).await;
            assert_eq!(found, in_order, "{statement} {parameters:?}");
        }
    }

    // All pages of a read. Between two of them the item that the first ended with is deleted now and then: from the
    // table, from the map and from what is expected, but not from what was shown.
    async fn pages(
        &mut self,
        operation: &'static str,
        mut input: Value,
        expected: &mut Vec<Entry>,
    ) -> Vec<Entry> {
        let mut found = Vec::new();
        loop {
            let limit = self.dice.below(5) + 1;
            input["Limit"] = json!(limit);
            let answer = self.call(operation, input.clone()).await;
            let page: Vec<Entry> = entries_of(&answer);
            assert!(page.len() as u64 <= limit, "{answer}");
            let last = page.last().cloned();
            found.extend(page);
            let next = answer["LastEvaluatedKey"].clone();
            if next.is_null() {
                return found;
            }
            if let Some((key, _)) = last.filter(|_| self.dice.chance(1, 20)) {
                self.delete(&key).await;
                expected.retain(|(other, _)| *other != key);
            }
            input["ExclusiveStartKey"] = next;
        }
    }

    async fn statement_pages(&self, mut input: Value) -> Vec<Entry> {
        let mut found = Vec::new();
        loop {
            input["Limit"] = json!(self.dice.below(5) + 1);
            let answer = self.call("ExecuteStatement", input.clone()).await;
            found.extend(entries_of(&answer));
            if answer["NextToken"].is_null() {
                return found;
            }
            input["NextToken"] = answer["NextToken"].clone();
        }
    }

    fn entries(&self) -> Vec<Entry> {
        self.items.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn range<T: Clone>(&self, low: T, high: T) -> (Bound<T>, Bound<T>) {
        match self.dice.below(7) {
            0 => (Unbounded, Unbounded),
            1 => (Included(low.clone()), Included(low)),
            2 => (Unbounded, Excluded(high)),
            3 => (Unbounded, Included(high)),
            4 => (Excluded(low), Unbounded),
            5 => (Included(low), Unbounded),
            _ => (Included(low), Included(high)),
        }
    }
}

// A key condition and the same as the end of a statement, whose parameters are the partition, then the bounds.
fn conditions<T: PartialEq>(hash: &str, sort: &str, range: &(Bound<T>, Bound<T>)) -> (String, String) {
    let (key, statement) = match range {
        (Unbounded, Unbounded) => (String::new(), String::new()),
        (Included(low), Included(high)) if low == high => {
            (format!(" AND {sort} = :l"), format!(" AND {sort} = ?"))
        }
        (Unbounded, Excluded(_)) => (format!(" AND {sort} < :h"), format!(" AND {sort} < ?")),
        (Unbounded, Included(_)) => (format!(" AND {sort} <= :h"), format!(" AND {sort} <= ?")),
        (Excluded(_), _) => (format!(" AND {sort} > :l"), format!(" AND {sort} > ?")),
        (Included(_), Unbounded) => (format!(" AND {sort} >= :l"), format!(" AND {sort} >= ?")),
        (Included(_), _) => {
            (format!(" AND {sort} BETWEEN :l AND :h"), format!(" AND {sort} BETWEEN ? AND ?"))
        }
    };
    (format!("{hash} = :p{key}"), format!("{hash} = ?{statement}"))
}

fn parameters_of(partition: &str, low: &Value, high: &Value, statement: &str) -> Vec<Value> {
    let mut parameters = vec![json!({"S": partition})];
    if statement.contains('<') {
        parameters.push(high.clone());
    } else if statement.contains("BETWEEN") {
        parameters.extend([low.clone(), high.clone()]);
    } else if statement.matches('?').count() == 2 {
        parameters.push(low.clone());
    }
    parameters
}

fn two<T: Ord>(one: T, other: T) -> (T, T) {
    if one <= other { (one, other) } else { (other, one) }
}

fn contains<T: Ord>(range: &(Bound<T>, Bound<T>), value: &T) -> bool {
    std::ops::RangeBounds::contains(range, value)
}

fn item(((p, s), (g, n)): &Entry) -> Value {
    json!({"p": {"S": p}, "s": {"S": s}, "g": {"S": g}, "n": {"N": n.to_string()}})
}

fn entries_of(answer: &Value) -> Vec<Entry> {
    let text = |item: &Value, name: &str| item[name]["S"].as_str().expect("a string").to_owned();
    let items = answer["Items"].as_array().expect("an answer has items");
    let number = |item: &Value| item["n"]["N"].as_str().and_then(|text| text.parse().ok()).expect("a number");
    items.iter().map(|item| ((text(item, "p"), text(item, "s")), (text(item, "g"), number(item)))).collect()
}
