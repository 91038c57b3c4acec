//! One short life, in which each call of the store goes wrong in turn, in every way.

use std::time::Duration;

use strongroom_sim::actors::{batch_place, shared_place};
use strongroom_sim::audit::audit;
use strongroom_sim::estate::{Estate, MAIN};
use strongroom_sim::fault::{Fault, Plan};
use strongroom_sim::items::{Client, Violation};
use strongroom_sim::register::Action;
use strongroom_sim::server::Reply;
use strongroom_sim::world::{Ended, World};

// From the first start on an empty disk to the close: whichever call goes wrong, and however, the next start finds
// all that was acknowledged; where a write was torn, it may say so instead, and names the object.
#[test]
fn every_call_may_go_wrong_in_every_way() {
    let calls = {
        let mut world = World::new(SEED);
        let ended = first_life(&mut world, Plan::calm());
        assert!(matches!(ended, Ended::Finished(Ok(_))), "{ended:?}");
        audit(&mut world).expect("a calm life");
        match ended {
            Ended::Finished(Ok(calls)) => calls,
            _ => 0,
        }
    };
    let only = std::env::var("STRONGROOM_CALL").ok().and_then(|text| text.parse::<u64>().ok());
    for call in 1..=calls {
        if only.is_some_and(|only| only != call) {
            continue;
        }
        for fault in Fault::ALL {
            let mut world = World::new(SEED);
            if let Err(violation) = live(&mut world, call, fault) {
                panic!(
                    "{}\n\ncall {call} of {calls}, {fault:?}: {violation}\nreplay: STRONGROOM_CALL={call} cargo test \
                     -p strongroom-sim --test every_call",
                    world.history.lines().join("\n")
                );
            }
        }
    }
}

fn live(world: &mut World, call: u64, fault: Fault) -> Result<(), Violation> {
    match first_life(world, Plan::at(call, fault)) {
        Ended::Finished(lived) => drop(lived?),
        Ended::Crashed | Ended::NotStarted(_) => {}
        Ended::Hung => return Err("the server hung while it started".to_owned()),
    }
    if !world.disk.damaged().is_empty() {
        return audit(world);
    }
    // What failed the first time works now.
    match second_life(world) {
        Ended::Finished(lived) => lived?,
        other => return Err(format!("the next start: {other:?}")),
    }
    audit(world)
}

// Every kind of call; stops at the first failure, as a program would. Returns how many calls of the store it took.
fn first_life(world: &mut World, plan: Plan) -> Ended<Result<u64, Violation>> {
    world.settings.idle_millis = 600_000;
    world.estate.set_passing(Some(false));
    let (oracle, estate) = (world.oracle.clone(), world.estate.clone());
    world.run(plan, async |server| {
        let client = Client { server, oracle, actor: 1 };
        if let Some(key) = make_key(&client, &estate).await?
            && make_table(&client, &key).await?
        {
            work(&client).await?;
            if client.set_key(&key, false).await? {
                tokio::time::sleep(Duration::from_secs(1)).await;
                client.act(&shared_place(0, 0), Action::Read).await?;
            }
            client.set_key(&key, true).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            client.act(&shared_place(0, 0), Action::Read).await?;
            if let Some(second) = make_key(&client, &estate).await? {
                client.switch_key(MAIN, &second).await;
                tokio::time::sleep(Duration::from_secs(2)).await;
                work(&client).await?;
            }
            // The log is moved into a sorted run, and then collected.
            tokio::time::sleep(Duration::from_secs(40)).await;
            work(&client).await?;
        }
        client.server.app.close().await;
        Ok(client.server.store.calls())
    })
}

fn second_life(world: &mut World) -> Ended<Result<(), Violation>> {
    let (oracle, estate) = (world.oracle.clone(), world.estate.clone());
    world.run(Plan::calm(), async |server| {
        let client = Client { server, oracle, actor: 2 };
        for arn in estate.key_arns() {
            client.set_key(&arn, true).await?;
        }
        let key = match estate.key_arns().first() {
            Some(key) => key.clone(),
            None => make_key(&client, &estate).await?.ok_or("CreateKey failed on a calm disk")?,
        };
        if !make_table(&client, &key).await? {
            return Err("CreateTable failed on a calm disk".to_owned());
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        work(&client).await
    })
}

async fn make_key(client: &Client, estate: &Estate) -> Result<Option<String>, Violation> {
    let key = client.create_key().await?;
    if let Some(arn) = &key {
        estate.add_key(arn.clone());
    }
    Ok(key)
}

async fn make_table(client: &Client, key: &str) -> Result<bool, Violation> {
    match client.create_table(MAIN, Some(key)).await {
        Reply::Answer(_) => Ok(true),
        Reply::Refused(error) if error.code == "ResourceInUseException" => Ok(true),
        Reply::Failed(_) => Ok(false),
        other => Err(format!("CreateTable: {other:?}")),
    }
}

async fn work(client: &Client) -> Result<(), Violation> {
    let (one, other) = (shared_place(0, 0), shared_place(0, 1));
    client.act(&one, Action::Put(client.oracle.new_value())).await?;
    client.act(&other, Action::Create(client.oracle.new_value())).await?;
    client.act(&other, Action::Increment).await?;
    client.act(&one, Action::Read).await?;
    client.batch(&[batch_place(1, 0), batch_place(1, 1)], client.oracle.new_value()).await?;
    client.query(&[one, other.clone(), shared_place(0, 2)], true).await?;
    client.act(&other, Action::Delete).await?;
    Ok(())
}

const SEED: u64 = 7;
