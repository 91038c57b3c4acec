//! What must hold when the disk is calm and nobody else is about.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::actors::BATCH;
use crate::estate::{Estate, MAIN, PASSING};
use crate::fault::Plan;
use crate::indexes::check_entries;
use crate::items::{Client, Heard, Place, Violation, state};
use crate::register::{Action, State};
use crate::server::Reply;
use crate::world::{Ended, World};

/// Starts the server on a calm disk, reads every item, and checks all that was answered since the last audit.
///
/// Where objects were damaged, an error that names one of them is as good as the right answer.
pub fn audit(world: &mut World) -> Result<(), Violation> {
    let (oracle, estate, damaged) = (world.oracle.clone(), world.estate.clone(), world.disk.damaged());
    let damaged_then = damaged.clone();
    let ended = world.run(Plan::calm(), async |server| {
        let client = Client { server, oracle, actor: 0 };
        Auditor { client, estate, damaged: damaged_then }.run().await
    });
    match ended {
        Ended::Finished(found) => match found? {
            Some(states) => world.oracle.audited(&states),
            None => world.oracle.check(),
        },
        Ended::NotStarted(text) if names_one(&text, &damaged) => Ok(()),
        Ended::NotStarted(text) => Err(format!("the server does not start on a calm disk: {text}")),
        Ended::Crashed | Ended::Hung => Err("the server hangs while it starts on a calm disk".to_owned()),
    }
}

struct Auditor {
    client: Client,
    estate: Estate,
    damaged: BTreeSet<String>,
}

impl Auditor {
    // The state of every item, or `None` where damage kept one from being read.
    async fn run(&self) -> Result<Option<BTreeMap<String, State>>, Violation> {
        let client = &self.client;
        for arn in self.estate.key_arns() {
            if !client.set_key(&arn, true).await? && self.damaged.is_empty() {
                return Err(format!("{arn} cannot be enabled on a calm disk"));
            }
        }
        // What was interrupted is finished now.
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.check_main_table().await?;
        self.check_passing_table().await?;

        let mut whole = true;
        let mut states: BTreeMap<String, State> = BTreeMap::new();
        for key in client.oracle.keys() {
            whole &= self.done(client.act(&Place::of_key(&key), Action::Read).await?, &key)?;
            states.insert(key, None);
        }
        for table in [MAIN, PASSING] {
            let exists = match table {
                PASSING => self.estate.passing_exists() == Some(true),
                _ => self.estate.main_exists(),
            };
            if !exists {
                continue;
            }
            let input = json!({"TableName": table, "ConsistentRead": true});
            match client.server.dynamodb(client.actor, "Scan", input).await {
                Reply::Answer(answer) => collect(table, &answer, &mut states)?,
                Reply::Failed(error) => whole &= self.done(Heard::Failed(error), table)?,
                other => return Err(format!("Scan of {table}: {other:?}")),
            }
        }
        whole &= self.check_indexes().await?;
        if !whole {
            return Ok(None);
        }
        check_batches(&states)?;
        Ok(Some(states))
    }

    // A creation that nobody heard the answer of may have been done.
    async fn check_main_table(&self) -> Result<(), Violation> {
        match (self.client.describe_table(MAIN).await?, self.estate.main_exists()) {
            (None, true) => Err("the main table was acknowledged and is gone".to_owned()),
            (None, false) => Ok(()),
            (Some(_), _) => {
                self.estate.set_main();
                Ok(())
            }
        }
    }

    // A table whose fate was unknown is there or not; one whose fate was known has it still.
    async fn check_passing_table(&self) -> Result<(), Violation> {
        let exists = self.client.describe_table(PASSING).await?.is_some();
        if let Some(known) = self.estate.passing_exists()
            && known != exists
        {
            return Err(format!(
                "whether the passing table exists: {known} was acknowledged, {exists} is so"
            ));
        }
        if !exists {
            self.client.oracle.forget(PASSING);
        }
        self.estate.set_passing(Some(exists));
        Ok(())
    }

    // Whatever went wrong while they were made, removed and written to, indexes are what the items make of them.
    async fn check_indexes(&self) -> Result<bool, Violation> {
        if !self.estate.main_exists() {
            return Ok(true);
        }
        let mut waited_secs = 0;
        let indexes = loop {
            if let Some(indexes) = self.client.indexes_at_rest().await? {
                break indexes;
            }
            if waited_secs == INDEXES_REST_SECS {
                return match self.damaged.is_empty() {
                    true => Err("the work on an index never ends".to_owned()),
                    false => Ok(false),
                };
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            waited_secs += 1;
        };
        let Some(items) = self.scan_main(None).await? else { return Ok(false) };
        for index in indexes {
            let name = index["IndexName"].as_str().ok_or("an index has a name")?;
            let Some(entries) = self.scan_main(Some(name)).await? else { return Ok(false) };
            check_entries(&index, &items, &entries)?;
        }
        Ok(true)
    }

    // All items of the main table or entries of one of its indexes, or none where damage keeps them from being read.
    async fn scan_main(&self, index: Option<&str>) -> Result<Option<Vec<Value>>, Violation> {
        let mut input = json!({"TableName": MAIN});
        if let Some(index) = index {
            input["IndexName"] = json!(index);
        }
        match self.client.server.dynamodb(self.client.actor, "Scan", input).await {
            Reply::Answer(answer) if answer["LastEvaluatedKey"].is_null() => {
                Ok(Some(answer["Items"].as_array().ok_or("a Scan answers with items")?.clone()))
            }
            Reply::Failed(error) => self.done(Heard::Failed(error), index.unwrap_or(MAIN)).map(|_| None),
            other => Err(format!("Scan of {index:?}: {other:?}")),
        }
    }

    fn done(&self, heard: Heard, what: &str) -> Result<bool, Violation> {
        match heard {
            Heard::Done => Ok(true),
            Heard::Refused(error) => Err(format!("{what} on a calm disk: {error:?}")),
            Heard::Failed(error) if names_one(&error.cause, &self.damaged) => Ok(false),
            Heard::Failed(error) => Err(format!("{what} cannot be read on a calm disk: {error:?}")),
        }
    }
}

/// How long the work on an index of a few items may take when nothing goes wrong.
const INDEXES_REST_SECS: u32 = 120;

fn collect(table: &str, answer: &Value, states: &mut BTreeMap<String, State>) -> Result<(), Violation> {
    for item in answer["Items"].as_array().ok_or("a Scan answers with items")? {
        let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        let key = Place { table: table.to_owned(), partition: text("p"), sort: text("s") }.key();
        let known = states.get_mut(&key).ok_or_else(|| format!("a Scan shows {key}, which nobody wrote"))?;
        *known = state(Some(item))?;
    }
    Ok(())
}

// INVARIANT (batches are whole): what one call wrote into one table is there altogether or not at all.
fn check_batches(states: &BTreeMap<String, State>) -> Result<(), Violation> {
    let mut values: BTreeMap<String, BTreeSet<Option<u64>>> = BTreeMap::new();
    for (key, state) in states {
        let place = Place::of_key(key);
        if place.partition.starts_with(BATCH) {
            values.entry(place.partition).or_default().insert(state.and_then(|item| item.value));
        }
    }
    match values.iter().find(|(_, values)| values.len() > 1) {
        Some((partition, values)) => Err(format!("{partition} holds parts of batches: {values:?}")),
        None => Ok(()),
    }
}

/// Whether an error names one of the damaged objects: by its path, or a keyring by its version and store.
pub fn names_one(text: &str, damaged: &BTreeSet<String>) -> bool {
    damaged.iter().any(|path| {
        let keyring = path.rsplit_once("/keyring/").and_then(|(folder, version)| {
            let store = folder.rsplit('/').next()?;
            Some(format!("keyring version {} of store `{store}`", version.trim_start_matches('0')))
        });
        text.contains(path.as_str()) || keyring.is_some_and(|name| text.contains(&name))
    })
}
