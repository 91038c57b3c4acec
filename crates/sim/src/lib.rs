//! The whole server in a world of its own: a disk that fails as a seed decides, virtual time, actors that
//! call the API, and an oracle that knows what every answer may be.
//!
//! From the bottom up: `random`, `clock` and `history` are the doors of a deterministic world; `disk` is what
//! survives a crash, `fault` says which of its calls goes wrong and `faulty_store` makes it so; `server` is one
//! run of the server, `world` all of them; `register` and `oracle` are the model; `items` and
//! `estate` are what actors can call, `actors` what they do, `audit` what must hold afterwards, `workload` a
//! seed's whole life.

pub mod actors;
pub mod audit;
pub mod clock;
pub mod disk;
pub mod estate;
pub mod fault;
pub mod faulty_store;
pub mod history;
pub mod items;
pub mod oracle;
pub mod random;
pub mod register;
pub mod server;
pub mod workload;
pub mod world;
