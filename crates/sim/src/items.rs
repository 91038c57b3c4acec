//! Calls on items, each told to the oracle before it is made and after it was answered.

use serde_json::{Map, Value, json};

use crate::oracle::Oracle;
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
    /// Does `action` to the item at `place`, and tells the oracle. Says whether it was acknowledged.
    pub async fn act(&self, place: &Place, action: Action) -> Result<bool, Violation> {
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
            Reply::Refused(error) => return Err(format!("{operation} was refused: {error:?}")),
            Reply::Failed(_) => Answer::Unknown,
            Reply::Hung => return Err(format!("{operation} {place:?} hung")),
        };
        self.oracle.answered(pending, answer);
        Ok(answer != Answer::Unknown)
    }

    /// An eventually consistent read.
    pub async fn glance(&self, place: &Place) -> Result<(), Violation> {
        let input = json!({"TableName": place.table, "Key": place.key_json()});
        match self.server.dynamodb(self.actor, "GetItem", input).await {
            Reply::Answer(answer) => self.oracle.check_eventual(&place.key(), state(answer.get("Item"))?),
            Reply::Refused(error) => Err(format!("GetItem was refused: {error:?}")),
            Reply::Failed(_) => Ok(()),
            Reply::Hung => Err(format!("GetItem {place:?} hung")),
        }
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
