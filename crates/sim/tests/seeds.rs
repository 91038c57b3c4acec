#![expect(clippy::print_stdout, reason = "a replayed seed tells its history")]
//! Seeded worlds. `STRONGROOM_SEED=n` replays one, `STRONGROOM_SEEDS=n` lives through more of them.

use strongroom_sim::workload;

/// Worlds in `./check`.
const SEEDS: u64 = 200;

// Whatever the disk does and whenever the power goes: what was acknowledged is there afterwards, what was not may
// be, and no answer contradicts another.
#[test]
fn acknowledged_writes_survive_every_seed() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let one = number("STRONGROOM_SEED");
    let seeds = match one {
        Some(seed) => seed..seed + 1,
        None => 0..number("STRONGROOM_SEEDS").unwrap_or(SEEDS),
    };
    let mut complaints = Vec::new();
    let mut story = None;
    for seed in seeds {
        let (world, outcome) = workload::live(seed);
        if let Err(violation) = outcome {
            complaints.push(format!("seed {seed}: {violation}"));
            story.get_or_insert_with(|| world.history.lines());
        } else if one.is_some() {
            println!("{}\nhistory {:016x}", world.history.lines().join("\n"), world.history.hash());
        }
    }
    if let Some(story) = story {
        let from = if one.is_some() { 0 } else { story.len().saturating_sub(60) };
        panic!(
            "{}\n\nthat was the end of the first of these:\n{}\nreplay: STRONGROOM_SEED=<seed> cargo test -p \
             strongroom-sim --test seeds -- --nocapture",
            story[from..].join("\n"),
            complaints.join("\n")
        );
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
