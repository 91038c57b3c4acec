//! What a world has besides items: its keys and tables, as far as its actors know.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::indexes;
use crate::items::{Client, Violation};
use crate::server::Reply;

/// The table that most of a world's life happens in.
pub const MAIN: &str = "main";
/// The table that comes and goes.
pub const PASSING: &str = "passing";

/// Keys and tables; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Estate(Arc<Mutex<Known>>);

#[derive(Clone, Debug, Default)]
struct Known {
    key_arns: Vec<String>,
    main_exists: bool,
    passing_exists: Option<bool>,
}

impl Estate {
    /// The KMS keys of this world.
    pub fn key_arns(&self) -> Vec<String> {
        self.0.lock().key_arns.clone()
    }

    /// There is another key.
    pub fn add_key(&self, arn: String) {
        self.0.lock().key_arns.push(arn);
    }

    /// Whether the main table was made and acknowledged.
    pub fn main_exists(&self) -> bool {
        self.0.lock().main_exists
    }

    /// The main table was made and acknowledged.
    pub fn set_main(&self) {
        self.0.lock().main_exists = true;
    }

    /// Whether the table that comes and goes is there; `None` where nobody can know.
    pub fn passing_exists(&self) -> Option<bool> {
        self.0.lock().passing_exists
    }

    /// Notes whether the table that comes and goes is there.
    pub fn set_passing(&self, exists: Option<bool>) {
        self.0.lock().passing_exists = exists;
    }

    /// What is known, apart from what becomes known later.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().clone())))
    }
}

impl Client {
    /// CreateKey; the new key's ARN unless the call failed.
    pub async fn create_key(&self) -> Result<Option<String>, Violation> {
        match self.server.kms(self.actor, "CreateKey", json!({})).await {
            Reply::Answer(answer) => {
                let arn = answer["KeyMetadata"]["Arn"].as_str().ok_or("CreateKey answers with an ARN")?;
                Ok(Some(arn.to_owned()))
            }
            Reply::Failed(_) => Ok(None),
            other => Err(format!("CreateKey: {other:?}")),
        }
    }

    /// EnableKey or DisableKey; whether it was acknowledged.
    pub async fn set_key(&self, arn: &str, enabled: bool) -> Result<bool, Violation> {
        let operation = if enabled { "EnableKey" } else { "DisableKey" };
        match self.server.kms(self.actor, operation, json!({"KeyId": arn})).await {
            Reply::Answer(_) => Ok(true),
            Reply::Failed(_) => Ok(false),
            other => Err(format!("{operation}: {other:?}")),
        }
    }

    /// CreateTable under a key, or under the service's own; the main table has indexes.
    pub async fn create_table(&self, name: &str, key: Option<&str>) -> Reply {
        let mut input = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [
                {"AttributeName": "p", "KeyType": "HASH"},
                {"AttributeName": "s", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "p", "AttributeType": "S"},
                {"AttributeName": "s", "AttributeType": "S"},
            ],
        });
        if let Some(key) = key {
            input["SSESpecification"] = specification(key);
        }
        if name == MAIN
            && let (Some(input), Value::Object(indexes)) = (input.as_object_mut(), indexes::of_new_table())
        {
            input.extend(indexes);
        }
        self.server.dynamodb(self.actor, "CreateTable", input).await
    }

    /// Starts to bring a table under another key; whether that was acknowledged.
    pub async fn switch_key(&self, name: &str, key: &str) -> Reply {
        let input = json!({"TableName": name, "SSESpecification": specification(key)});
        self.server.dynamodb(self.actor, "UpdateTable", input).await
    }

    /// The table's description; `None` where there is no such table.
    pub async fn describe_table(&self, name: &str) -> Result<Option<Value>, Violation> {
        match self.server.dynamodb(self.actor, "DescribeTable", json!({"TableName": name})).await {
            Reply::Answer(answer) => Ok(Some(answer["Table"].clone())),
            Reply::Refused(error) if error.code == "ResourceNotFoundException" => Ok(None),
            other => Err(format!("DescribeTable reads memory only, but: {other:?}")),
        }
    }

    /// The key that a table is under, unless it is changing.
    pub async fn settled_key(&self, name: &str) -> Result<Option<String>, Violation> {
        let table = self.describe_table(name).await?.ok_or_else(|| format!("table {name} is gone"))?;
        let sse = &table["SSEDescription"];
        let settled = sse["Status"] == "ENABLED";
        Ok(settled.then(|| sse["KMSMasterKeyArn"].as_str().map(str::to_owned)).flatten())
    }
}

fn specification(key: &str) -> Value {
    json!({"Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": key})
}
