//! What there is of the system store and of what is written after it, by the names alone: before any key is asked for.
//!
//! The first start writes the root key, the keyring, the database, the anchor, in this order, and only then rows, the
//! material of keys, and tables. Where something later is there and something earlier is not, a part was lost, and no new
//! one is started in its place.

use std::sync::Arc;

use futures::StreamExt;
use object_store::ObjectStore;
use object_store::path::Path;

use super::error::StorageError;
use super::place::Place;
use super::system::{FOLDER, MATERIALS};
use strongroom_seal::anchor;

/// What lies in a data place, the root key apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// The folder `system`; always, in a place that has no folders.
    pub folder: bool,
    /// A keyring of the system store.
    pub keyring: bool,
    /// A manifest of it.
    pub manifests: bool,
    /// An object of its log.
    pub log: bool,
    /// A sorted run of it.
    pub sorted_runs: bool,
    /// Material of a key.
    pub materials: bool,
    /// An anchor.
    pub anchor: bool,
    /// An object of a table.
    pub tables: bool,
}

/// What the system store of a place is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not there yet: there was no start, or one that was interrupted before there was anything to lose.
    New,
    /// There, as far as names tell.
    There,
    /// There is data, but no root key.
    RootLost,
    /// These paths below `store` are missing or empty.
    Lost(Vec<&'static str>),
}

impl Remains {
    /// Looks at a place.
    pub async fn of(place: &Place) -> Result<Self, StorageError> {
        let holds = async |folder: &str| holds_any(&place.store, folder).await;
        Ok(Self {
            folder: place.has_folder(FOLDER),
            keyring: holds("system/keyring").await?,
            manifests: holds("system/manifest").await?,
            log: holds("system/wal").await?,
            sorted_runs: holds("system/compacted").await?,
            materials: holds(MATERIALS).await?,
            anchor: holds(anchor::FOLDER).await?,
            tables: holds("tables").await?,
        })
    }

    /// What that means where there is a root key, or none.
    pub fn standing(self, has_root: bool) -> Standing {
        let of_database = self.manifests || self.log || self.sorted_runs;
        let written_after = self.materials || self.anchor || self.tables;
        if !has_root {
            let holds_any = self.keyring || of_database || written_after;
            return if holds_any { Standing::RootLost } else { Standing::New };
        }
        let is_lost = match self.keyring {
            // With the anchor it is known what the log must hold; without it, only that it cannot be empty.
            true => written_after && !self.anchor && !self.log,
            // The first step makes the folder before the root key.
            false => of_database || written_after || !self.folder,
        };
        if is_lost {
            Standing::Lost(self.missing())
        } else if self.keyring {
            Standing::There
        } else {
            Standing::New
        }
    }

    fn missing(self) -> Vec<&'static str> {
        let whole = !(self.keyring || self.manifests || self.log || self.sorted_runs || self.materials);
        let mut missing = match whole {
            true => vec![FOLDER],
            false => [
                ("system/keyring", self.keyring),
                ("system/manifest", self.manifests),
                ("system/wal", self.log),
            ]
            .into_iter()
            .filter_map(|(part, is_there)| (!is_there).then_some(part))
            .collect(),
        };
        if !self.anchor {
            missing.push(anchor::FOLDER);
        }
        missing
    }
}

async fn holds_any(store: &Arc<dyn ObjectStore>, folder: &str) -> Result<bool, StorageError> {
    match store.list(Some(&Path::from(folder))).next().await {
        Some(Ok(_)) => Ok(true),
        Some(Err(error)) => Err(StorageError::of_object(&error)),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Remains = Remains {
        folder: true,
        keyring: false,
        manifests: false,
        log: false,
        sorted_runs: false,
        materials: false,
        anchor: false,
        tables: false,
    };
    const WHOLE: Remains = Remains {
        folder: true,
        keyring: true,
        manifests: true,
        log: true,
        sorted_runs: true,
        materials: true,
        anchor: true,
        tables: true,
    };

    /// The steps of a first start: whatever it has left, the next one goes on from it.
    #[test]
    fn a_first_start_that_was_cut_short_is_carried_on() {
        let keyring = Remains { keyring: true, ..NOTHING };
        let manifests = Remains { manifests: true, ..keyring };
        let log = Remains { log: true, ..manifests };
        assert_eq!(Remains { folder: false, ..NOTHING }.standing(false), Standing::New);
        assert_eq!(NOTHING.standing(false), Standing::New);
        assert_eq!(NOTHING.standing(true), Standing::New);
        for remains in [keyring, manifests, log, Remains { anchor: true, ..log }, WHOLE] {
            assert_eq!(remains.standing(true), Standing::There, "{remains:?}");
            assert_eq!(remains.standing(false), Standing::RootLost, "{remains:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let gone = Remains { folder: false, tables: true, anchor: true, ..NOTHING };
        let database = Remains { keyring: false, manifests: false, log: false, ..WHOLE };
        let cases = [
            (gone, &["system"][..]),
            (Remains { anchor: false, ..gone }, &["system", "anchor"]),
            (Remains { folder: false, ..NOTHING }, &["system", "anchor"]),
            (Remains { keyring: false, ..WHOLE }, &["system/keyring"]),
            (database, &["system/keyring", "system/manifest", "system/wal"]),
            (Remains { log: false, anchor: false, ..WHOLE }, &["system/wal", "anchor"]),
            (
                Remains { log: false, manifests: false, anchor: false, tables: false, ..WHOLE },
                &["system/manifest", "system/wal", "anchor"],
            ),
        ];
        for (remains, missing) in cases {
            assert_eq!(remains.standing(true), Standing::Lost(missing.to_vec()), "{remains:?}");
        }
        // The anchor tells more, and a store without it is told of.
        for remains in [Remains { log: false, ..WHOLE }, Remains { anchor: false, ..WHOLE }] {
            assert_eq!(remains.standing(true), Standing::There, "{remains:?}");
        }
    }
}
