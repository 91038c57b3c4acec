//! The whole server in a world of its own: a disk that fails as a seed decides, virtual time, actors that
//! call the API, and an oracle that knows what every answer may be.
//!
//! From the bottom up: `random`, `clock` and `history` are the doors of a deterministic world; `disk` is what
//! survives a crash, `fault` says which of its calls goes wrong and `faulty_store` makes it so; `server` is one
//! run of the server, `world` all of them; `register` and `oracle` are the model; `items`,
//! `indexes` and `estate` are what actors can call, `actors` what they do, `audit` what must hold afterwards, `workload` a
//! seed's whole life.
//!
//! # What follows from the seed
//!
//! Everything: each run is one thread on a paused clock, SlateDB takes its clock and its chance from the world
//! (its own `select!`s are biased), and keys and salts come from the world's dice. A history names every call of the
//! store with its path and every answer with its virtual time, and its hash is the same each time
//! (`the_same_seed_tells_the_same_history`). Not simulated: the wire, TLS and signatures above the actors, several
//! threads racing within one run, and a key service over the network. A change of the code changes what a seed does.
//!
//! # By hand
//!
//! ```text
//! STRONGROOM_SEED=52 cargo test -p strongroom-sim --test seeds -- --nocapture     one world, with its history
//! STRONGROOM_SEEDS=5000 cargo test -p strongroom-sim --test seeds                 more of them
//! STRONGROOM_ALL=1 cargo test -p strongroom-sim --test every_call                 each call in all nine ways
//! STRONGROOM_CALL=30 cargo test -p strongroom-sim --test every_call               one call, in all nine ways
//! ```

pub mod actors;
pub mod audit;
pub mod clock;
pub mod disk;
pub mod estate;
pub mod fault;
pub mod faulty_store;
pub mod history;
pub mod indexes;
pub mod items;
pub mod oracle;
pub mod random;
pub mod register;
pub mod server;
pub mod workload;
pub mod world;
