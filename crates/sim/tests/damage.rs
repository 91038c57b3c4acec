//! Every stored object is damaged in turn: the answer is the right data or an error that names the object, soon.

use std::collections::BTreeMap;
use std::time::Duration;

use object_store::path::Path;
use strongroom_sim::actors::{batch_place, shared_place};
use strongroom_sim::audit::audit;
use strongroom_sim::disk::Damage;
use strongroom_sim::fault::Plan;
use strongroom_sim::items::Client;
use strongroom_sim::register::Action;
use strongroom_sim::workload::settle;
use strongroom_sim::world::{Ended, World};

#[test]
fn no_flipped_bit_goes_unnoticed() {
    each_object(Damage::Flip);
}

#[test]
fn no_missing_end_goes_unnoticed() {
    each_object(Damage::Truncate);
}

#[test]
fn no_added_byte_goes_unnoticed() {
    each_object(|_| Damage::Extend);
}

// Of what a log got since its store was opened nobody can know that it was cut off.
#[test]
fn no_hole_in_a_log_goes_unnoticed() {
    let world = used_world();
    let logs: Vec<Path> =
        world.disk.paths().into_iter().filter(|path| path.as_ref().contains("/wal/")).collect();
    let folder = |path: &Path| path.as_ref().rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let holes =
        logs.windows(2).filter(|pair| folder(&pair[0]) == folder(&pair[1])).map(|pair| pair[0].clone());
    each_of(&world, holes.collect(), |_| Damage::Remove);
}

// The catalogue has seen one of a table, the anchor one of the system store; where a later one is lost, the log has a hole,
// or is still whole.
#[test]
fn no_missing_manifest_goes_unnoticed() {
    let world = used_world();
    let manifests = world.disk.paths().into_iter().filter(|path| path.as_ref().contains("/manifest/"));
    // By folder; the later ones take the place of the earlier.
    let newest: BTreeMap<String, Path> =
        manifests.filter_map(|path| Some((path.as_ref().rsplit_once('/')?.0.to_owned(), path))).collect();
    each_of(&world, newest.into_values().collect(), |_| Damage::Remove);
}

fn each_object(damage: impl Fn(u64) -> Damage) {
    let world = used_world();
    each_of(&world, world.disk.paths(), damage);
}

fn each_of(world: &World, locations: Vec<Path>, damage: impl Fn(u64) -> Damage) {
    let dice = world.dice("damage");
    let mut refused = 0;
    for location in &locations {
        let mut damaged = world.copy();
        let damage = damage(dice.next());
        damaged.disk.damage(location, damage);
        if let Err(violation) = audit(&mut damaged) {
            panic!("{}\n\n{location}, {damage:?}: {violation}", damaged.history.lines().join("\n"));
        }
        let lines = damaged.history.lines();
        refused +=
            u64::from(lines.iter().any(|line| line.contains("did not start") || line.contains("failure")));
    }
    // Objects that nobody needs any more may be damaged unnoticed; most are needed.
    assert!(refused * 2 > locations.len() as u64, "only {refused} damaged objects were noticed");
}

// A world whose disk holds every kind of object: logs, sorted runs, manifests, keyrings, the root key.
fn used_world() -> World {
    let mut world = World::new(11);
    world.settings.item_cache_bytes = 0;
    world.settings.block_cache_bytes = 1;
    settle(&mut world, true).expect("a calm disk");
    let oracle = world.oracle.clone();
    for round in 0..2 {
        let oracle = oracle.clone();
        let ended = world.run(Plan::calm(), async |server| {
            let client = Client { server, oracle, actor: 1 };
            for sort in 0..3 {
                client.act(&shared_place(round, sort), Action::Put(client.oracle.new_value())).await?;
                client.act(&shared_place(round, sort), Action::Increment).await?;
                client.batch(&[batch_place(1, 0), batch_place(1, 1)], client.oracle.new_value()).await?;
                if round == 0 {
                    // The log becomes a sorted run.
                    tokio::time::sleep(Duration::from_secs(25)).await;
                }
            }
            Ok::<_, String>(())
        });
        assert!(matches!(ended, Ended::Finished(Ok(()))), "{ended:?}");
    }
    audit(&mut world).expect("a calm disk");
    world
}
