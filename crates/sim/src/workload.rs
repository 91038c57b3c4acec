//! The life of one seeded world: runs in which actors work and things go wrong, and audits in between.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use crate::fault::{Failure, Fault, Plan};
use crate::items::{Client, Place, Violation, state};
use crate::random::Dice;
use crate::register::{Action, State};
use crate::server::{Reply, Server};
use crate::world::{Ended, World};

/// Lives through one world; an error says what is wrong with it.
pub fn live(seed: u64) -> (World, Result<(), Violation>) {
    let mut world = World::new(seed);
    let outcome = live_in(&mut world);
    (world, outcome)
}

fn live_in(world: &mut World) -> Result<(), Violation> {
    let dice = world.dice("workload");
    set_up(world)?;
    for round in 0..ROUNDS {
        let plan = plan(world, &dice, round);
        let actors_dice: Vec<Dice> =
            (0..ACTORS).map(|actor| world.dice(&format!("round {round} actor {actor}"))).collect();
        let closes = dice.chance(1, 3);
        let oracle = world.oracle.clone();
        let ended = world.run(plan, async |server| {
            let actors = actors_dice.iter().enumerate().map(|(actor, dice)| {
                let client = Client { server: server.clone(), oracle: oracle.clone(), actor: actor as u64 };
                async move { work(&client, dice).await }
            });
            let worked: Result<Vec<()>, Violation> = join_all(actors).await.into_iter().collect();
            if worked.is_ok() && closes {
                server.app.close().await;
            }
            worked
        });
        match ended {
            Ended::Finished(worked) => drop(worked?),
            Ended::Crashed | Ended::NotStarted(_) => {}
            Ended::Hung => return Err("the server hung while it started".to_owned()),
        }
        audit(world)?;
    }
    Ok(())
}

/// Makes the table.
pub fn set_up(world: &mut World) -> Result<(), Violation> {
    let ended = world.run(Plan::calm(), async |server| {
        let input = json!({
            "TableName": TABLE,
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
        match server.dynamodb(0, "CreateTable", input).await {
            Reply::Answer(_) => Ok(()),
            other => Err(format!("CreateTable on a calm disk: {other:?}")),
        }
    });
    match ended {
        Ended::Finished(done) => done,
        other => Err(format!("the first start: {other:?}")),
    }
}

/// Reads every item on a calm disk, with nobody else about, and checks all that was answered since the last time.
pub fn audit(world: &mut World) -> Result<(), Violation> {
    let oracle = world.oracle.clone();
    let ended = world.run(Plan::calm(), async |server: Server| {
        let client = Client { server: server.clone(), oracle: oracle.clone(), actor: 0 };
        let mut states: BTreeMap<String, State> = BTreeMap::new();
        for key in oracle.keys() {
            let place = Place::of_key(&key);
            if !client.act(&place, Action::Read).await? {
                return Err(format!("item {key} cannot be read on a calm disk"));
            }
        }
        let input = json!({"TableName": TABLE, "ConsistentRead": true});
        let Reply::Answer(answer) = server.dynamodb(0, "Scan", input).await else {
            return Err("the table cannot be scanned on a calm disk".to_owned());
        };
        for key in oracle.keys() {
            states.insert(key, None);
        }
        for item in answer["Items"].as_array().ok_or("a Scan answers with items")? {
            let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
            let place = Place { table: TABLE.to_owned(), partition: text("p"), sort: text("s") };
            states.insert(place.key(), state(Some(item))?);
        }
        Ok(states)
    });
    match ended {
        Ended::Finished(states) => world.oracle.audited(&states?),
        other => Err(format!("the server on a calm disk: {other:?}")),
    }
}

async fn work(client: &Client, dice: &Dice) -> Result<(), Violation> {
    for _ in 0..STEPS {
        if dice.chance(1, 4) {
            tokio::time::sleep(Duration::from_millis(dice.below(200))).await;
        }
        let place = Place {
            table: TABLE.to_owned(),
            partition: format!("p{}", dice.below(2)),
            sort: format!("s{}", dice.below(3)),
        };
        if client.oracle.is_full(&place.key()) {
            continue;
        }
        let action = match dice.below(10) {
            0..3 => Action::Put(client.oracle.new_value()),
            3 => Action::Create(client.oracle.new_value()),
            4 => Action::Delete,
            5..7 => Action::Increment,
            7..9 => Action::Read,
            _ => {
                client.glance(&place).await?;
                continue;
            }
        };
        client.act(&place, action).await?;
    }
    Ok(())
}

fn plan(world: &World, dice: &Dice, round: u64) -> Plan {
    let kinds = [
        Fault::FailBefore(Failure::Passing),
        Fault::FailBefore(Failure::Final),
        Fault::FailAfter(Failure::Passing),
        Fault::FailAfter(Failure::Final),
        Fault::Delay(3_000),
    ];
    let thrown = Plan::thrown(world.dice(&format!("faults {round}")), dice.below(60), kinds.to_vec());
    if dice.chance(2, 3) {
        let crash = *dice.pick(&[Fault::CrashBefore, Fault::CrashAfter]);
        thrown.and_at(1 + dice.below(CRASH_BY_CALL), crash)
    } else {
        thrown
    }
}

const TABLE: &str = "t";
const ROUNDS: u64 = 2;
const ACTORS: u64 = 3;
const STEPS: usize = 12;
const CRASH_BY_CALL: u64 = 60;
