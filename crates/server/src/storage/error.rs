//! What can go wrong below the engine.

use strongroom_seal::error::SealError;

/// A failed storage call.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// The database is closed, by us or by a failure; whoever holds it drops it and opens it again.
    #[error("the database is closed: {0}")]
    Closed(String),
    /// Stored bytes are not what was written. The text names the object.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The store refused or failed a call (disk full, read-only, gone).
    #[error("storage is unavailable: {0}")]
    Unavailable(String),
}

impl StorageError {
    /// What a failed call on an object of a sealed store means.
    pub fn of_object(error: &object_store::Error) -> Self {
        match SealError::find(error) {
            Some(damage) if damage.is_damage() => Self::Damaged(damage.to_string()),
            _ => Self::Unavailable(causes(error)),
        }
    }
}

impl From<slatedb::Error> for StorageError {
    fn from(error: slatedb::Error) -> Self {
        // For SlateDB an object that does not authenticate is one that cannot be had.
        if let Some(damage) = SealError::find(&error).filter(|found| found.is_damage()) {
            return Self::Damaged(damage.to_string());
        }
        let text = causes(&error);
        match error.kind() {
            slatedb::ErrorKind::Data => Self::Damaged(text),
            slatedb::ErrorKind::Closed(_) => Self::Closed(text),
            _ => Self::Unavailable(text),
        }
    }
}

// An error and its sources on one line; SlateDB's own text alone hides the object's name.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn damage_is_told_apart_from_an_outage() {
        let of = |error: SealError| {
            let below = Arc::new(object_store::Error::from(error));
            StorageError::from(slatedb::Error::unavailable("read".to_owned()).with_source(Box::new(below)))
        };
        let object = || "tables/1/compacted/2.sst".to_owned();
        let damaged = of(SealError::NotSealed { object: object() });
        assert!(matches!(&damaged, StorageError::Damaged(text) if text.contains(&object())), "{damaged}");
        let closed = of(SealError::KeysClosed { store: "1".to_owned(), object: object() });
        assert!(matches!(&closed, StorageError::Unavailable(text) if text.contains(&object())), "{closed}");
    }
}
