//! Who works in a world: writers and readers, the warden of the keys, the builder of tables.

use std::time::Duration;

use crate::estate::{Estate, MAIN, PASSING};
use crate::indexes::PASSING_INDEX;
use crate::items::{Client, Heard, Place, Violation};
use crate::random::Dice;
use crate::register::Action;
use crate::server::Reply;

/// One actor of one run.
pub struct Actor {
    /// Its way to the server.
    pub client: Client,
    /// What it decides by.
    pub dice: Dice,
    /// What it knows of keys and tables.
    pub estate: Estate,
    /// How many things it does.
    pub steps: u64,
    /// The longest it rests between two of them, milliseconds.
    pub rest_millis_max: u64,
}

/// What an actor does for a living.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Puts, creates, deletes, counts and reads items that everybody works on, and batches of its own.
    Worker,
    /// Disables and enables keys, and switches the main table from one to another.
    Warden,
    /// Creates and deletes a table.
    Builder,
    /// Creates, deletes and reads indexes of the main table.
    Gardener,
}

impl Actor {
    /// Works until its steps are done.
    pub async fn work(&self, role: Role) -> Result<(), Violation> {
        for _ in 0..self.steps {
            if self.dice.chance(1, 3) {
                self.rest(self.dice.below(self.rest_millis_max.max(1))).await;
            }
            match role {
                Role::Worker => self.work_on_items().await?,
                Role::Warden => self.guard_keys().await?,
                Role::Builder => self.build().await?,
                Role::Gardener => self.tend_indexes().await?,
            }
        }
        Ok(())
    }

    async fn work_on_items(&self) -> Result<(), Violation> {
        let client = &self.client;
        let partition = self.dice.below(PARTITIONS);
        let place = shared_place(partition, self.dice.below(SORTS));
        let whole: Vec<Place> = (0..SORTS).map(|sort| shared_place(partition, sort)).collect();
        let batch: Vec<Place> = (0..SORTS).map(|sort| batch_place(client.actor, sort)).collect();
        if whole.iter().chain(&batch).any(|place| client.oracle.is_full(&place.key())) {
            return Ok(());
        }
        let new = || client.oracle.new_value();
        let heard = match self.dice.below(16) {
            0..4 => client.act(&place, Action::Put(new())).await?,
            4 => client.act(&place, Action::PutIf(1 + self.dice.below(20), new())).await?,
            5 => client.act(&place, Action::Create(new())).await?,
            6 => client.act(&place, Action::Delete).await?,
            7..10 => client.act(&place, Action::Increment).await?,
            10..13 => client.act(&place, Action::Read).await?,
            13 => client.glance(&place).await?,
            14 => client.query(&whole, self.dice.chance(1, 2)).await?,
            _ => client.batch(&batch, new()).await?,
        };
        allowed(&heard)
    }

    // Two seconds after a key was disabled nothing goes on under it, and two seconds after it was enabled all does.
    async fn guard_keys(&self) -> Result<(), Violation> {
        let client = &self.client;
        let place = shared_place(0, 0);
        let Some(key) = client.settled_key(MAIN).await? else {
            self.rest(1_000).await;
            return Ok(());
        };
        if self.dice.chance(1, 2) {
            let arns = self.estate.key_arns();
            let other = self.dice.pick(&arns);
            return match client.switch_key(MAIN, other).await {
                Reply::Hung => Err("UpdateTable hung".to_owned()),
                _ => Ok(()),
            };
        }
        if client.oracle.is_full(&place.key()) {
            return Ok(());
        }
        let disabled = client.set_key(&key, false).await?;
        self.rest(BITES_MILLIS).await;
        let unmoved = client.settled_key(MAIN).await?.as_ref() == Some(&key);
        let heard = client.act(&place, Action::Read).await?;
        if disabled && unmoved && heard == Heard::Done {
            return Err(format!("the table is under {key}, which is disabled, but it was read"));
        }
        allowed(&heard)?;
        let enabled = client.set_key(&key, true).await?;
        self.rest(BITES_MILLIS).await;
        let heard = client.act(&place, Action::Read).await?;
        match heard {
            Heard::Refused(error) if enabled => {
                Err(format!("the key is enabled again, but a read was refused: {}", error.message))
            }
            _ => Ok(()),
        }
    }

    async fn build(&self) -> Result<(), Violation> {
        let client = &self.client;
        let place = Place { table: PASSING.to_owned(), partition: "p".to_owned(), sort: "s".to_owned() };
        let exists = self.estate.passing_exists();
        match (self.dice.below(3), exists) {
            (0, _) => {
                self.estate.set_passing(None);
                match client.create_table(PASSING, None).await {
                    Reply::Answer(_) if exists == Some(true) => {
                        return Err("a table was created over one that exists".to_owned());
                    }
                    Reply::Answer(_) => {
                        client.oracle.forget(PASSING);
                        self.estate.set_passing(Some(true));
                    }
                    Reply::Refused(error) if error.code == "ResourceInUseException" => {
                        if exists == Some(false) {
                            return Err("a table that is gone is in the way of a new one".to_owned());
                        }
                        self.estate.set_passing(exists);
                    }
                    Reply::Failed(_) => {}
                    other => return Err(format!("CreateTable: {other:?}")),
                }
            }
            (1, Some(true)) => {
                self.estate.set_passing(None);
                let input = serde_json::json!({"TableName": PASSING});
                match client.server.dynamodb(client.actor, "DeleteTable", input).await {
                    Reply::Answer(_) => {
                        client.oracle.forget(PASSING);
                        self.estate.set_passing(Some(false));
                    }
                    Reply::Failed(_) => {}
                    other => return Err(format!("DeleteTable of a table that exists: {other:?}")),
                }
            }
            (_, Some(false)) => {
                let heard = client.act(&place, Action::Read).await?;
                let gone =
                    matches!(&heard, Heard::Refused(error) if error.code == "ResourceNotFoundException");
                if !gone {
                    return Err(format!("a deleted table answered {heard:?}"));
                }
                client.oracle.forget(PASSING);
            }
            (_, Some(true)) if !client.oracle.is_full(&place.key()) => {
                let action = *self.dice.pick(&[
                    Action::Put(client.oracle.new_value()),
                    Action::Increment,
                    Action::Read,
                ]);
                if let Heard::Refused(error) = client.act(&place, action).await? {
                    return Err(format!("a table that exists refused: {error:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn tend_indexes(&self) -> Result<(), Violation> {
        match self.dice.below(4) {
            0 | 1 => self.client.update_index(self.dice.chance(2, 3)).await,
            2 => self.client.glance_at_index(PASSING_INDEX).await,
            _ => self.client.glance_at_index("by-value").await,
        }
    }

    async fn rest(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

/// An item that everybody works on.
pub fn shared_place(partition: u64, sort: u64) -> Place {
    Place { table: MAIN.to_owned(), partition: format!("p{partition}"), sort: format!("s{sort}") }
}

/// An item that one actor writes in batches only.
pub fn batch_place(actor: u64, sort: u64) -> Place {
    Place { table: MAIN.to_owned(), partition: format!("{BATCH}{actor}"), sort: format!("s{sort}") }
}

/// What partitions begin with whose items are only written together.
pub const BATCH: &str = "batch";

// The table is there and the request is right: only its key may stand in the way.
fn allowed(heard: &Heard) -> Result<(), Violation> {
    match heard {
        Heard::Refused(error) if !error.message.contains("kms") => Err(format!("refused: {error:?}")),
        _ => Ok(()),
    }
}

const PARTITIONS: u64 = 2;
const SORTS: u64 = 3;
/// How soon a key's new state must hold.
const BITES_MILLIS: u64 = 2_000;
