//! A world: one seed, one disk, and the runs of the server on it, one after another.

use std::sync::Arc;

use strongroom_model::clock::{Clock, Random};
use strongroom_seal::root::Provider;
use strongroom_seal::secret::SecretKey;
use strongroom_server::app::{App, AppOptions};
use strongroom_server::engine::{CallerRules, CallerScope, Renewal};
use strongroom_server::storage::{Doors, MergeTurns, Place};

use crate::clock::{SimClock, WORLD_BEGINS_MILLIS};
use crate::disk::Disk;
use crate::estate::Estate;
use crate::fault::Plan;
use crate::faulty_store::FaultyStore;
use crate::history::History;
use crate::oracle::Oracle;
use crate::random::Dice;
use crate::server::{HANG, Server};

/// What outlives the server.
pub struct World {
    /// What everything follows from.
    pub seed: u64,
    /// The stored objects.
    pub disk: Arc<Disk>,
    /// What happened.
    pub history: History,
    /// What must be.
    pub oracle: Oracle,
    /// Which keys and tables there are.
    pub estate: Estate,
    /// How the server is set up.
    pub settings: Settings,
    random: Arc<Dice>,
    now_millis: i64,
}

/// The settings that change which way a request takes through the server.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Memory for items; with 0 every read goes to the table's store.
    pub item_cache_bytes: u64,
    /// Memory for blocks; with 1 every read of a sorted run goes to the disk.
    pub block_cache_bytes: u64,
    /// How long a table may be unused before it is closed.
    pub idle_millis: i64,
    /// How many dead rows a table may hold before it is merged.
    pub dead_rows_max: u64,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended<T> {
    /// The work was done.
    Finished(T),
    /// The power went.
    Crashed,
    /// The server did not start, and said why.
    NotStarted(String),
    /// The server neither started nor gave up.
    Hung,
}

impl Settings {
    /// Settings that a seed chooses.
    pub fn thrown(dice: &Dice) -> Self {
        Self {
            item_cache_bytes: *dice.pick(&[0, 1 << 20]),
            block_cache_bytes: *dice.pick(&[1, 1 << 20]),
            idle_millis: *dice.pick(&[2_000, 600_000]),
            dead_rows_max: *dice.pick(&[0, 20, 10_000]),
        }
    }
}

impl World {
    /// A new world with an empty disk.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            disk: Arc::default(),
            history: History::default(),
            oracle: Oracle::default(),
            estate: Estate::default(),
            settings: Settings::thrown(&Dice::new(seed, "settings")),
            random: Arc::new(Dice::new(seed, "server")),
            now_millis: WORLD_BEGINS_MILLIS,
        }
    }

    /// The same world, so far; what happens in one from now on does not happen in the other.
    pub fn copy(&self) -> Self {
        Self {
            disk: Arc::new(self.disk.copy()),
            history: History::default(),
            oracle: self.oracle.copy(),
            estate: self.estate.copy(),
            random: Arc::new(Dice::new(self.seed, "copy of the server")),
            ..*self
        }
    }

    /// Somebody sets the machine's clock back.
    pub fn set_clock_back(&mut self, by_millis: i64) {
        self.now_millis -= by_millis;
    }

    /// Dice for one purpose.
    pub fn dice(&self, purpose: &str) -> Dice {
        Dice::new(self.seed, purpose)
    }

    /// Starts the server, does `work` with it, and takes it away from one moment to the next: whatever it
    /// still had in memory is gone.
    pub fn run<T, F: Future<Output = T>>(&mut self, plan: Plan, work: impl FnOnce(Server) -> F) -> Ended<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing of the operating system");
        let ended = runtime.block_on(async {
            let clock = Arc::new(SimClock::starting_at(self.now_millis));
            let store =
                FaultyStore::new(Arc::clone(&self.disk), Arc::clone(&clock), plan, self.history.clone());
            let life = async {
                let place = Arc::new(Place::over(Arc::new(store.clone()), self.doors(&clock)));
                let opening = App::open(place, self.options(&clock));
                let app = match tokio::time::timeout(HANG, opening).await {
                    Ok(Ok(app)) => app,
                    Ok(Err(error)) => return Ended::NotStarted(causes(&error)),
                    Err(_) => return Ended::Hung,
                };
                let server = Server {
                    app,
                    store: store.clone(),
                    clock: Arc::clone(&clock),
                    history: self.history.clone(),
                };
                server.tell("the server has started".to_owned());
                Ended::Finished(work(server).await)
            };
            let ended = tokio::select! {
                biased;
                () = store.crashed() => Ended::Crashed,
                ended = life => ended,
            };
            self.now_millis = clock.now_millis();
            ended
        });
        // Every task of the server ends where it stands.
        drop(runtime);
        self.history.write(match &ended {
            Ended::Finished(_) => "the run is over".to_owned(),
            Ended::Crashed => "the power went".to_owned(),
            Ended::NotStarted(_) => "the server did not start".to_owned(),
            Ended::Hung => "the server hung while it started".to_owned(),
        });
        ended
    }

    fn doors(&self, clock: &Arc<SimClock>) -> Doors {
        Doors {
            clock: Some(Arc::clone(clock) as _),
            random: Some(Arc::clone(&self.random) as _),
            dead_rows_max: Some(self.settings.dead_rows_max),
            merges: MergeTurns::default(),
        }
    }

    fn options(&self, clock: &Arc<SimClock>) -> AppOptions {
        let mut root_key = [7; 32];
        let root_key = SecretKey::from_slice(&mut root_key).expect("a key has 32 bytes");
        AppOptions {
            root: Provider::KeyFile(Arc::new(root_key)),
            kms_endpoint: None,
            callers: CallerRules {
                scope: CallerScope::Caller,
                renewal: Renewal::Ttl,
                renewal_millis: 300_000,
                outage_millis_max: 12 * 3_600_000,
            },
            push_key_state: true,
            item_cache_bytes: self.settings.item_cache_bytes,
            block_cache_bytes: self.settings.block_cache_bytes,
            idle_millis: self.settings.idle_millis,
            switches_per_day_max: 1_000,
            status_millis: 0,
            clock: Arc::clone(clock) as Arc<dyn Clock>,
            random: Arc::clone(&self.random) as Arc<dyn Random>,
        }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
