//! The life of one seeded world: runs in which actors work and things go wrong, and audits in between.

use std::time::Duration;

use futures::future::join_all;

use crate::actors::{Actor, Role, shared_place};
use crate::audit::audit;
use crate::estate::MAIN;
use crate::fault::{Failure, Fault, Plan};
use crate::items::{Client, Heard, Violation};
use crate::random::Dice;
use crate::register::Action;
use crate::server::Reply;
use crate::world::{Ended, World};

/// Lives through one world; an error says what is wrong with it.
pub fn live(seed: u64) -> (World, Result<(), Violation>) {
    let mut world = World::new(seed);
    let outcome = live_in(&mut world);
    (world, outcome)
}

fn live_in(world: &mut World) -> Result<(), Violation> {
    let dice = world.dice("workload");
    settle(world, dice.chance(1, 2))?;
    for round in 0..ROUNDS {
        let plan = plan(world, &dice, round);
        let rest_millis_max = *dice.pick(&[50, 500, 30_000]);
        let closes = dice.chance(1, 3);
        match run(world, plan, round, rest_millis_max, closes) {
            Ended::Finished(worked) => worked?,
            Ended::Crashed | Ended::NotStarted(_) => {}
            Ended::Hung => return Err("the server hung while it started".to_owned()),
        }
        audit(world)?;
    }
    Ok(())
}

/// Makes the keys and the main table, under the first key or under the service's own.
pub fn settle(world: &mut World, guarded: bool) -> Result<(), Violation> {
    let (oracle, estate) = (world.oracle.clone(), world.estate.clone());
    let ended = world.run(Plan::calm(), async |server| {
        let client = Client { server, oracle, actor: 0 };
        for _ in 0..2 {
            estate.add_key(client.create_key().await?.ok_or("CreateKey failed on a calm disk")?);
        }
        let arns = estate.key_arns();
        match client.create_table(MAIN, guarded.then_some(arns[0].as_str())).await {
            Reply::Answer(_) => {
                estate.set_main();
                Ok(())
            }
            other => Err(format!("CreateTable on a calm disk: {other:?}")),
        }
    });
    world.estate.set_passing(Some(false));
    match ended {
        Ended::Finished(done) => done,
        other => Err(format!("the first start: {other:?}")),
    }
}

fn run(
    world: &mut World,
    plan: Plan,
    round: u64,
    rest_millis_max: u64,
    closes: bool,
) -> Ended<Result<(), Violation>> {
    let roles = [Role::Worker, Role::Worker, Role::Worker, Role::Warden, Role::Builder, Role::Gardener];
    let dice = roles.iter().enumerate().map(|(actor, _)| world.dice(&format!("round {round} actor {actor}")));
    let dice: Vec<Dice> = dice.collect();
    let (oracle, estate) = (world.oracle.clone(), world.estate.clone());
    world.run(plan, async |server| {
        let actors = dice.into_iter().zip(roles).enumerate().map(|(number, (dice, role))| {
            let client = Client { server: server.clone(), oracle: oracle.clone(), actor: number as u64 };
            let steps = if role == Role::Worker { WORKER_STEPS } else { OTHER_STEPS };
            let actor = Actor { client, dice, estate: estate.clone(), steps, rest_millis_max };
            async move { actor.work(role).await }
        });
        let worked: Result<Vec<()>, Violation> = join_all(actors).await.into_iter().collect();
        worked?;
        if closes {
            server.app.close().await;
        } else {
            let client = Client { server, oracle, actor: 0 };
            heal(&client, &estate.key_arns()).await?;
        }
        Ok(())
    })
}

// INVARIANT (serving resumes): once the disk is mended, a server that lives on serves again by itself.
async fn heal(client: &Client, key_arns: &[String]) -> Result<(), Violation> {
    client.server.store.mend();
    tokio::time::sleep(Duration::from_secs(5)).await;
    for arn in key_arns {
        if !client.set_key(arn, true).await? {
            return Err("the disk is mended, but a key cannot be enabled".to_owned());
        }
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let place = shared_place(0, 0);
    for action in [Action::Put(client.oracle.new_value()), Action::Read] {
        let heard = client.act(&place, action).await?;
        if heard != Heard::Done {
            return Err(format!("the disk is mended, but {action:?}: {heard:?}"));
        }
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
    let per_mille = *dice.pick(&[0, 10, 50]);
    let thrown = Plan::thrown(world.dice(&format!("faults {round}")), per_mille, kinds.to_vec());
    let millis_max = *dice.pick(&[0, 5, 100]);
    let thrown = thrown.and_slow(world.dice(&format!("latency {round}")), millis_max);
    if dice.chance(2, 3) {
        let crash = *dice.pick(&[Fault::CrashBefore, Fault::CrashAfter]);
        thrown.and_at(1 + dice.below(CRASH_BY_CALL), crash)
    } else {
        thrown
    }
}

const ROUNDS: u64 = 3;
const WORKER_STEPS: u64 = 15;
const OTHER_STEPS: u64 = 5;
const CRASH_BY_CALL: u64 = 200;
