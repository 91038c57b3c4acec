//! One short life, in which each call of the store goes wrong in turn, in every way (`STRONGROOM_ALL=1`: each
//! call in all nine ways).

use std::time::Duration;

use strongroom_sim::actors::{batch_place, shared_place};
use strongroom_sim::audit::audit;
use strongroom_sim::estate::{Estate, MAIN};
use strongroom_sim::fault::{Failure, Fault, Plan};
use strongroom_sim::items::{Client, Violation};
use strongroom_sim::register::Action;
use strongroom_sim::server::Reply;
use strongroom_sim::world::{Ended, World};

// From the first start on an empty disk to the close: whichever call goes wrong, the next start finds all that was
// acknowledged; where a write was torn, it may refuse to start or to read instead, and names the object.

#[test]
fn every_call_may_time_out_undone() {
    each_call(Fault::FailBefore(Failure::Passing));
}

#[test]
fn every_call_may_fail_undone() {
    each_call(Fault::FailBefore(Failure::Final));
}

#[test]
fn every_call_may_time_out_done() {
    each_call(Fault::FailAfter(Failure::Passing));
}

#[test]
fn every_call_may_fail_done() {
    each_call(Fault::FailAfter(Failure::Final));
}

#[test]
fn every_call_may_be_late() {
    each_call(Fault::Delay(2_500));
}

#[test]
fn every_write_may_be_torn_and_fail() {
    each_call(Fault::Tear);
}

#[test]
fn every_write_may_be_torn_by_a_crash() {
    each_call(Fault::TearAndCrash);
}

#[test]
fn the_power_may_go_before_every_call() {
    each_call(Fault::CrashBefore);
}

#[test]
fn the_power_may_go_after_every_call() {
    each_call(Fault::CrashAfter);
}

fn each_call(fault: Fault) {
    let mut world = World::new(SEED);
    let calls = match first_life(&mut world, Plan::calm()) {
        Ended::Finished(Ok(calls)) => calls,
        other => panic!("a calm life: {other:?}"),
    };
    audit(&mut world).expect("after a calm life all is well");
    let only = std::env::var("STRONGROOM_CALL").ok().and_then(|text| text.parse::<u64>().ok());
    let mut complaints = Vec::new();
    let mut story = None;
    // A third of the calls in each of the nine ways, so that each call goes wrong in three; by hand all in all.
    let all = std::env::var_os("STRONGROOM_ALL").is_some() || only.is_some();
    let turn = Fault::ALL.iter().position(|one| *one == fault).unwrap_or(0) as u64;
    for call in only.map_or(1..=calls, |only| only..=only) {
        if !all && call % 3 != turn % 3 {
            continue;
        }
        let mut world = World::new(SEED);
        if let Err(violation) = live(&mut world, call, fault) {
            complaints.push(format!("call {call} of {calls}, {fault:?}: {violation}"));
            story.get_or_insert_with(|| world.history.lines().join("\n"));
        }
    }
    if let Some(story) = story {
        panic!(
            "{story}\n\nthat was the first of these:\n{}\nreplay: STRONGROOM_CALL=<call> cargo test -p strongroom-sim \
             --test every_call",
            complaints.join("\n")
        );
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
            && make_table(&client, &estate, &key).await?
        {
            work(&client).await?;
            client.update_index(true).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
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
            client.update_index(false).await?;
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
        if !make_table(&client, &estate, &key).await? {
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

async fn make_table(client: &Client, estate: &Estate, key: &str) -> Result<bool, Violation> {
    match client.create_table(MAIN, Some(key)).await {
        Reply::Answer(_) => {
            estate.set_main();
            Ok(true)
        }
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
