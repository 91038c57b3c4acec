//! Bugs that a world has found.

use std::time::Duration;

use serde_json::json;
use strongroom_sim::actors::shared_place;
use strongroom_sim::audit::audit;
use strongroom_sim::estate::PASSING;
use strongroom_sim::fault::{Failure, Fault, Plan};
use strongroom_sim::items::{Client, Heard, Violation};
use strongroom_sim::register::Action;
use strongroom_sim::server::Reply;
use strongroom_sim::workload::settle;
use strongroom_sim::world::{Ended, World};

// A write was on its way to the disk when a consistent read came that found nothing in the item cache. It showed
// the write; then the power went, and the write had never been.
#[test]
fn a_consistent_read_past_the_item_cache_waits_for_what_is_not_durable() {
    let mut world = World::new(1);
    world.settings.item_cache_bytes = 0;
    settle(&mut world, false).expect("a calm disk");
    let opens = {
        let mut calm = world.copy();
        let oracle = calm.oracle.clone();
        match calm.run(Plan::calm(), async |server| {
            let client = Client { server, oracle, actor: 1 };
            client.act(&shared_place(0, 0), Action::Read).await?;
            Ok::<_, Violation>(client.server.store.calls())
        }) {
            Ended::Finished(Ok(calls)) => calls,
            other => panic!("{other:?}"),
        }
    };
    let oracle = world.oracle.clone();
    // The put's flush is the next call after those that opened the table.
    let plan = Plan::at(opens + 1, Fault::Delay(2_000));
    let ended = world.run(plan, async |server| {
        let writer = Client { server: server.clone(), oracle: oracle.clone(), actor: 1 };
        let reader = Client { server: server.clone(), oracle: oracle.clone(), actor: 2 };
        writer.act(&shared_place(0, 0), Action::Read).await?;
        let place = shared_place(0, 0);
        let write = writer.act(&place, Action::Put(oracle.new_value()));
        let read_and_crash = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            reader.act(&place, Action::Read).await?;
            server.store.crash();
            std::future::pending::<Result<Heard, Violation>>().await
        };
        futures::future::try_join(write, read_and_crash).await.map(drop)
    });
    assert!(matches!(ended, Ended::Crashed), "{ended:?}");
    if let Err(violation) = audit(&mut world) {
        panic!("{}\n{violation}", world.history.lines().join("\n"));
    }
}

// A table was deleted while the engine's own round waited to clear it away. When the round had its turn, a new table
// had taken the name, and lost its row to the clearing.
#[test]
fn a_new_table_of_the_same_name_outlives_the_clearing_of_the_old_one() {
    let mut world = World::new(3);
    settle(&mut world, false).expect("a calm disk");
    let (oracle, estate) = (world.oracle.clone(), world.estate.clone());
    let plan = Plan::calm().and_slow(world.dice("slow"), 900);
    let ended = world.run(plan, async |server| {
        let client = Client { server, oracle, actor: 1 };
        for _ in 0..3 {
            client.create_table(PASSING, None).await;
            client.server.dynamodb(1, "DeleteTable", json!({"TableName": PASSING})).await;
        }
        if let Reply::Answer(_) = client.create_table(PASSING, None).await {
            estate.set_passing(Some(true));
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    });
    assert!(matches!(ended, Ended::Finished(())), "{ended:?}");
    assert_eq!(world.estate.passing_exists(), Some(true));
    if let Err(violation) = audit(&mut world) {
        panic!("{}\n{violation}", world.history.lines().join("\n"));
    }
}

// The machine's clock had been ahead, and was put right while the server was down. SlateDB takes a clock that is
// behind its newest row for a broken one, and refuses every write until the time has come again.
#[test]
fn data_from_the_future_opens() {
    let mut world = World::new(4);
    settle(&mut world, false).expect("a calm disk");
    let oracle = world.oracle.clone();
    for hour in 0..3 {
        let oracle = oracle.clone();
        let ended = world.run(Plan::calm(), async |server| {
            let client = Client { server, oracle, actor: 1 };
            client.act(&shared_place(0, 0), Action::Increment).await?;
            // The log becomes a sorted run in one round and stays a log in the next.
            tokio::time::sleep(Duration::from_secs(if hour % 2 == 0 { 40 } else { 0 })).await;
            client.act(&shared_place(0, 1), Action::Put(client.oracle.new_value())).await
        });
        assert!(matches!(ended, Ended::Finished(Ok(Heard::Done))), "hour {hour}: {ended:?}");
        world.set_clock_back(3_600_000);
        audit(&mut world).expect("the clock is no reason to lose anything");
    }
}

// The disk was full for one call of the system store. It was mended, but no key could be used and no table opened
// until the server was started anew.
#[test]
fn serving_resumes_when_the_system_store_has_met_a_full_disk() {
    let mut world = World::new(2);
    settle(&mut world, true).expect("a calm disk");
    let (oracle, estate) = (world.oracle.clone(), world.estate.clone());
    let plan = Plan::thrown(world.dice("full"), 1_000, vec![Fault::FailBefore(Failure::Final)]).held_back();
    let ended = world.run(plan, async |server| {
        let client = Client { server, oracle, actor: 1 };
        let arn = &estate.key_arns()[1];
        client.server.store.begin();
        let refused = client.set_key(arn, false).await?;
        client.server.store.mend();
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok::<_, Violation>((refused, client.set_key(arn, true).await?))
    });
    match ended {
        Ended::Finished(Ok(outcome)) => assert_eq!(outcome, (false, true)),
        other => panic!("{other:?}"),
    }
}
