//! The tables: which there are, under which key each lies, and the rows in them.
//!
//! The engine knows nothing of HTTP or JSON. It asks a key service for table
//! keys (`kms::table_kms`), and storage for sealed databases.

mod access;
mod callers;
mod catalogue;
mod change_all;
mod debts;
mod filter_scan;
mod index;
mod item_cache;
mod jobs;
mod key_filter;
mod key_state;
mod large_writes;
mod latches;
mod lifecycle;
mod moment;
mod names;
mod open_table;
pub mod record;
mod recount;
mod renewal;
mod switch;
mod table;
mod table_options;
#[cfg(test)]
mod tests;
mod throughput_record;

pub use access::AccessError;
pub use callers::{CallerRules, CallerScope, Renewal};
pub use catalogue::{Engine, EngineParts};
pub use change_all::{Changed, KeyChange};
pub use index::{
    CollectionFull, Index, IndexRecord, IndexSet, IndexState, IndexWrite, IndexWrites, ProjectionRecord,
};
pub use lifecycle::{CreateError, NewIndex, NewTable};
pub use open_table::{Change, OpenTable, Range};
pub use record::{Counted, Protection, Switch, TableRecord};
pub use switch::SwitchError;
pub use table::{Opening, Table};
pub use table_options::{PassingStatus, ResourcePolicy, TableOptions};
pub use throughput_record::{ThroughputRecord, ToldThroughput};
