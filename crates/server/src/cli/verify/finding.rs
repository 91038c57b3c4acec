//! What is wrong with an object, and what to do about it.

use strongroom_seal::anchor::AnchorError;
use strongroom_seal::chunked::ChunkedError;
use strongroom_seal::error::SealError;
use strongroom_seal::keyring::KeyringError;

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Path of the object below the data directory's `store`.
    pub object: String,
    /// What is wrong.
    pub what: String,
    /// What the operator can do.
    pub advice: &'static str,
}

impl Finding {
    /// An object that a database needs is not there.
    pub(super) fn missing(object: String, what: String) -> Self {
        Self { object, what, advice: RESTORE_MISSING }
    }

    /// An object could not be read and authenticated.
    pub(super) fn of_object(object: &str, error: &object_store::Error) -> Self {
        let (what, advice) = match SealError::find(error) {
            Some(SealError::NotSealed { .. }) => ("it is not a sealed object".to_owned(), FOREIGN),
            Some(SealError::Version { version, .. }) => {
                (format!("it has sealed-object format version {version}"), OTHER_RELEASE)
            }
            Some(SealError::UnknownDataKey { data_key, .. }) => {
                (format!("it is sealed under data key {data_key}, which is not in the keyring"), SWAPPED)
            }
            Some(SealError::Damaged { damage, .. }) => match damage {
                ChunkedError::Commitment => (format!("it does not authenticate: {damage}"), SWAPPED),
                ChunkedError::Length | ChunkedError::Chunk(_) => {
                    (format!("it does not authenticate: {damage}"), RESTORE)
                }
            },
            Some(error @ (SealError::KeysClosed { .. } | SealError::Unavailable { .. })) => {
                (error.to_string(), UNREADABLE)
            }
            None => (format!("it cannot be read: {error}"), UNREADABLE),
        };
        Self { object: object.to_owned(), what, advice }
    }

    /// An anchor could not be read or opened.
    pub(super) fn of_anchor(object: &str, error: &AnchorError) -> Self {
        let advice = match error {
            AnchorError::NotAnAnchor { .. } | AnchorError::DoesNotOpen { .. } => RESTORE_ANCHOR,
            AnchorError::Format { .. } => OTHER_RELEASE,
            AnchorError::Misplaced { .. } => SWAPPED,
            AnchorError::Conflict { .. } | AnchorError::Store { .. } => UNREADABLE,
        };
        Self { object: object.to_owned(), what: error.to_string(), advice }
    }

    /// A keyring could not be read or opened.
    pub(super) fn of_keyring(folder: &str, error: &KeyringError) -> Self {
        let (object, advice) = match error {
            KeyringError::NotAKeyring { object } => (object.clone(), RESTORE_KEYRING),
            KeyringError::Format { object, .. } => (object.clone(), OTHER_RELEASE),
            KeyringError::Misplaced { object, .. } => (object.clone(), SWAPPED),
            KeyringError::Store { object, .. } | KeyringError::Conflict { object } => {
                (object.clone(), UNREADABLE)
            }
            KeyringError::DoesNotOpen { version, .. } => {
                (format!("{folder}/keyring/{version:020}"), RESTORE_KEYRING)
            }
            KeyringError::TooMuch { .. } => (format!("{folder}/keyring"), RESTORE_KEYRING),
        };
        Self { object, what: error.to_string(), advice }
    }
}

pub(super) const RESTORE: &str =
    "restore this object from a backup; its bytes have changed since it was written, so check the disk too";
pub(super) const RESTORE_MISSING: &str =
    "restore this object from a backup; do not start the server on what is left, it would go on without it";
pub(super) const RESTORE_KEYRING: &str =
    "restore the folder `keyring` from a backup of the same time as the data; without it nothing here opens";
pub(super) const RESTORE_ANCHOR: &str = "restore it from a backup of the same time as the data; or, if `store/system` is known to be the newest, remove \
     what is left of `store/anchor` and start the server, which makes it anew";
pub(super) const RESTORE_ROOT: &str = "restore the folder `store/root` from a backup";
pub(super) const RESTORE_SYSTEM: &str = "put the newest copy of it back, or restore the whole directory from one backup; without it nobody reaches any \
     table";
pub(super) const RESTORE_FOLDER: &str = "put it back; what it held is in sorted runs, so if it is gone for good, an empty folder in its place loses nothing";
pub(super) const IN_PLACE_OF_OBJECT: &str =
    "move it out of the data directory, and restore the object from a backup if there was one";
pub(super) const UNNEEDED: &str = "nothing refers to it any more, so no data is lost: move it out of the data directory; but it is not \
     what was written under this name, so check the disk";
pub(super) const RESTORE_NEWER: &str =
    "put the newest copy of this folder back; what lies here now is an older one";
pub(super) const RESTORE_CATALOGUE: &str = "put the newest copy of `store/system` back, or the whole directory from one backup; as it is nobody reaches this \
     table";
pub(super) const SWAPPED: &str = "put back what was written under this name: another object lies here, perhaps of another \
                       table, path or time, or its beginning has changed";
const FOREIGN: &str =
    "move it out of the data directory if you put it here; otherwise restore this object from a backup";
const OTHER_RELEASE: &str = "use the release that wrote it";
const UNREADABLE: &str = "look at the disk and at the permissions of this file, then verify again";

#[cfg(test)]
mod tests {
    use strongroom_seal::object::DataKeyId;

    use super::*;

    /// What to do depends on what happened: a flipped byte is not a swapped object.
    #[test]
    fn the_advice_fits_the_failure() {
        let damaged = |damage| SealError::Damaged { object: "o".to_owned(), damage };
        let cases = [
            (damaged(ChunkedError::Chunk(3)), RESTORE),
            (damaged(ChunkedError::Length), RESTORE),
            (damaged(ChunkedError::Commitment), SWAPPED),
            (SealError::NotSealed { object: "o".to_owned() }, FOREIGN),
            (SealError::Version { object: "o".to_owned(), version: 9 }, OTHER_RELEASE),
        ];
        for (error, advice) in cases {
            let finding = Finding::of_object("system/wal/1", &error.into());
            assert_eq!((finding.object.as_str(), finding.advice), ("system/wal/1", advice));
        }
        let lost = object_store::Error::NotFound { path: "o".to_owned(), source: "gone".into() };
        assert_eq!(Finding::of_object("o", &lost).advice, UNREADABLE);
    }

    #[test]
    fn an_unknown_data_key_is_named() {
        let data_key = DataKeyId::generate(&strongroom_seal::primitive::OsRandom);
        let error = SealError::UnknownDataKey { object: "o".to_owned(), data_key };
        assert!(Finding::of_object("o", &error.into()).what.contains(&data_key.to_string()));
    }
}
