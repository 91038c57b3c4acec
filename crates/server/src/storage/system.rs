//! The system store: KMS keys, grants, aliases, identities, the catalogue of tables and the audit trail.
//!
//! One database sealed under the root key, so the key service never needs a
//! key service to start. Each owner of a part keeps its rows under its own
//! first byte:
//!
//! | first byte | owner |
//! | --- | --- |
//! | `k` | kms |
//! | `a` | audit |
//! | `t` | catalogue of tables |
//! | `i` | identities |
//! | `m` | store-wide facts |

use std::sync::Arc;

use super::database::Database;

/// The system store; cheap to clone.
#[derive(Clone)]
pub struct SystemStore(Arc<Database>);

impl SystemStore {
    /// A system store over an open database.
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

impl std::ops::Deref for SystemStore {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.0
    }
}
