//! SlateDB, kept behind this module.

pub mod block_cache;
mod compaction;
pub mod database;
mod dead_rows;
pub mod doors;
pub mod error;
mod full_merge;
mod maintenance;
pub mod names;
pub mod offline;
mod own_directory;
pub mod place;
pub mod remains;
mod steady_clock;
pub mod system;
pub mod write_ahead_log;

pub use block_cache::BlockCache;
pub use database::{Batch, Database, Order, Scan, Snapshot, Visibility, Written, prefix_range};
pub use doors::{Doors, MergeTurns};
pub use error::StorageError;
pub use place::{DataSetting, Place, PlaceError};
pub use system::SystemStore;
pub use write_ahead_log::Seen;
