//! Calls on items, each told to the oracle before it is made and after it was answered.

use serde_json::{Map, Value, json};
use strongroom_server::wire::ApiError;

use crate::oracle::{Oracle, Pending};
use crate::register::{Action, Answer, Item, State};
use crate::server::{Reply, Server};

/// One item of a world's tables. The table's keys are `p` and `s`, both strings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The table's name.
    pub table: String,
    /// The partition key.
    pub partition: String,
    /// The sort key.
    pub sort: String,
}

/// An actor's way to one server, with the oracle listening.
#[derive(Clone)]
pub struct Client {
    /// The server.
    pub server: Server,
    /// The oracle.
    pub oracle: Oracle,
    /// The actor's number.
    pub actor: u64,
}

/// What a caller takes from the reply; the oracle has the rest.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// It was done, or its condition did not hold.
    Done,
    /// It was refused.
    Refused(ApiError),
    /// Nobody knows.
    Failed(ApiError),
}

/// What is wrong with what a server did.
pub type Violation = String;

impl Place {
    /// The name under which the oracle knows the item.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.table, self.partition, self.sort)
    }

    /// The item that the oracle knows under `key`.
    pub fn of_key(key: &str) -> Self {
        let mut parts = key.splitn(3, '/').map(str::to_owned);
        let mut next = || parts.next().expect("keys of items have three parts");
        Self { table: next(), partition: next(), sort: next() }
    }

    fn key_json(&self) -> Value {
        json!({"p": {"S": self.partition}, "s": {"S": self.sort}})
    }

    fn item_json(&self, value: u64) -> Value {
        json!({"p": {"S": self.partition}, "s": {"S": self.sort}, "v": {"N": value.to_string()}})
    }
}

impl Client {
    /// Does `action` to the item at `place`, and tells the oracle.
    pub async fn act(&self, place: &Place, action: Action) -> Result<Heard, Violation> {
        let (operation, input) = request(place, action);
        let pending = self.oracle.called(&place.key(), action);
        let reply = self.server.dynamodb(self.actor, operation, input).await;
        let answer = match &reply {
            Reply::Answer(answer) => match action {
                Action::Read => Answer::Saw(state(answer.get("Item"))?),
                Action::Create(_) | Action::PutIf(..) => Answer::Done,
                Action::Put(_) | Action::Delete | Action::Increment => {
                    Answer::Saw(state(answer.get("Attributes"))?)
                }
            },
            Reply::Refused(error) if error.code == "ConditionalCheckFailedException" => {
                Answer::ConditionFailed
            }
            Reply::Refused(_) => Answer::Refused,
            Reply::Failed(_) => Answer::Unknown,
            Reply::Hung => return Err(format!("{operation} {place:?} hung")),
        };
        self.oracle.answered(pending, answer);
        Ok(heard(reply))
    }

    /// Puts one value at several places of one table with a single call.
    pub async fn batch(&self, places: &[Place], value: u64) -> Result<Heard, Violation> {
        let puts: Vec<Value> =
            places.iter().map(|place| json!({"PutRequest": {"Item": place.item_json(value)}})).collect();
        let table = &places.first().ok_or("a batch is not empty")?.table;
        let pending: Vec<Pending> =
            places.iter().map(|place| self.oracle.called(&place.key(), Action::Put(value))).collect();
        let input = json!({"RequestItems": {table: puts}});
        let reply = self.server.dynamodb(self.actor, "BatchWriteItem", input).await;
        let answer = match &reply {
            Reply::Answer(_) => Answer::Done,
            Reply::Refused(_) => Answer::Refused,
            Reply::Failed(_) => Answer::Unknown,
            Reply::Hung => return Err("BatchWriteItem hung".to_owned()),
        };
        pending.into_iter().for_each(|one| self.oracle.answered(one, answer));
        Ok(heard(reply))
    }

    /// Reads all items of one partition with a consistent Query; `places` are all that may be there, in order.
    pub async fn query(&self, places: &[Place], forward: bool) -> Result<Heard, Violation> {
        let first = places.first().ok_or("a partition has a place")?;
        let pending: Vec<Pending> =
            places.iter().map(|place| self.oracle.called(&place.key(), Action::Read)).collect();
        let input = json!({
            "TableName": first.table,
            "ConsistentRead": true,
            "ScanIndexForward": forward,
            "KeyConditionExpression": "p = :p",
            "ExpressionAttributeValues": {":p": {"S": first.partition}},
        });
        let reply = self.server.dynamodb(self.actor, "Query", input).await;
        if let Reply::Answer(answer) = &reply {
            let items = answer["Items"].as_array().ok_or("a Query answers with items")?;
            let mut sorts: Vec<&str> = items.iter().filter_map(|item| item["s"]["S"].as_str()).collect();
            if !forward {
                sorts.reverse();
            }
            if !sorts.is_sorted_by(|one, next| one < next) {
                return Err(format!("a Query's items are out of order: {answer}"));
            }
            for (place, pending) in places.iter().zip(pending) {
                let item = items.iter().find(|item| item["s"]["S"] == *place.sort);
                self.oracle.answered(pending, Answer::Saw(state(item)?));
            }
        } else if reply == Reply::Hung {
            return Err("Query hung".to_owned());
        }
        Ok(heard(reply))
    }

    /// An eventually consistent read.
    pub async fn glance(&self, place: &Place) -> Result<Heard, Violation> {
        let input = json!({"TableName": place.table, "Key": place.key_json()});
        let reply = self.server.dynamodb(self.actor, "GetItem", input).await;
        match &reply {
            Reply::Answer(answer) => self.oracle.check_eventual(&place.key(), state(answer.get("Item"))?)?,
            Reply::Refused(_) | Reply::Failed(_) => {}
            Reply::Hung => return Err(format!("GetItem {place:?} hung")),
        }
        Ok(heard(reply))
    }
}

fn heard(reply: Reply) -> Heard {
    match reply {
        Reply::Refused(error) if error.code == "ConditionalCheckFailedException" => Heard::Done,
        Reply::Refused(error) => Heard::Refused(error),
        Reply::Failed(error) => Heard::Failed(error),
        Reply::Answer(_) | Reply::Hung => Heard::Done,
    }
}

fn request(place: &Place, action: Action) -> (&'static str, Value) {
    let table = &place.table;
    match action {
        Action::Read => {
            ("GetItem", json!({"TableName": table, "Key": place.key_json(), "ConsistentRead": true}))
        }
        Action::Put(value) => (
            "PutItem",
            json!({"TableName": table, "Item": place.item_json(value), "ReturnValues": "ALL_OLD"}),
        ),
        Action::PutIf(expected, value) => (
            "PutItem",
            json!({
                "TableName": table,
                "Item": place.item_json(value),
                "ConditionExpression": "v = :expected",
                "ExpressionAttributeValues": {":expected": {"N": expected.to_string()}},
            }),
        ),
        Action::Create(value) => (
            "PutItem",
            json!({
                "TableName": table,
                "Item": place.item_json(value),
                "ConditionExpression": "attribute_not_exists(p)",
            }),
        ),
        Action::Delete => {
            ("DeleteItem", json!({"TableName": table, "Key": place.key_json(), "ReturnValues": "ALL_OLD"}))
        }
        Action::Increment => (
            "UpdateItem",
            json!({
                "TableName": table,
                "Key": place.key_json(),
                "UpdateExpression": "ADD c :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
                "ReturnValues": "ALL_NEW",
            }),
        ),
    }
}

/// What an item of an answer holds.
pub fn state(item: Option<&Value>) -> Result<State, Violation> {
    let Some(item) = item else { return Ok(None) };
    let item: &Map<String, Value> = item.as_object().ok_or("an item is an object")?;
    let number = |name: &str| -> Result<Option<u64>, Violation> {
        let Some(value) = item.get(name) else { return Ok(None) };
        let text = value["N"].as_str().ok_or_else(|| format!("`{name}` is no number in {item:?}"))?;
        text.parse().map(Some).map_err(|_| format!("`{name}` is no number of ours in {item:?}"))
    };
    Ok(Some(Item { value: number("v")?, count: number("c")? }))
}
