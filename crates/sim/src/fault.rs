//! Which call of the store goes wrong, and how.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::Error;
use object_store::path::Path;
use parking_lot::Mutex;

use crate::random::Dice;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails and has done nothing.
    FailBefore(Failure),
    /// It fails, but has done its work: the caller cannot know.
    FailAfter(Failure),
    /// It takes this long, in virtual milliseconds, and succeeds.
    Delay(u64),
    /// A write leaves the first part of its bytes and fails. Other calls fail before.
    Tear,
    /// The power goes while a write leaves the first part of its bytes. Other calls end with the power.
    TearAndCrash,
    /// The power goes before the call has done anything.
    CrashBefore,
    /// The power goes when the call has done its work and nobody has heard of it.
    CrashAfter,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A timeout: the next attempt may succeed.
    Passing,
    /// A full or broken disk: no retry mends it.
    Final,
}

impl Fault {
    /// Every kind, for going through them in turn.
    pub const ALL: [Self; 9] = [
        Self::FailBefore(Failure::Passing),
        Self::FailBefore(Failure::Final),
        Self::FailAfter(Failure::Passing),
        Self::FailAfter(Failure::Final),
        Self::Delay(2_500),
        Self::Tear,
        Self::TearAndCrash,
        Self::CrashBefore,
        Self::CrashAfter,
    ];

    /// Whether it may leave an object that does not open.
    pub fn damages(self) -> bool {
        matches!(self, Self::Tear | Self::TearAndCrash)
    }
}

impl Failure {
    /// The error of a call on `location` that writes or reads.
    pub fn error(self, location: &Path, writes: bool) -> Error {
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        let cause = match self {
            Self::Passing => io::Error::new(io::ErrorKind::TimedOut, format!("no answer about {location}")),
            Self::Final if writes => io::Error::from_raw_os_error(ENOSPC),
            Self::Final => io::Error::from_raw_os_error(EIO),
        };
        Error::Generic { store: "FaultyStore", source: Box::new(cause) }
    }
}

/// The faults of one run of a server.
#[derive(Debug, Default)]
pub struct Plan {
    at: BTreeMap<u64, Fault>,
    thrown: Mutex<Option<Thrown>>,
    latency: Option<(Dice, u64)>,
    held_back: AtomicBool,
}

#[derive(Debug)]
struct Thrown {
    dice: Dice,
    per_mille: u64,
    kinds: Vec<Fault>,
}

impl Plan {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self::default()
    }

    /// Call number `call` goes wrong, counted from 1, and no other.
    pub fn at(call: u64, fault: Fault) -> Self {
        Self { at: BTreeMap::from([(call, fault)]), ..Self::default() }
    }

    /// Each call goes wrong in one of `kinds` with a chance of `per_mille` in a thousand.
    pub fn thrown(dice: Dice, per_mille: u64, kinds: Vec<Fault>) -> Self {
        Self { thrown: Mutex::new(Some(Thrown { dice, per_mille, kinds })), ..Self::default() }
    }

    /// The same, and call number `call` goes wrong as told.
    #[must_use]
    pub fn and_at(mut self, call: u64, fault: Fault) -> Self {
        self.at.insert(call, fault);
        self
    }

    /// The same, and every call takes up to `millis_max` virtual milliseconds.
    #[must_use]
    pub fn and_slow(mut self, dice: Dice, millis_max: u64) -> Self {
        self.latency = Some((dice, millis_max));
        self
    }

    /// How long the next call takes, in virtual milliseconds.
    pub fn latency_millis(&self) -> u64 {
        self.latency.as_ref().map_or(0, |(dice, millis_max)| dice.below(millis_max + 1))
    }

    /// The same, but nothing is thrown before `begin`.
    #[must_use]
    pub fn held_back(self) -> Self {
        self.held_back.store(true, Ordering::Relaxed);
        self
    }

    /// From now on things go wrong by chance.
    pub fn begin(&self) {
        self.held_back.store(false, Ordering::Relaxed);
    }

    /// The disk is mended: nothing more is thrown.
    pub fn mend(&self) {
        *self.thrown.lock() = None;
    }

    /// What happens to call number `call`.
    pub fn fault(&self, call: u64) -> Option<Fault> {
        if let Some(fault) = self.at.get(&call) {
            return Some(*fault);
        }
        if self.held_back.load(Ordering::Relaxed) {
            return None;
        }
        let thrown = self.thrown.lock();
        let Thrown { dice, per_mille, kinds } = thrown.as_ref()?;
        if kinds.is_empty() || !dice.chance(*per_mille, 1_000) {
            return None;
        }
        Some(match dice.pick(kinds) {
            Fault::Delay(millis_max) => Fault::Delay(1 + dice.below(*millis_max)),
            fault => *fault,
        })
    }
}
