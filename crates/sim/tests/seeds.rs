//! Seeded worlds. `STRONGROOM_SEED=n` replays one, `STRONGROOM_SEEDS=n` lives through more of them.

use strongroom_sim::workload;

/// Worlds in `./check`.
const SEEDS: u64 = 200;

// Whatever the disk does and whenever the power goes: what was acknowledged is there afterwards, what was not may
// be, and no answer contradicts another.
#[test]
fn acknowledged_writes_survive_every_seed() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("STRONGROOM_SEED") {
        live(seed, true);
        return;
    }
    for seed in 0..number("STRONGROOM_SEEDS").unwrap_or(SEEDS) {
        live(seed, false);
    }
}

#[test]
fn the_same_seed_tells_the_same_history() {
    for seed in [1, 2, 3] {
        let (first, _) = workload::live(seed);
        let (second, _) = workload::live(seed);
        let (first_lines, second_lines) = (first.history.lines(), second.history.lines());
        let differs = first_lines.iter().zip(&second_lines).position(|(one, other)| one != other);
        if let Some(at) = differs {
            let from = at.saturating_sub(5);
            panic!(
                "seed {seed} line {at}:\n{}\n---\n{}",
                first_lines[from..(at + 3).min(first_lines.len())].join("\n"),
                second_lines[from..(at + 3).min(second_lines.len())].join("\n")
            );
        }
        assert_eq!(first.history.hash(), second.history.hash(), "seed {seed}");
    }
}

fn live(seed: u64, tell: bool) {
    let (world, outcome) = workload::live(seed);
    let lines = world.history.lines();
    if let Err(violation) = outcome {
        let from = if tell { 0 } else { lines.len().saturating_sub(60) };
        panic!(
            "{}\n\nseed {seed}: {violation}\nreplay: STRONGROOM_SEED={seed} cargo test -p strongroom-sim --test seeds",
            lines[from..].join("\n")
        );
    }
    if tell {
        panic!("{}\n\nseed {seed} is well; this is its history", lines.join("\n"));
    }
}
